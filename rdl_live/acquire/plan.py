"""The plan of an acquisition: what is imaged, how often, with how much light. From YAML or Python."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError, field_validator

from rdl_live.acquire.core import hardware_of
from rdl_live.errors import ConfigError
from rdl_live.files.explain import explain, truth_values
from rdl_live.files.recorder.layout import MAX_IMAGES
from rdl_live.files.recorder.tags import SeriesKey
from rdl_live.files.strict_yaml import read_mapping
from rdl_live.optics._base import Description
from rdl_live.optics.hardware import ChannelLight
from rdl_live.optics.microscope import Microscope, Name

Pixel = Annotated[int, Field(ge=0, le=65536)]
Order = Literal["pzc", "pcz", "zpc", "zcp", "cpz", "czp"]


class PlanChannel(Description):
    """One colour of the plan."""

    name: Name
    """A channel of the microscope file."""
    power_percent: Annotated[float, Field(gt=0, le=100)]
    """Light in percent of full."""
    exposure_ms: Annotated[float, Field(gt=0, le=60_000)]
    """Exposure of each raw frame [ms]."""


class TimePlan(Description):
    """When."""

    points: PositiveInt | None = 1
    """Time points; null: until it is stopped (live)."""
    interval_s: NonNegativeFloat = 0.0
    """From one time point to the next [s]; 0: as fast as the camera can."""


class ZPlan(Description):
    """A stack around the current focus."""

    planes: PositiveInt = 1
    step_um: PositiveFloat = 0.25

    @property
    def offsets_um(self) -> tuple[float, ...]:
        """Planes relative to the middle, from below [um]."""
        return tuple((i - (self.planes - 1) / 2) * self.step_um for i in range(self.planes))


class Place(Description):
    """A position of the stage."""

    x_um: float
    y_um: float
    z_um: float | None = None
    """Focus there [um]; by default that of the start."""
    name: str = ""


class Region(Description):
    """A part of the camera chip [pixels]."""

    x: Pixel
    y: Pixel
    width: Annotated[int, Field(ge=16, le=65536)]
    height: Annotated[int, Field(ge=16, le=65536)]


class Limits(Description):
    """What a run must not exceed; checked before any light. The dose is counted during the run, too: the light goes
    off before it is exceeded, and what was taken until then is kept.
    """

    dose_j_cm2: PositiveFloat | None = None
    """Dose of one colour on one field of view [J/cm2]."""
    total_dose_j_cm2: PositiveFloat | None = None
    """Dose of all colours together on one field of view [J/cm2]."""
    duration_s: PositiveFloat | None = None
    disk_gb: PositiveFloat | None = None


SINGLE_FRAME = "single-frame"
"""`modality` of a plan: one frame in even light an image, with a series of patterns now and then as a check."""


class Plan(Description):
    """What an acquisition does: time x position x z x channel, a whole series of patterns at each."""

    name: Name = "acquisition"
    modality: Name | None = None
    """What is taken at each place and time: by default a series as the microscope file describes it; or single-frame:
    one frame in even light, which a network super-resolves."""
    check_every: PositiveInt = 20
    """With single-frame: time points between two series of patterns, which are compared with what the network makes."""
    channels: Annotated[tuple[PlanChannel, ...], Field(min_length=1)]
    time: TimePlan = TimePlan()
    z: ZPlan = ZPlan()
    positions: tuple[Place, ...] = ()
    """Where; by default where the stage is."""
    order: Order = "pzc"
    """How positions, planes and channels are gone through within a time point, slowest first."""
    roi: Region | None = None
    """Part of the camera chip; by default as the camera is set."""
    sequence: Literal["auto", "hardware", "software"] = "auto"
    """Whether the patterns are stepped by the camera (hardware), by software, or as the microscope allows."""
    on_error: Literal["stop", "skip"] = "stop"
    """What to do where a series fails: end the run, or go on without it (in the dark meanwhile; it is named)."""
    limits: Limits = Limits()

    @field_validator("channels")
    @classmethod
    def _different(cls, channels: tuple[PlanChannel, ...]) -> tuple[PlanChannel, ...]:
        names = [channel.name for channel in channels]
        if len(set(names)) < len(names):
            raise ValueError(f"a channel stands twice: {', '.join(names)}; remove one")
        return channels

    @property
    def endless(self) -> bool:
        """Whether it goes on until it is stopped."""
        return self.time.points is None

    @property
    def series_per_time_point(self) -> int:
        """Series of one time point."""
        return max(len(self.positions), 1) * self.z.planes * len(self.channels)

    def series(self, time: int) -> Iterator[SeriesKey]:
        """Go through the series of one time point in the plan's order."""
        sizes = {"p": max(len(self.positions), 1), "z": self.z.planes, "c": len(self.channels)}
        first, second, third = self.order
        for i in range(sizes[first]):
            for j in range(sizes[second]):
                for k in range(sizes[third]):
                    at = {first: i, second: j, third: k}
                    yield SeriesKey(time, at["p"], at["z"], at["c"])

    def check(self, microscope: Microscope) -> None:
        """Raise ConfigError unless the microscope has what the plan needs, and a recording can hold it."""
        hardware = hardware_of(microscope)
        self._check_modality(microscope)
        if self.series_per_time_point > MAX_IMAGES:
            places = max(len(self.positions), 1)
            raise ConfigError(
                f"the plan has {places} position(s) x {self.z.planes} plane(s) x {len(self.channels)} colour(s) = "
                f"{self.series_per_time_point}, and a recording holds at most {MAX_IMAGES}: check z.planes, or record "
                "in several plans"
            )
        for channel in self.channels:
            microscope.channel(channel.name)
            light_of(microscope, channel.name)
        if self.positions and hardware.stage is None:
            raise ConfigError("the plan has positions, but hardware.stage of the microscope file names no device")
        if hardware.focus is None and (self.z.planes > 1 or any(p.z_um is not None for p in self.positions)):
            raise ConfigError("the plan moves the focus, but hardware.focus of the microscope file names no device")
        if self.sequence == "hardware" and not hardware.source.triggered:
            what = "SLM" if hardware.slm is not None else "patterns"
            raise ConfigError(
                f"sequence: 'hardware' is wrong: hardware.{hardware.source_field}.stepped_by of the microscope file "
                f"says that the camera does not step the {what}; use 'auto' or 'software', or correct the "
                "microscope file"
            )

    def _check_modality(self, microscope: Microscope) -> None:
        if self.modality in (None, microscope.modality):
            return
        if self.modality != SINGLE_FRAME:
            raise ConfigError(
                f"modality: {self.modality!r} is not what {microscope.name!r} records, which is {microscope.modality}; "
                f"leave it out, or choose {SINGLE_FRAME}"
            )
        if not hardware_of(microscope).even and microscope.pattern.frames > 1:
            raise ConfigError(
                f"modality: {SINGLE_FRAME} needs even light, and hardware.even of the microscope file does not say "
                "what makes it: name there the properties that put a mirror or a diffuser in the way of the patterns"
            )

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields changed, validated like a new one."""
        return self.model_validate({**self.model_dump(), **changes})


def light_of(microscope: Microscope, channel: str) -> ChannelLight:
    """Return how a channel is lit.

    Raises:
        ConfigError: the microscope file does not say.
    """
    light = hardware_of(microscope).light
    for one in light:
        if one.channel == channel:
            return one
    known = ", ".join(repr(one.channel) for one in light)
    raise ConfigError(f"hardware.light of the microscope file has no channel {channel!r}; it has {known}; add it")


def load_plan(path: str | Path) -> Plan:
    """Read a plan from a YAML file.

    Raises:
        ConfigError: no such file, no YAML, or wrong content; lists every problem with its remedy.
    """
    path = Path(path)
    content = read_mapping(path, "plan")
    problems = list(truth_values(content))
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        problems += explain(error, Plan, content)
    if problems and "optics" in content:
        raise ConfigError(f"{path}: is a microscope file, not a plan; give the plan first, and this with --microscope")
    if len(problems) == 1:
        raise ConfigError(f"{path}: {problems[0]}")
    if problems:
        raise ConfigError("\n  - ".join([f"{path}: {len(problems)} problems:", *problems]))
    return plan
