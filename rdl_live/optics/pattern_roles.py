"""What makes the stripes: one description for each kind of pattern source, and the table of the kinds.

Descriptions only; the sources themselves are in `rdl_live.acquire.patterns`, or in other packages. They are found by
the name of their module, so that a microscope file is read without Micro-Manager.
"""

import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, WrapValidator, model_validator

from rdl_live._tables import Table
from rdl_live.optics._base import Description
from rdl_live.optics.setting import Label, Setting, Value

SteppedBy = Literal["camera", "software"]
Place = tuple[str, str]


class Stripes(Description):
    """The stripes of one channel, where the program does not draw them itself; without them they are searched for."""

    channel: Label
    period_um: PositiveFloat
    """Distance of the stripes in the sample [um]."""
    angles_deg: Annotated[tuple[float, ...], Field(min_length=1)]
    """Direction of k0, one an orientation [degrees], x to the right, y down. Stripes move against it as phases rise."""
    phases_deg: Annotated[tuple[float, ...], Field(min_length=3)]
    """Phase of every step, at the top-left corner of the camera chip [degrees]."""


class PatternStep(Description):
    """A property that takes another value with each frame, orientation or phase."""

    device: Label
    property: Label
    channel: Label | None = None
    """Channel whose patterns these are; by default those of all channels."""
    frames: tuple[Value, ...] | None = None
    """A value for each frame of a series, in the order of display."""
    orientations: tuple[Value, ...] | None = None
    """A value for each orientation, such as the angle of a half-wave plate."""
    phases: tuple[Value, ...] | None = None
    """A value for each phase step."""

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        given = [name for name in ("frames", "orientations", "phases") if getattr(self, name) is not None]
        if len(given) != 1:
            found = "none" if not given else " and ".join(given)
            raise ValueError(f"a step needs one of frames, orientations and phases, and has {found}")
        return self

    def value(self, slot: int, angle: int, phase: int) -> Value:
        """Return the value for one frame of a series."""
        if self.frames is not None:
            return self.frames[slot]
        return self.orientations[angle] if self.orientations is not None else (self.phases or ())[phase]

    def problems(self, where: str, angles: int, phases: int) -> Iterator[str]:
        """Say what does not fit to series of so many orientations and phases."""
        for name, wanted in (("frames", angles * phases), ("orientations", angles), ("phases", phases)):
            values = getattr(self, name)
            if values is not None and len(values) != wanted:
                yield f"{where}.{name}: lists {len(values)} values, and a series has {wanted} {name}"


class PatternRole(Description):
    """What every kind of pattern source says of itself."""

    kind: str
    steps: tuple[PatternStep, ...] = ()
    """Properties that change with the patterns."""
    stripes: tuple[Stripes, ...] = ()

    @property
    def triggered(self) -> bool:
        """Whether the patterns follow the camera without software."""
        return getattr(self, "stepped_by", "camera") == "camera"

    @property
    def own_labels(self) -> dict[str, str]:
        """Device labels by field."""
        return {"device": label} if (label := getattr(self, "device", None)) is not None else {}

    @property
    def own_settings(self) -> tuple[Setting, ...]:
        """Settings that the kind makes itself, one for each property at least."""
        return ()

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All that a run may set to change the patterns, one for each property at least."""
        steps = ((one, one.value(0, 0, 0)) for one in self.steps)
        return (
            *self.own_settings,
            *(Setting(device=one.device, property=one.property, value=value) for one, value in steps),
        )

    def problems(self, where: str, angles: int, phases: int, channels: Sequence[str]) -> Iterator[str]:
        """Say what does not fit to the rest of a microscope file.

        Args:
            where: the section's name.
            angles: orientations of a series.
            phases: phase steps of a series.
            channels: those of the microscope.
        """
        for number, step in enumerate(self.steps):
            here = f"{where}.steps[{number}]"
            yield from step.problems(here, angles, phases)
            if step.channel is not None and step.channel not in channels:
                yield f"{here}.channel: there is no channel {step.channel!r}; channels lists {', '.join(channels)}"
        for place in dict.fromkeys((one.device, one.property) for one in self.steps):
            yield from self._once_a_channel(where, place, channels)
        for number, one in enumerate(self.stripes):
            here = f"{where}.stripes[{number}]"
            if one.channel not in channels:
                yield f"{here}.channel: there is no channel {one.channel!r}; channels lists {', '.join(channels)}"
            for name, wanted in (("angles_deg", angles), ("phases_deg", phases)):
                if len(getattr(one, name)) != wanted:
                    yield f"{here}.{name}: lists {len(getattr(one, name))} values, and a series has {wanted}"

    def _once_a_channel(self, where: str, place: Place, channels: Sequence[str]) -> Iterator[str]:
        """What only some channels set would keep the value of whichever came before."""
        named = [one.channel for one in self.steps if (one.device, one.property) == place]
        covered = [name for one in named for name in (channels if one is None else (one,))]
        for channel in channels:
            if covered.count(channel) != 1:
                words = "no values" if channel not in covered else "values twice"
                yield f"{where}.steps: {place[0]} {place[1]} has {words} for channel {channel!r}; give them once"


class SlmRole(PatternRole):
    """A spatial light modulator to which pictures of the stripes are uploaded."""

    kind: Literal["slm"] = "slm"
    device: Label
    pixel_um: PositiveFloat
    """SLM pixel, demagnified into the sample [um]."""
    fringes_per_period: Annotated[int, Field(ge=1, le=2)] = 2
    """Stripes in the sample for each period on the SLM: 2 where the orders -1 and +1 interfere, 1 for an image."""
    on_value: Annotated[int, Field(ge=1, le=255)] = 255
    """Value of a bright pixel."""
    rotation_deg: float = 0.0
    """Angle from the SLM's x axis to the camera's [degrees], x right, y down."""
    view: Literal["straight", "mirrored"] = "straight"
    """Whether the camera sees the SLM mirrored (its x axis reversed, before the rotation)."""
    stepped_by: SteppedBy = "camera"
    """Whether each exposure of the camera steps a sequence of patterns, or patterns are set one by one."""
    index_property: Label | None = None
    """Property that gives the place of the displayed pattern in its sequence, if the SLM has one."""

    @property
    def mirrored(self) -> bool:
        """Whether the camera sees the SLM mirrored."""
        return self.view == "mirrored"

    @model_validator(mode="after")
    def _draws_its_stripes(self) -> Self:
        if self.stripes:
            raise ValueError("stripes: an SLM of this kind draws its own; give channels[].pattern instead")
        return self


class StoredOrder(Description):
    """What is stored on a pattern board for one channel."""

    channel: Label
    series: Value | None = None
    """Running order that shows a whole series, stepped by the camera."""
    orientations: tuple[Value, ...] | None = None
    """Running order of each orientation, whose phases the camera steps; software goes from one to the next."""
    frames: tuple[Value, ...] | None = None
    """Running order of each single pattern, in the order of display, for stepping by software."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.series is None and self.orientations is None and self.frames is None:
            raise ValueError("an order needs series or orientations (stepped by the camera), or frames (by software)")
        return self


class StoredRole(PatternRole):
    """A board with patterns of its own, of which a property chooses: a ferroelectric SLM with running orders."""

    kind: Literal["stored"]
    device: Label
    property: Label
    """Property that chooses the running order."""
    orders: Annotated[tuple[StoredOrder, ...], Field(min_length=1)]
    start: tuple[Setting, ...] = ()
    """What starts the chosen order at its first pattern; without it, choosing does."""
    stop: tuple[Setting, ...] = ()
    """What stops it, before another one is chosen."""
    stepped_by: SteppedBy = "camera"
    index_property: Label | None = None
    """Property that gives the place of the displayed pattern in its order, if the board has one."""

    @builtins.property  # a field above has taken the short name
    def own_settings(self) -> tuple[Setting, ...]:
        """Choice, start and stop."""
        first = self.orders[0]
        value = first.series if first.series is not None else (*(first.orientations or ()), *(first.frames or ()))[0]
        return Setting(device=self.device, property=self.property, value=value), *self.start, *self.stop

    def problems(self, where: str, angles: int, phases: int, channels: Sequence[str]) -> Iterator[str]:
        """Say what does not fit to the rest of a microscope file."""
        yield from super().problems(where, angles, phases, channels)
        named = [one.channel for one in self.orders]
        for number, one in enumerate(self.orders):
            here = f"{where}.orders[{number}]"
            if one.channel not in channels:
                yield f"{here}.channel: there is no channel {one.channel!r}; channels lists {', '.join(channels)}"
            elif one.channel in named[:number]:
                yield f"{here}.channel: {one.channel!r} stands twice; remove one"
            if one.frames is not None and len(one.frames) != angles * phases:
                yield f"{here}.frames: lists {len(one.frames)} orders, and a series has {angles * phases} frames"
            if one.orientations is not None and len(one.orientations) != angles:
                yield f"{here}.orientations: lists {len(one.orientations)} orders, a series has {angles} orientations"


class PropertyRole(PatternRole):
    """Properties that make the pattern: voltages of a DAQ, the angle of a rotator, a piezo under a grating."""

    kind: Literal["property"]
    steps: Annotated[tuple[PatternStep, ...], Field(min_length=1)]
    stepped_by: SteppedBy = "software"
    """Whether the camera's exposure-out steps the device through a sequence of values, or values are set one by one."""

    @property
    def own_labels(self) -> dict[str, str]:
        """Device labels by field."""
        return {f"steps[{number}].device": one.device for number, one in enumerate(self.steps)}


class UntouchedRole(PatternRole):
    """Patterns that nobody here changes: a grating that is turned by hand, or electronics that step by themselves."""

    kind: Literal["none"]

    @model_validator(mode="after")
    def _touches_nothing(self) -> Self:
        if self.steps:
            raise ValueError("steps: kind none sets nothing; take kind: property")
        return self


@dataclass(frozen=True)
class PatternKind:
    """A kind of pattern source."""

    name: str
    """As `kind:` of a microscope file has it."""
    role: type[PatternRole]
    """Its section of the microscope file."""
    source: str
    """Class of the source, a `rdl_live.acquire.patterns.PatternSource`: "module:class", loaded when a run begins."""


PATTERN_KINDS = Table(
    "rdl_live.pattern_sources",
    PatternKind,
    (
        PatternKind("slm", SlmRole, "rdl_live.acquire.patterns.slm:SlmSource"),
        PatternKind("stored", StoredRole, "rdl_live.acquire.patterns.stored:StoredSource"),
        PatternKind("property", PropertyRole, "rdl_live.acquire.patterns.properties:PropertySource"),
        PatternKind("none", UntouchedRole, "rdl_live.acquire.patterns.untouched:UntouchedSource"),
    ),
)


def role_of(content: object) -> type[PatternRole] | None:
    """Return the description of the kind that a section names; None where there is no such kind."""
    name = content.get("kind") if isinstance(content, dict) else getattr(content, "kind", None)
    kind = PATTERN_KINDS.find(name) if isinstance(name, str) else None
    return None if kind is None else kind.role


def _of_its_kind(content: Any, _handler: object) -> PatternRole:
    """Validate a section as its kind has it; what is wrong keeps its place in the file."""
    if isinstance(content, dict) and (role := role_of(content)) is not None:
        return role.model_validate(content)
    if isinstance(content, PatternRole):
        return content
    if not isinstance(content, dict):
        raise ValueError("it should be a section of `key: value` lines")
    known = ", ".join(PATTERN_KINDS.names())
    if "kind" not in content:
        raise ValueError(f"kind is missing; add it: one of {known}")
    raise ValueError(f"kind: there is no kind {content['kind']!r} of pattern source; there are {known}")


AnyPatternRole = Annotated[PatternRole, WrapValidator(_of_its_kind)]
