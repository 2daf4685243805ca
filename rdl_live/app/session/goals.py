"""What a session is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rdl_live.view.live.session import Settings

if TYPE_CHECKING:
    from rdl_live.acquire.plan import Plan


class Kind(StrEnum):
    """What to do."""

    LIVE = "live"
    SNAP = "snap"
    RECORD = "record"


@dataclass(frozen=True)
class Goal:
    """One thing to do."""

    kind: Kind
    folder: Path | None = None
    """Where a recording goes."""
    plan: "Plan | None" = None
    """What a recording does; None: as live view, until it is stopped."""


@dataclass(frozen=True)
class Requests:
    """How everything is to be set; a run compares them with what it was started with."""

    settings: Settings = field(default_factory=Settings)
    knobs: Mapping[str, object] = field(default_factory=dict)
    """Fields of `DemoKnobs` that were turned."""
    folder: Path = Path()
    """Where recordings go: whose disk is watched."""
    lights: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Power and exposure that each channel had when another was chosen."""

    def changed(self, **settings: object) -> Self:
        """Return the same with some fields of `Settings` changed.

        A channel that is chosen again gets the power and exposure that it had: another one's are not its own.
        """
        known = {one.name for one in fields(Settings)}
        if unknown := set(settings) - known:
            raise TypeError(f"Settings has no field {', '.join(sorted(unknown))}")
        old, lights = self.settings, self.lights
        if settings.get("channel", old.channel) != old.channel:
            lights = {**lights, old.channel: (old.power_percent, old.exposure_ms)}
            power, exposure = lights.get(str(settings["channel"]), (old.power_percent, old.exposure_ms))
            settings = {"power_percent": power, "exposure_ms": exposure, **settings}
        return replace(self, settings=replace(old, **settings), lights=lights)  # type: ignore[arg-type]
