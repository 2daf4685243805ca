"""What a plan will take and whether it can be, in lines for the user, before any light."""

from typing import NamedTuple

from rdl_live.acquire.estimate import Estimate, estimate_plan
from rdl_live.acquire.plan import Limits, Plan
from rdl_live.errors import ConfigError
from rdl_live.files.recorder.drain import Limits as RecorderLimits
from rdl_live.optics.microscope import Microscope
from rdl_live.view.common.words import count, dose, size, span
from rdl_live.view.patterns.verdicts import Verdict

HOUR_S = 3600.0


class Line(NamedTuple):
    """One thing that a plan takes."""

    state: Verdict
    title: str
    text: str


class Outlook(NamedTuple):
    """What a plan will take."""

    lines: tuple[Line, ...]
    obstacles: tuple[str, ...]
    """Why it cannot be started; empty if it can."""
    estimate: Estimate


def outlook(
    plan: Plan,
    microscope: Microscope,
    frame_shape: tuple[int, int],
    frame_bytes: int = 2,
    disk_free_bytes: int | None = None,
) -> Outlook:
    """Look ahead.

    Args:
        plan: a plan that fits the microscope.
        microscope: with its hardware section.
        frame_shape: (y, x) of the camera where the plan has no region.
        frame_bytes: bytes of a pixel.
        disk_free_bytes: room on the disk, if it is known.

    Raises:
        ConfigError: the microscope file lacks what the estimate needs.
    """
    # Without its limits, so that there are numbers to be shown of a plan that exceeds them.
    estimate = estimate_plan(plan.replace(limits=Limits().model_dump()), microscope, frame_shape, frame_bytes)
    height, width = (plan.roi.height, plan.roi.width) if plan.roi else frame_shape
    sr_bytes = estimate.series * 4 * height * width * 4
    obstacles = [*_exceeded(plan, microscope, frame_shape, frame_bytes)]
    disk = _disk(plan, estimate, sr_bytes, disk_free_bytes)
    if disk.state is Verdict.BAD:
        obstacles.append(f"{disk.text}: record less, choose a smaller region, or another disk")
    lines = [_duration(plan, estimate), _frames(plan, estimate), disk, *_doses(plan, estimate)]
    lines += [Line(Verdict.CHECK, "Note", warning) for warning in estimate.warnings]
    return Outlook(tuple(lines), tuple(obstacles), estimate)


def _exceeded(plan: Plan, microscope: Microscope, frame_shape: tuple[int, int], frame_bytes: int) -> tuple[str, ...]:
    try:
        estimate_plan(plan, microscope, frame_shape, frame_bytes)
    except ConfigError as error:
        head, *problems = str(error).split("\n  - ")
        return tuple(problems) or (head,)
    return ()


def _duration(plan: Plan, estimate: Estimate) -> Line:
    if plan.endless:
        return Line(Verdict.GOOD, "Duration", f"until you stop it; {span_of(estimate.duration_s)} each time point")
    limit = plan.limits.duration_s
    text = span_of(estimate.duration_s)
    if limit is None:
        return Line(Verdict.GOOD, "Duration", text)
    fits = estimate.duration_s <= limit
    words = "within" if fits else "above"
    return Line(Verdict.GOOD if fits else Verdict.BAD, "Duration", f"{text}, {words} your limit of {span_of(limit)}")


def _frames(plan: Plan, estimate: Estimate) -> Line:
    text = f"{count(estimate.series)} series, {count(estimate.frames)} raw frames"
    return Line(Verdict.GOOD, "Images", f"{text} each time point" if plan.endless else text)


def _disk(plan: Plan, estimate: Estimate, sr_bytes: int, free: int | None) -> Line:
    needed, reserve = estimate.raw_bytes + sr_bytes, RecorderLimits().reserve_bytes
    text = f"{size(estimate.raw_bytes)} raw and {size(sr_bytes)} super-resolved at most"
    limit = plan.limits.disk_gb
    if limit is not None and estimate.raw_bytes > 1e9 * limit:
        return Line(Verdict.BAD, "Disk", f"{text}, above your limit of {limit:g} GB of raw frames")
    if free is None:
        return Line(Verdict.UNKNOWN, "Disk", f"{text}; whether it fits is checked at the start")
    if needed + reserve > free:
        short = f"{size(free)} are free, of which {size(reserve)} are kept free"
        return Line(Verdict.BAD, "Disk", f"{text}, which does not fit: {short}")
    if plan.endless:
        period_s = max(plan.time.interval_s, estimate.duration_s, 1e-3)
        lasts_s = (free - reserve) / needed * period_s
        state = Verdict.GOOD if lasts_s > HOUR_S else Verdict.CHECK
        text = f"up to {size(needed * HOUR_S / period_s)} an hour; the free space lasts at least {span_of(lasts_s)}"
        return Line(state, "Disk", text)
    return Line(Verdict.GOOD, "Disk", f"{text}; fits, {size(free)} are free")


def _doses(plan: Plan, estimate: Estimate) -> list[Line]:
    limit = plan.limits.dose_j_cm2
    place = " at each position" if len(plan.positions) > 1 else ""
    return [
        Line(state, f"Dose {name}", text)
        for name, value in estimate.dose_j_cm2.items()
        for state, text in [_dose(value, limit, f"{place}{' each time point' if plan.endless else ''}", plan.endless)]
    ]


def _dose(value: float | None, limit: float | None, where: str, endless: bool) -> tuple[Verdict, str]:
    if value is None:
        text = "unknown: the microscope file has no full_irradiance_w_cm2 for this channel"
        return Verdict.CHECK if limit is None else Verdict.BAD, text
    text = f"{dose(value)}{where}"
    if limit is None:
        return Verdict.GOOD, text
    if value > limit:
        return Verdict.BAD, f"{text}, above your limit of {dose(limit)}"
    if endless:
        points = count(int(limit / value))
        return Verdict.CHECK, f"{text}: your limit of {dose(limit)} is reached after {points}; the light goes off then"
    return Verdict.GOOD, f"{text}, below your limit of {dose(limit)}"


def span_of(seconds: float) -> str:
    """Return a time in words, short ones too."""
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.3g} s" if seconds < 60 else span(seconds)
