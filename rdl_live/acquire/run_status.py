"""How far a run has come, and how it ended."""

from dataclasses import dataclass

from rdl_live.acquire.progress import Progress


@dataclass(frozen=True)
class RunStatus:
    """How far a run has come."""

    frames: int = 0
    missing: int = 0
    series: int = 0
    """Series gone through, whole or not."""
    bursts: int = 0
    """Hardware sequences."""
    time_point: int = -1
    stepped: bool = False
    """Whether software steps the patterns."""


@dataclass(frozen=True)
class RunReport:
    """How an acquisition ended."""

    status: RunStatus
    wrong_patterns: int
    """Frames in which the data show another pattern than planned."""
    unjudged_series: int
    """Series too dark to check their patterns."""
    processing_error: Exception | None
    stopped: bool
    """Whether it was stopped before the end of its plan."""
    seconds: float
    warnings: tuple[str, ...]
    limit_reached: str | None = None
    """Which limit of the plan turned the light off before the plan's end, in the user's words."""
    dose_j_cm2: float | None = None
    """Light on the field of view that had most, all colours together; None if it is not known."""
    progress: Progress | None = None
    """How far the plan came, whether in time, what is missing and why."""
