"""What a plan will take: time, disk and light, before the start."""

from dataclasses import dataclass

from rdl_live.acquire.core import hardware_of
from rdl_live.acquire.dose import point_dose
from rdl_live.acquire.plan import SINGLE_FRAME, Plan
from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Microscope

STEPPED_MS = 30.0
"""What software needs to step the patterns, for each frame."""
STEP_S = 0.05
"""What a change of channel, plane or position takes, roughly."""


@dataclass(frozen=True)
class Estimate:
    """What a plan will take. An endless plan is estimated for one time point."""

    endless: bool
    series: int
    frames: int
    duration_s: float
    raw_bytes: int
    """Size of the frames in memory; compressed on disk they are smaller."""
    dose_j_cm2: dict[str, float | None]
    """Dose of each channel on the field of view that gets most [J/cm2]; None where the microscope file has no
    irradiance."""
    warnings: tuple[str, ...]
    total_dose_j_cm2: float | None = None
    """Likewise of all channels together."""
    point_s: float = 0.0
    """What one time point takes [s]."""
    rest_s: float = 0.0
    """From one time point to the next [s]."""

    def __str__(self) -> str:
        """Tell it in a line."""
        doses = [
            f"dose {name} {'unknown' if dose is None else f'{dose:.3g} J/cm2'}"
            for name, dose in self.dose_j_cm2.items()
        ]
        length = "a time point (until stopped)" if self.endless else "in all"
        parts = [f"{self.series} series", f"{self.frames} raw frames", span(self.duration_s), _size(self.raw_bytes)]
        return f"{', '.join([*parts, *doses])} {length}"


def frames_per_point(plan: Plan, microscope: Microscope) -> float:
    """Return the raw frames of one place at a time point: with single frames, in the mean, series now and then too."""
    frames = microscope.pattern.frames
    if plan.modality != SINGLE_FRAME or frames == 1:
        return frames
    return 1 + frames / plan.check_every


def estimate_plan(plan: Plan, microscope: Microscope, frame_shape: tuple[int, int], frame_bytes: int = 2) -> Estimate:
    """Estimate a plan.

    Args:
        plan: the plan.
        microscope: gives readout time, irradiance, series length.
        frame_shape: (y, x) of the camera where the plan has no region.
        frame_bytes: bytes of one pixel.

    Raises:
        ConfigError: a limit of the plan is exceeded, with both numbers.
    """
    hardware, geometry = hardware_of(microscope), microscope.pattern
    points = plan.time.points or 1
    stepped = plan.sequence == "software" or not hardware.source.triggered
    extra_ms = hardware.camera.readout_ms + (STEPPED_MS if stepped else 0.0)
    fields = max(len(plan.positions), 1) * plan.z.planes
    taken = frames_per_point(plan, microscope)
    one_s = fields * sum(taken * 1e-3 * (c.exposure_ms + extra_ms) for c in plan.channels)
    changes = plan.series_per_time_point if plan.series_per_time_point > 1 else 0
    one_s += STEP_S * changes
    rest_s = max(plan.time.interval_s, one_s)
    height, width = (plan.roi.height, plan.roi.width) if plan.roi else frame_shape
    pixel = microscope.optics.pixel_size_um
    point = point_dose(plan, microscope, (height * pixel, width * pixel))
    series = points * plan.series_per_time_point
    frames = round(series * taken)
    part = taken / geometry.frames
    warnings = []
    if 0 < plan.time.interval_s < one_s:
        warnings.append(
            f"one time point takes about {one_s:.3g} s, longer than time.interval_s {plan.time.interval_s:g}; time "
            "points will come later than planned"
        )
    estimate = Estimate(
        endless=plan.endless,
        series=series,
        frames=frames,
        duration_s=(points - 1) * rest_s + one_s,
        raw_bytes=frames * height * width * frame_bytes,
        dose_j_cm2={name: None if dose is None else points * part * dose for name, dose in point.colours.items()},
        warnings=tuple(warnings),
        total_dose_j_cm2=None if point.together is None else points * part * point.together,
        point_s=one_s,
        rest_s=rest_s,
    )
    _check_limits(plan, estimate)
    return estimate


def _check_limits(plan: Plan, estimate: Estimate) -> None:
    limits = plan.limits
    problems = []
    for name, dose in estimate.dose_j_cm2.items():
        if limits.dose_j_cm2 is None:
            continue
        if dose is None:
            problems.append(
                f"limits.dose_j_cm2 cannot be kept: hardware.light of channel {name!r} has no full_irradiance_w_cm2"
            )
        elif dose > limits.dose_j_cm2:
            problems.append(
                f"channel {name!r} would get {dose:.3g} J/cm2, above limits.dose_j_cm2 {limits.dose_j_cm2:g}; lower "
                "power_percent, exposure_ms or time.points"
            )
    if limits.total_dose_j_cm2 is not None:
        problems += _total_dose(estimate.total_dose_j_cm2, limits.total_dose_j_cm2)
    if limits.duration_s is not None and estimate.duration_s > limits.duration_s:
        problems.append(
            f"it would take {span(estimate.duration_s)}, above limits.duration_s {limits.duration_s:g} s; plan less"
        )
    if limits.disk_gb is not None and estimate.raw_bytes > 1e9 * limits.disk_gb:
        problems.append(
            f"it would take {_size(estimate.raw_bytes)}, above limits.disk_gb {limits.disk_gb:g}; plan less"
        )
    if problems:
        raise ConfigError("\n  - ".join(["the plan exceeds its limits:", *problems]))


def _total_dose(dose: float | None, limit: float) -> list[str]:
    if dose is None:
        return [
            "limits.total_dose_j_cm2 cannot be kept: hardware.light of the microscope file has channels without "
            "full_irradiance_w_cm2"
        ]
    if dose <= limit:
        return []
    return [
        f"all channels together would give {dose:.3g} J/cm2, above limits.total_dose_j_cm2 {limit:g}; lower "
        "power_percent, exposure_ms or time.points"
    ]


def span(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
