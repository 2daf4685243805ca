"""A series: all raw frames that make one super-resolved image, and why one is refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy.typing as npt

from rdl_live.files.recorder import FrameFlag, SeriesKey

__all__ = ["Frame", "Refusal", "RefusedSeries", "Series", "SeriesKey"]

Frame = npt.NDArray[Any]


@dataclass(frozen=True)
class Series:
    """A whole series. `frames` is a buffer of the assembler: copy what must outlive the next call."""

    key: SeriesKey
    frames: Frame
    """Raw ADU (angle, phase, y, x)."""
    exposed_s: float | None
    """Latest start of an exposure, by the clock of the camera [s]."""
    arrived_s: float
    """When its last frame arrived, by `time.perf_counter` [s]."""
    flags: FrameFlag
    """What its frames were flagged with, together: SATURATED and LATE do not refuse a series."""


class Refusal(StrEnum):
    """Why a series is not reconstructed."""

    INCOMPLETE = "incomplete"
    """The next series began before all its frames had come."""
    OVER_COMPLETE = "over-complete"
    """Two frames say that they are the same one, or one came when the series was whole already."""
    MISSING = "missing frame"
    WRONG_PATTERN = "wrong pattern"
    UNFIT = "unfit frame"
    """A frame of another size or number type, or an index beyond the pattern geometry."""


@dataclass(frozen=True)
class RefusedSeries:
    """A series that is not reconstructed."""

    key: SeriesKey
    refusal: Refusal
    slots: tuple[tuple[int, int], ...] = ()
    """(angle, phase) of the frames at fault."""

    def __str__(self) -> str:
        """Say it in words."""
        where = ", ".join(f"angle {angle} phase {phase}" for angle, phase in self.slots[:3])
        more = ", ..." if len(self.slots) > 3 else ""
        return f"series at {self.key} is not reconstructed: {self.refusal}" + (f" ({where}{more})" if where else "")
