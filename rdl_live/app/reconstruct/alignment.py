"""Where the series of a recording begin, if frames are missing or too many: found again in the stripes.

A camera that drops a frame, or stores one twice, puts all that follows out of step, though nothing is wrong with it.
The series in which it happened is named and not put together from what is left; the next one begins where the frames
hold all patterns in their order again, which must be certain. Where the stripes do not say it, nothing is moved.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.files import RawRecording
from rdl_live.optics.microscope import UnitGeometry
from rdl_live.optics.quality.in_step import SeriesVerdict

Raw = npt.NDArray[np.generic]
ReadAt = Callable[[int], Raw]
"""Gives the raw series (angle, phase, y, x) that begins with this frame, counted in the order of the recording."""


@dataclass(frozen=True)
class Slip:
    """Frames that are missing or too many."""

    series: int
    """In which it happened, counted as the series are from now on."""
    frames: int
    """How many are missing; negative: so many are too many. A whole series more or less does not show."""


@dataclass(frozen=True)
class Alignment:
    """Where series begin, as frames counted from the first."""

    starts: tuple[int, ...]
    slips: tuple[Slip, ...]

    def warnings(self) -> list[str]:
        """Return a sentence on what was missing and what was put right."""
        if not self.slips:
            return []
        told = [f"{_counted(slip.frames)} in series {slip.series}" for slip in self.slips[:4]]
        more = f" and {len(self.slips) - 4} more" if len(self.slips) > 4 else ""
        series = "These series are" if len(self.slips) > 1 else "It is"
        return [
            f"frames do not follow each other as they should: {', '.join(told)}{more} (counted from 0). {series} shown "
            "without super-resolution; those after were realigned by their stripes. Check for frames that the "
            "camera dropped, and that SLM and camera are in step"
        ]


def _counted(missing: int) -> str:
    count = abs(missing)
    return f"{count} {'is' if count == 1 else 'are'} {'missing' if missing > 0 else 'too many'}"


def align_recording(
    recording: RawRecording, geometry: UnitGeometry, judge: Callable[[Raw], SeriesVerdict]
) -> Alignment | None:
    """Align the series of a recording anew; None where they do not follow each other, or as they are they fit best.

    Args:
        recording: series begin elsewhere from then on.
        geometry: counts and order of its frames.
        judge: whether a raw series (angle, phase, y, x) fits the patterns.
    """
    places = geometry.slots
    numbers = recording.in_turn(places)
    if numbers is None:
        return None
    found = align(lambda start: recording.read_from(start, places), len(numbers), len(places), judge)
    if not found.slips:
        return None
    recording.begin_series_at(found.starts, places)
    return found


def align(read: ReadAt, frames: int, each: int, judge: Callable[[Raw], SeriesVerdict]) -> Alignment:
    """Find the beginnings of all series.

    Args:
        read: gives the series that begins with a frame.
        frames: of the recording.
        each: of a series.
        judge: whether a series fits the patterns.
    """
    starts: list[int] = []
    slips: list[Slip] = []
    trusted = True
    at = 0
    while at + each <= frames:
        verdict = judge(read(at))
        after = at + each
        if verdict.shift:
            early, broken = verdict.shift, not trusted
            missing = early if early <= each // 2 else early - each
            if broken and verdict.all_moved:
                # What is missing lies in the series before.
                begin = at - missing
                if starts[-1] < begin and _fits(read, begin, each, frames, judge):
                    slips.append(Slip(len(starts) - 1, missing))
                    at = begin
                    continue
            elif _fits(read, after - missing, each, frames, judge):
                slips.append(Slip(len(starts), missing))
                after -= missing
        starts.append(at)
        trusted = verdict.trusted
        at = after
    return Alignment(tuple(starts), tuple(slips))


def _fits(read: ReadAt, begin: int, each: int, frames: int, judge: Callable[[Raw], SeriesVerdict]) -> bool:
    """Whether the frames from one on certainly are a series; the rest of a recording that is too short may be one."""
    if begin + each > frames:
        return True
    verdict = judge(read(begin))
    return verdict.trusted and verdict.checked
