"""What became of each series: the verdicts in order, `series[]` of the report, and what the user reads."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files import SeriesIndex
from rdl_live.optics import PatternSet
from rdl_live.optics.microscope import UnitGeometry
from rdl_live.optics.quality.in_step import Drift, SeriesVerdict, equal_frames

_NAMED = 6
"""Series numbers that a sentence lists at most."""


class Ledger:
    """Verdicts of a recording, entered in order."""

    def __init__(
        self,
        patterns: PatternSet,
        geometry: UnitGeometry,
        index: Callable[[int], SeriesIndex],
        slipped: Collection[int] = (),
    ) -> None:
        """Begin.

        Args:
            patterns: in force.
            geometry: counts, and the order in which the frames were taken.
            index: gives time point, plane, position and channel of a series.
            slipped: series in which frames are missing or too many, which is reported elsewhere; the next may overlap.
        """
        self._index, self._slipped = index, frozenset(slipped)
        self._untrusted = [index for index, pattern in enumerate(patterns, start=1) if not pattern.trusted]
        self._any_trusted = patterns.trusted or len(self._untrusted) < len(patterns)
        places = geometry.slots
        self._first_place, self._last_place = places[0], places[-1]
        self._last: npt.NDArray[np.generic] | None = None
        self._verdicts: list[SeriesVerdict] = []
        self._drift = Drift()

    def add(self, verdict: SeriesVerdict, series: npt.NDArray[np.generic]) -> None:
        """Enter the next series, with its raw frames (angle, phase, y, x)."""
        first = series[self._first_place]
        follows = len(self._verdicts) - 1 not in self._slipped
        if self._last is not None and follows and not verdict.why and equal_frames(self._last, first):
            why = "its first frame holds the same pixels as the last one of the series before: it was stored twice"
            verdict = replace(verdict, why=why, checked=True)
        self._last = series[self._last_place].copy()
        self._drift.add(len(self._verdicts), verdict)
        self._verdicts.append(verdict)

    def records(self) -> list[dict[str, Any]]:
        """Return `series[]` of the report."""
        return [
            {
                "index": self._index(time)._asdict(),
                "trusted": not self._why(time),
                "why": self._why(time),
                "checked": verdict.checked,
                "contrast": list(verdict.contrast),
            }
            for time, verdict in enumerate(self._verdicts)
        ]

    @property
    def any_super_resolved(self) -> bool:
        """Whether any series was super-resolved, at least in one direction."""
        count = len(self._verdicts)
        return self._any_trusted and (not count or any(not self._misfit(time) for time in range(count)))

    def warnings(self) -> list[str]:
        """Return a sentence on the series that do not fit, and one on those that are too dim to tell."""
        count = len(self._verdicts)
        wrong = [time for time in range(count) if self._misfit(time) and time not in self._slipped]
        found = []
        if wrong:
            first = wrong[0]
            more = f"{_listed(wrong)} of {count} are affected and" if len(wrong) > 1 else "It is"
            found.append(
                f"series {first} (counted from 0) does not fit the patterns of the recording: {self._misfit(first)}. "
                f"{more} shown without super-resolution; {self._remedy(first, wrong)}"
            )
        dim = [time for time, verdict in enumerate(self._verdicts) if not verdict.checked]
        if dim and count > 1 and self._any_trusted:
            found.append(
                f"{len(dim)} of {count} series are too dim to check one by one that their frames are in step with the "
                "patterns; together they show no fault"
                if not (wrong or self._slipped)
                else f"{len(dim)} of {count} series are too dim to check one by one"
            )
        return found

    def _why(self, time: int) -> str:
        if misfit := self._misfit(time):
            return misfit
        if not self._untrusted:
            return ""
        names = ", ".join(str(index) for index in self._untrusted)
        return f"no trusted pattern in orientation {names}"

    def _misfit(self, time: int) -> str:
        why = self._verdicts[time].why
        if not why and self._drift.first is not None and time >= self._drift.first:
            return "dim, but together with the series around it out of step with the patterns"
        return why

    def _remedy(self, first: int, wrong: list[int]) -> str:
        why, count = self._misfit(first), len(self._verdicts)
        if "out of step" in self._misfit(wrong[-1]) and wrong[-1] == count - 1:
            return (
                "remove the rest of that series from the file, so that the next one begins with its first frame again, "
                "or cut the recording there; check for frames that the camera dropped"
            )
        if "torn" in why:
            return "check the camera's cable, interface and driver"
        if "brighter" in why:
            return "check the laser, and the exposure of that pattern"
        if "dimmer" in why or "dark" in why:
            return "check the laser, the shutter and the first exposure of a burst"
        if "weaker" in why:
            return "check the focus of these series or planes"
        return "check the trigger and the pattern order of the pattern source, and frames that the camera dropped"


def _listed(times: list[int]) -> str:
    if len(times) > 2 and times[-1] - times[0] == len(times) - 1:
        return f"Series {times[0]} to {times[-1]}"
    if len(times) <= _NAMED:
        return f"Series {', '.join(str(time) for time in times)}"
    return f"Series {', '.join(str(time) for time in times[:_NAMED])} and {len(times) - _NAMED} more"
