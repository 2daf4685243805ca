"""How far a plan came, whether in time, what is missing and why."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from rdl_live.acquire.estimate import Estimate
from rdl_live.files.recorder.tags import SeriesKey

LATE_S, LATE_SHARE = 1.0, 0.05
"""A plan is late where it is behind by more than a second and by more than this share of the time that it took."""
LISTED = 1000
"""Skipped series that a report lists; more are counted."""


class Skipped(NamedTuple):
    """A series that failed, and that the plan went on without (`on_error: skip`)."""

    series: SeriesKey
    place: str
    """Name of the position; "" where the plan has none."""
    channel: str
    why: str

    @property
    def where(self) -> str:
        """Name it in a message."""
        place = f"position {self.place!r}, " if self.place else ""
        plane = f", plane {self.series.z}" if self.series.z else ""
        return f"time point {self.series.time}, {place}{self.channel}{plane}"


@dataclass(frozen=True)
class Progress:
    """How far a plan has come. Times in seconds, from its first exposure on, the settings for it included."""

    series: int
    """Series taken; those that were skipped are not counted."""
    planned: int | None
    """Series of the whole plan; None: until it is stopped."""
    seconds: float
    planned_s: float | None
    late_s: float
    """How much later than planned it is, or ended; 0 where it is in time."""
    remaining_s: float | None
    """At the pace so far; None where nobody knows, 0 at the end."""
    skipped: tuple[Skipped, ...] = ()
    why: str = ""
    """What ended it before its end; "" where nothing did."""

    @property
    def missing(self) -> int:
        """Series of the plan that were not taken (yet)."""
        return 0 if self.planned is None else max(self.planned - self.series, 0)

    @property
    def is_late(self) -> bool:
        """Whether it is worth telling."""
        return self.late_s > max(LATE_S, LATE_SHARE * self.seconds)

    @property
    def done(self) -> str:
        """How far it came: "7 of 72 series, 20 s late (planned: 108 s)"."""
        text = f"{self.series} series" if self.planned is None else f"{self.series} of {self.planned} series"
        if self.is_late and self.planned_s is not None:
            text += f", {self.late_s:.0f} s late (planned: {self.planned_s:.0f} s)"
        return text

    @property
    def lack(self) -> str:
        """What is missing at the end and why; "" where nothing is."""
        reasons = [self.why] if self.why else []
        if self.skipped:
            reasons.append(f"{len(self.skipped)} skipped, the first: {self.skipped[0].where}: {self.skipped[0].why}")
        if not self.missing:
            return "; ".join(reasons)
        return f"{self.missing} missing: {'; '.join(reasons)}" if reasons else f"{self.missing} missing"

    def __str__(self) -> str:
        """Tell it at the end, in a line."""
        return "; ".join(part for part in (self.done, self.lack) if part)

    def as_record(self) -> dict[str, Any]:
        """Return it for a report and a recording's metadata."""
        return {
            "series": self.series,
            "planned_series": self.planned,
            "missing_series": self.missing,
            "seconds": round(self.seconds, 3),
            "planned_s": None if self.planned_s is None else round(self.planned_s, 3),
            "late_s": round(self.late_s, 3),
            "why": self.why,
            "skipped_series": len(self.skipped),
            "skipped": [
                {**one.series._asdict(), "place": one.place, "channel_name": one.channel, "why": one.why}
                for one in self.skipped[:LISTED]
            ],
        }


@dataclass(frozen=True)
class Pace:
    """What the engine has gone through, and how long it took."""

    gone: int = 0
    """Series taken or skipped."""
    seconds: float = 0.0
    """Since the first exposure was made ready; it stands still when the run has ended."""
    busy_s: float = 0.0
    """Of these, not spent waiting for the next time point."""


def progress_of(
    estimate: Estimate,
    series_per_time_point: int,
    pace: Pace,
    skipped: tuple[Skipped, ...],
    *,
    ended: bool,
    why: str = "",
) -> Progress:
    """Compare what was gone through with what was planned.

    Series n of a time point is due when those before it, and it, have taken the time that was estimated for them; a
    time point when its interval has passed, or, where one takes longer than that, when the one before is due.
    """
    taken = pace.gone - len(skipped)
    if estimate.endless:
        return Progress(taken, None, pace.seconds, None, 0.0, None, skipped, why)
    points = max(estimate.series // series_per_time_point, 1)
    one_s, rest_s = estimate.point_s, estimate.rest_s
    number = min(pace.gone, estimate.series - 1)
    point, within = divmod(number, series_per_time_point)
    due_s = point * rest_s + one_s * (within + 1) / series_per_time_point
    whole = pace.gone >= estimate.series
    late_s = max(pace.seconds - (estimate.duration_s if whole else due_s), 0.0)
    remaining_s: float | None = 0.0
    if not ended and not whole:
        series_s = pace.busy_s / pace.gone if pace.gone else one_s / series_per_time_point
        at_pace_s = (estimate.series - pace.gone) * max(series_s, one_s / series_per_time_point)
        remaining_s = max(at_pace_s, (points - 1) * rest_s + one_s - pace.seconds)
    return Progress(taken, estimate.series, pace.seconds, estimate.duration_s, late_s, remaining_s, skipped, why)
