"""Which device does what: the roles of a microscope, by their labels and properties in Micro-Manager.

A description only: nothing here talks to a device. Powers in percent of full, times in ms, irradiance in W/cm2.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, SerializeAsAny, field_validator, model_validator

from rdl_live.optics._base import Description
from rdl_live.optics.pattern_roles import AnyPatternRole, PatternRole, UntouchedRole
from rdl_live.optics.pattern_roles import SlmRole as SlmRole
from rdl_live.optics.setting import Label
from rdl_live.optics.setting import Setting as Setting
from rdl_live.optics.setting import Value as Value


class CameraRole(Description):
    """The camera."""

    device: Label
    readout_ms: NonNegativeFloat = 0.0
    """Time from the end of an exposure to the start of the next, for the estimate of a plan."""
    frame_index_tag: Label | None = None
    """Tag of a frame's metadata that counts the exposures of a sequence from 0; it shows which frame is missing."""
    start_tag: Label | None = None
    """Tag of a frame's metadata that holds the start of its exposure [s]; by default the host's clock is used."""
    timeout_s: PositiveFloat = 3.0
    """Patience beyond exposure and readout, until the camera is taken for stalled."""


class PowerControl(Description):
    """What sets the power of one colour, usually the AOTF."""

    device: Label
    property: Label
    per_percent: PositiveFloat = 1.0
    """Value of the property for 1 % of full power."""


class ChannelLight(Description):
    """How one colour is lit."""

    channel: Label
    """Name of one of the microscope's channels."""
    power: PowerControl
    settings: tuple[Setting, ...] = ()
    """What must be set besides: the laser on, the AOTF blanked by the camera, a filter wheel."""
    full_irradiance_w_cm2: PositiveFloat | None = None
    """Light on the sample at 100 % [W/cm2], for the dose."""


class WatchdogRole(Description):
    """A property that must be written again and again, or the hardware turns the light off by itself."""

    device: Label
    property: Label
    values: tuple[Value, Value] = (0, 1)
    """Written in turn."""
    every_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Time between two beats [s]; a third of the hardware's own time-out, or less."""


class Travel(Description):
    """How far stage and focus may go; drives have limits of their own besides."""

    x_um: tuple[float, float] | None = None
    y_um: tuple[float, float] | None = None
    z_um: tuple[float, float] | None = None
    """Lowest and highest position [um]; None: as far as the drive goes."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        for axis in ("x_um", "y_um", "z_um"):
            limits = getattr(self, axis)
            if limits is not None and not limits[0] < limits[1]:
                raise ValueError(f"hardware.travel.{axis}: {list(limits)}: give the lower limit first, then the higher")
        return self

    def beyond(self, **places_um: float) -> str:
        """Say which of the places ("x_um", ...) lies outside; "" where none does."""
        for axis, place in places_um.items():
            limits = getattr(self, axis)
            if limits is not None and not limits[0] <= place <= limits[1]:
                name = axis.removesuffix("_um")
                return f"{name} = {place:g} um is outside of hardware.travel, {limits[0]:g} to {limits[1]:g} um"
        return ""


class Hardware(Description):
    """The devices of a microscope, and its safe state."""

    config: Label
    """Micro-Manager configuration (.cfg), relative to the microscope file."""
    camera: CameraRole
    slm: SlmRole | None = None
    """An SLM that takes pictures of the stripes; short for `patterns` of the kind slm."""
    patterns: SerializeAsAny[AnyPatternRole] | None = None
    """What else makes the stripes; not needed where the light is even."""
    aotf: Label | None = None
    lasers: tuple[Label, ...] = ()
    shutter: Label | None = None
    """Shutter in front of all light."""
    stage: Label | None = None
    """XY stage."""
    focus: Label | None = None
    """Z stage."""
    travel: Travel = Travel()
    """Where they may go."""
    watchdog: WatchdogRole | None = None
    """Hardware that goes dark where the program does not beat any more."""
    setup: tuple[Setting, ...] = ()
    """Set once before each run, in the dark."""
    even: tuple[Setting, ...] = ()
    """What puts even light in place of the patterns (a mirror before the SLM, a turning diffuser), for single frames;
    `setup` must put it back."""
    light: Annotated[tuple[ChannelLight, ...], Field(min_length=1)]
    safe_state: Annotated[tuple[Setting, ...], Field(min_length=1)]
    """What makes the microscope dark, in this order; the shutter is closed besides."""

    @field_validator("light")
    @classmethod
    def _once_a_channel(cls, light: tuple[ChannelLight, ...]) -> tuple[ChannelLight, ...]:
        names = [one.channel for one in light]
        if len(set(names)) < len(names):
            raise ValueError(f"a channel stands twice: {', '.join(names)}; remove one")
        return light

    @model_validator(mode="after")
    def _everything_goes_dark(self) -> Self:
        """Every power that a run raises must have its place in the safe state."""
        dark = {setting.place for setting in self.safe_state}
        for one in self.light:
            power = one.power
            if (power.device, power.property) not in dark:
                raise ValueError(
                    f"hardware: the power of channel {one.channel!r}, {power.device} {power.property}, is not in "
                    f"safe_state; add {{device: {power.device}, property: {power.property}, value: 0}}"
                )
        return self

    @model_validator(mode="after")
    def _even_light_is_undone(self) -> Self:
        """A series of patterns after a single frame must not be taken in even light."""
        back = {setting.place: setting.value for setting in self.setup}
        for setting in self.even:
            if back.get(setting.place, setting.value) == setting.value:
                raise ValueError(
                    f"hardware.even: {setting.device} {setting.property} is not set back; add to hardware.setup the "
                    f"value that it has with patterns: {{device: {setting.device}, property: {setting.property}, "
                    "value: ...}"
                )
        return self

    @model_validator(mode="after")
    def _one_pattern_source(self) -> Self:
        if self.slm is not None and self.patterns is not None:
            raise ValueError(
                "hardware: has both of slm and patterns; give slm where pictures are uploaded to one, else "
                "patterns (`patterns: {kind: none}` where nothing is to be set)"
            )
        return self

    @model_validator(mode="after")
    def _patterns_turn_no_light_on(self) -> Self:
        """A pattern that could set a power would light the sample behind the guard's back."""
        settings = (*self.safe_state, *(s for one in self.light for s in one.settings))
        light = {*(s.place for s in settings), *((one.power.device, one.power.property) for one in self.light)}
        if self.watchdog is not None:
            light.add((self.watchdog.device, self.watchdog.property))
        for setting in self.even:
            if setting.place in light:
                raise ValueError(
                    f"hardware.even: {setting.device} {setting.property} belongs to the light (light, safe_state or "
                    "watchdog), which must not change with it; name another property"
                )
        for setting in self.source.settings:
            if setting.place in light:
                raise ValueError(
                    f"hardware.{self.source_field}: {setting.device} {setting.property} belongs to the light (light, "
                    "safe_state or watchdog), which patterns must not change; name another property"
                )
        return self

    @property
    def source(self) -> PatternRole:
        """What makes the stripes; what sets nothing where nothing is named."""
        return self.slm or self.patterns or UntouchedRole(kind="none")

    @property
    def has_source(self) -> bool:
        """Whether anything is named that makes the stripes."""
        return self.slm is not None or self.patterns is not None

    @property
    def source_field(self) -> str:
        """Section of the microscope file that describes it."""
        return "slm" if self.slm is not None else "patterns"

    def problems(self, angles: int, phases: int, channels: Sequence[str]) -> Iterator[str]:
        """Say where the patterns do not fit to the series and channels of the microscope."""
        yield from self.source.problems(f"hardware.{self.source_field}", angles, phases, channels)

    @property
    def labels(self) -> dict[str, str]:
        """Device labels by role, for checks and messages."""
        named = {
            "camera": self.camera.device,
            **{_role(self.source_field, name): label for name, label in self.source.own_labels.items()},
            "aotf": self.aotf,
            "shutter": self.shutter,
            "stage": self.stage,
            "focus": self.focus,
            "watchdog": self.watchdog.device if self.watchdog is not None else None,
            **{f"lasers[{i}]": laser for i, laser in enumerate(self.lasers)},
        }
        return {role: label for role, label in named.items() if label is not None}

    @property
    def all_settings(self) -> tuple[Setting, ...]:
        """All settings that the file names, wherever they stand."""
        beat = self.watchdog
        beats = () if beat is None else (Setting(device=beat.device, property=beat.property, value=beat.values[0]),)
        light = (setting for one in self.light for setting in one.settings)
        return (*beats, *self.setup, *self.even, *light, *self.safe_state, *self.source.settings)

    def off(self, power: PowerControl) -> Setting:
        """Return the setting that turns a power off, as the safe state has it."""
        return next(s for s in self.safe_state if s.place == (power.device, power.property))


def _role(field: str, name: str) -> str:
    """Return what a message calls a device of the patterns."""
    return field if name == "device" else f"{field}.{name}"
