"""Which device does what: the roles of a microscope, by their labels and properties in Micro-Manager.

A description only: nothing here talks to a device. Powers in percent of full, times in ms, irradiance in W/cm2.
"""

import builtins
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from rdl_live.optics._base import Description

Label = Annotated[str, Field(min_length=1, max_length=200)]
Value = int | float | str


class Setting(Description):
    """A property of a device and its value."""

    device: Label
    """Label in the Micro-Manager configuration."""
    property: Label
    value: Value

    @builtins.property  # the field above has taken the short name
    def place(self) -> tuple[str, str]:
        """Device and property."""
        return self.device, self.property

    def __str__(self) -> str:
        """Name it in a message."""
        return f"{self.device}: {self.property} = {self.value}"


class CameraRole(Description):
    """The camera."""

    device: Label
    readout_ms: NonNegativeFloat = 0.0
    """Time from the end of an exposure to the start of the next, for the estimate of a plan."""
    frame_index_tag: Label | None = None
    """Tag of a frame's metadata that counts the exposures of a sequence from 0; it tells which frame is missing."""
    start_tag: Label | None = None
    """Tag of a frame's metadata that holds the start of its exposure [s]; by default the host's clock is used."""
    timeout_s: PositiveFloat = 3.0
    """Patience beyond exposure and readout, until the camera is taken for stalled."""


class SlmRole(Description):
    """The spatial light modulator that makes the stripes."""

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
    stepped_by: Literal["camera", "software"] = "camera"
    """Whether each exposure of the camera steps a sequence of patterns, or patterns are set one by one."""
    index_property: Label | None = None
    """Property that tells the place of the displayed pattern in its sequence, if the SLM has one."""

    @property
    def mirrored(self) -> bool:
        """Whether the camera sees the SLM mirrored."""
        return self.view == "mirrored"

    @property
    def triggered(self) -> bool:
        """Whether the camera steps the patterns."""
        return self.stepped_by == "camera"


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


class Hardware(Description):
    """The devices of a microscope, and its safe state."""

    config: Label
    """Micro-Manager configuration (.cfg), relative to the microscope file."""
    camera: CameraRole
    slm: SlmRole
    aotf: Label | None = None
    lasers: tuple[Label, ...] = ()
    shutter: Label | None = None
    """Shutter in front of all light."""
    stage: Label | None = None
    """XY stage."""
    focus: Label | None = None
    """Z stage."""
    watchdog: WatchdogRole | None = None
    """Hardware that goes dark where the program does not beat any more."""
    setup: tuple[Setting, ...] = ()
    """Set once before each run, in the dark."""
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

    @property
    def labels(self) -> dict[str, str]:
        """Device labels by role, for checks and messages."""
        named = {
            "camera": self.camera.device,
            "slm": self.slm.device,
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
        return (*beats, *self.setup, *(s for one in self.light for s in one.settings), *self.safe_state)

    def off(self, power: PowerControl) -> Setting:
        """Return the setting that turns a power off, as the safe state has it."""
        return next(s for s in self.safe_state if s.place == (power.device, power.property))
