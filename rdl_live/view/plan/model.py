"""A plan in the making: what the editor shows, without Qt. Every change is judged at once, in the field's own words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psygnal import Signal
from pydantic import ValidationError

from rdl_live.acquire.plan import Plan, load_plan
from rdl_live.errors import ConfigError
from rdl_live.files.explain import explain
from rdl_live.files.outputs import atomic_write
from rdl_live.optics.microscope import Microscope
from rdl_live.view.plan.outlook import Outlook, outlook
from rdl_live.view.plan.presets import lit_channels

FieldPath = Sequence[str | int]
"""Place of a value in the plan: ("channels", 0, "power_percent")."""


class PlanModel:
    """A draft, and whether it is a plan."""

    changed = Signal()

    def __init__(self, microscope: Microscope, plan: Plan, frame_shape: tuple[int, int], frame_bytes: int = 2) -> None:
        """Start from a plan.

        Args:
            microscope: with its hardware section.
            plan: to begin with.
            frame_shape: (y, x) of the whole camera chip.
            frame_bytes: bytes of a pixel.
        """
        self.microscope, self.frame_shape, self.frame_bytes = microscope, frame_shape, frame_bytes
        self.path: Path | None = None
        """The file that it was read from or saved to."""
        self._free: int | None = None
        self._draft: dict[str, Any] = {}
        self._kept: dict[str, Any] = {}
        self._lights: dict[str, dict[str, float]] = {}
        """Power and exposure that each colour had last, in the plan or before it was taken out."""
        self._last_light: dict[str, float] = {}
        self.plan: Plan | None = None
        """What the draft says; None while it has mistakes."""
        self.problems: tuple[str, ...] = ()
        """Mistakes, each beginning with the field's name; empty if there are none."""
        self.outlook: Outlook | None = None
        self.load(plan)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels that can be lit."""
        return lit_channels(self.microscope)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """All that keeps the plan from being started; empty if nothing does."""
        return (*self.problems, *(self.outlook.obstacles if self.outlook else ()))

    @property
    def ready(self) -> bool:
        """Whether the plan can be started."""
        return self.plan is not None and not self.obstacles

    @property
    def modified(self) -> bool:
        """Whether it differs from what was loaded or saved last."""
        return self._draft != self._kept

    @property
    def disk_free_bytes(self) -> int | None:
        """Room on the disk, if it is known."""
        return self._free

    @disk_free_bytes.setter
    def disk_free_bytes(self, free: int | None) -> None:
        # The room changes all the time while a recording runs: no need to judge anew for each kilobyte.
        if self._free is None or free is None or abs(free - self._free) > 50e6:
            self._free = free
            self._judge()

    # Reading and changing the draft ---------------------------------------------------------------------

    def get(self, *path: str | int) -> Any:
        """Return a value of the draft; None where there is none."""
        value: Any = self._draft
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def set(self, path: FieldPath, value: Any) -> None:
        """Change a value of the draft; nothing happens if it is that already."""
        *inner, last = path
        parent: Any = self.get(*inner) if inner else self._draft
        if parent[last] != value:
            parent[last] = value
            self._judge()

    def use_channel(self, name: str, used: bool) -> None:
        """Add a channel to the plan, or take it out; see `light_of` for the light of one that is added."""
        channels = self._draft["channels"]
        known = [channel["name"] for channel in channels]
        if used and name not in known:
            channels.append({"name": name, **self.light_of(name)})
            order = {lit: index for index, lit in enumerate(self.channels)}
            channels.sort(key=lambda channel: order.get(channel["name"], len(order)))
        elif not used and name in known:
            self._remember_lights()
            channels.pop(known.index(name))
        else:
            return
        self._judge()

    def light_of(self, name: str) -> dict[str, float]:
        """Return power and exposure of a channel: as it has them, as it had them last, or those of the first channel.

        Nothing but the user changes a power: one that was taken out and comes back has what it had.
        """
        self._remember_lights()
        return dict(self._lights.get(name, self._last_light))

    @property
    def lights(self) -> dict[str, tuple[float, float]]:
        """Power and exposure of all channels that are in the plan, or were."""
        self._remember_lights()
        return {name: (one["power_percent"], one["exposure_ms"]) for name, one in self._lights.items()}

    def _remember_lights(self) -> None:
        for number, channel in enumerate(self._draft["channels"]):
            light = {field: channel[field] for field in ("power_percent", "exposure_ms")}
            self._lights[channel["name"]] = light
            if number == 0:
                self._last_light = light

    def add_place(self, x_um: float, y_um: float, z_um: float | None = None, name: str = "") -> None:
        """Add a position."""
        places = self._draft["positions"]
        places.append({"x_um": x_um, "y_um": y_um, "z_um": z_um, "name": name or f"place {len(places) + 1}"})
        self._judge()

    def remove_places(self, indices: Sequence[int]) -> None:
        """Take positions out."""
        gone = set(indices)
        self._draft["positions"] = [p for i, p in enumerate(self._draft["positions"]) if i not in gone]
        self._judge()

    def set_region(self, region: tuple[int, int, int, int] | None) -> None:
        """Record a part of the chip, (x, y, width, height) [pixels]; None: all of it."""
        self.set(("roi",), None if region is None else dict(zip(("x", "y", "width", "height"), region, strict=True)))

    # Plans and files ------------------------------------------------------------------------------------

    def load(self, plan: Plan) -> None:
        """Take another plan."""
        if self._draft:
            self._remember_lights()
        self._draft = plan.model_dump(mode="json")
        self._kept = plan.model_dump(mode="json")
        self._judge()

    def open(self, path: Path) -> None:
        """Read a plan from a file.

        Raises:
            ConfigError: no such file, or no plan; the draft stays as it is.
        """
        plan = load_plan(path)
        self.path = path
        self.load(plan)

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the plan to a file.

        Raises:
            ConfigError: the draft has mistakes.
            OutputError: the file exists and may not be replaced, or cannot be written.
        """
        if self.plan is None:
            raise ConfigError("\n".join(["this plan has errors; correct them before saving it:", *self.problems]))
        save_plan(self.plan, path, overwrite=overwrite)
        self.path, self._kept = path, self.plan.model_dump(mode="json")
        self.changed.emit()

    def _judge(self) -> None:
        self.plan, self.outlook = None, None
        self.problems = self._found_problems()
        if self.plan is not None:
            try:
                self.outlook = outlook(
                    self.plan, self.microscope, self.frame_shape, self.frame_bytes, self.disk_free_bytes
                )
            except ConfigError as error:
                self.problems = (str(error),)
        self.changed.emit()

    def _found_problems(self) -> tuple[str, ...]:
        if not self._draft["channels"]:
            return ("channels: choose at least one colour",)
        try:
            plan = Plan.model_validate(self._draft)
        except ValidationError as error:
            return tuple(explain(error, Plan, self._draft))
        try:
            plan.check(self.microscope)
        except ConfigError as error:
            return (str(error),)
        if plan.roi is not None and (problem := self._outside(plan)):
            return (problem,)
        self.plan = plan
        return ()

    def _outside(self, plan: Plan) -> str:
        rows, columns = self.frame_shape
        roi = plan.roi
        if roi is None or (roi.x + roi.width <= columns and roi.y + roi.height <= rows):
            return ""
        return (
            f"roi: x {roi.x} + width {roi.width}, y {roi.y} + height {roi.height} reach beyond the camera's chip of "
            f"{columns} x {rows} pixels; choose a smaller part"
        )


def save_plan(plan: Plan, path: Path, *, overwrite: bool = False) -> None:
    """Write a plan that `load_plan` reads again; what is as by default is left out.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    import yaml

    content = plan.model_dump(mode="json", exclude_defaults=True)
    content = {"name": plan.name, **content}
    if plan.endless:
        content["time"] = {**content.get("time", {}), "points": None}
    text = f"# A plan for rdl-live. {_in_words(plan)}\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    with atomic_write(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _in_words(plan: Plan) -> str:
    parts = ["until it is stopped" if plan.endless else f"{plan.time.points} time point(s)"]
    if plan.time.interval_s:
        parts.append(f"every {plan.time.interval_s:g} s")
    if plan.z.planes > 1:
        parts.append(f"{plan.z.planes} planes")
    if plan.positions:
        parts.append(f"{len(plan.positions)} position(s)")
    return ", ".join(parts).capitalize() + "."
