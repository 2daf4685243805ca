"""Plans to start from, made for this microscope, this light and this place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rdl_live.acquire.plan import Place, Plan, PlanChannel, TimePlan, ZPlan
from rdl_live.optics.microscope import Microscope

TIME_LAPSE_POINTS = 50
Z_PLANES, Z_STEP_UM = 15, 0.2
COLLECT_POINTS, COLLECT_SIDE, COLLECT_SPACING = 12, 3, 1.25
"""A denoiser learns from different cells, not from the same one again: 3 x 3 fields, a quarter of a field apart."""


@dataclass(frozen=True)
class Now:
    """How the microscope is set at the moment."""

    channel: str
    power_percent: float
    exposure_ms: float
    field_um: tuple[float, float]
    """Height and width of what the camera sees [um]."""
    stage_um: tuple[float, float] | None = None
    """Where the stage is, (x, y) [um], if that is known."""
    lights: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Power and exposure that other channels had last; one that had none gets those of the moment."""


@dataclass(frozen=True)
class Preset:
    """A plan to start from, or why there is none."""

    name: str
    meaning: str
    plan: Plan | None
    why_not: str = ""


def presets(microscope: Microscope, now: Now) -> tuple[Preset, ...]:
    """Return the presets; each uses the light of the moment, for experience is gathered live."""
    return (_time_lapse(now), _two_colours(microscope, now), _stack(microscope, now), _collect(microscope, now))


def lit_channels(microscope: Microscope) -> tuple[str, ...]:
    """Return the names of the channels that can be lit, in the order of the microscope file."""
    lit = {one.channel for one in microscope.hardware.light} if microscope.hardware else set()
    return tuple(channel.name for channel in microscope.channels if channel.name in lit)


def _channels(now: Now, names: Sequence[str]) -> tuple[PlanChannel, ...]:
    moment = (now.power_percent, now.exposure_ms)
    lights = {name: moment if name == now.channel else now.lights.get(name, moment) for name in names}
    return tuple(PlanChannel(name=name, power_percent=light[0], exposure_ms=light[1]) for name, light in lights.items())


def _time_lapse(now: Now) -> Preset:
    plan = Plan(name="time-lapse", channels=_channels(now, [now.channel]), time=TimePlan(points=TIME_LAPSE_POINTS))
    return Preset("Quick time-lapse", f"{TIME_LAPSE_POINTS} images, as fast as the camera can", plan)


def _two_colours(microscope: Microscope, now: Now) -> Preset:
    name, meaning = "Two colours", "20 time points, one every 5 s, in two colours"
    lit = lit_channels(microscope)
    if len(lit) < 2:
        return Preset(name, meaning, None, "this microscope can light one colour only")
    other = next(one for one in lit if one != now.channel)
    both = tuple(one for one in lit if one in (now.channel, other))
    plan = Plan(name="two-colours", channels=_channels(now, both), time=TimePlan(points=20, interval_s=5))
    return Preset(name, meaning, plan)


def _stack(microscope: Microscope, now: Now) -> Preset:
    name, meaning = "Z-stack", f"{Z_PLANES} planes, {Z_STEP_UM:g} µm apart, around the current focus"
    if microscope.hardware is None or microscope.hardware.focus is None:
        return Preset(name, meaning, None, "hardware.focus of the microscope file names no device")
    stack = ZPlan(planes=Z_PLANES, step_um=Z_STEP_UM)
    return Preset(name, meaning, Plan(name="z-stack", channels=_channels(now, [now.channel]), z=stack))


def _collect(microscope: Microscope, now: Now) -> Preset:
    name = "Collect for retraining"
    has_stage = microscope.hardware is not None and microscope.hardware.stage is not None
    channels, time = _channels(now, [now.channel]), TimePlan(points=COLLECT_POINTS)
    if not has_stage or now.stage_um is None:
        meaning = f"{5 * COLLECT_POINTS} images at the light of your experiment; repeat it at other places"
        return Preset(name, meaning, Plan(name="collect", channels=channels, time=TimePlan(points=5 * COLLECT_POINTS)))
    meaning = f"{COLLECT_SIDE} x {COLLECT_SIDE} fields of view around here, {COLLECT_POINTS} images each, "
    meaning += "at the light of your experiment"
    places = tuple(
        Place(x_um=round(now.stage_um[0] + column, 2), y_um=round(now.stage_um[1] + row, 2), name=f"field {number}")
        for number, (row, column) in enumerate(_raster(now.field_um), start=1)
    )
    return Preset(name, meaning, Plan(name="collect", channels=channels, time=time, positions=places))


def _raster(field_um: tuple[float, float]) -> list[tuple[float, float]]:
    """Return offsets (y, x) of neighbouring fields, back and forth, so that the stage goes the short way."""
    half = COLLECT_SIDE // 2
    steps = list(range(-half, COLLECT_SIDE - half))
    return [
        (row * COLLECT_SPACING * field_um[0], column * COLLECT_SPACING * field_um[1])
        for number, row in enumerate(steps)
        for column in (steps if number % 2 == 0 else steps[::-1])
    ]
