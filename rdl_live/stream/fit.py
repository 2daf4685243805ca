"""Does a series of the live stream fit the patterns in force? As offline, within a small share of the time."""

import math
import time
from collections.abc import Callable

from torch import Tensor

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.in_step import SeriesVerdict

LARGEST_PX = 128
"""A series is judged by its brightest square of so many pixels: 4 ms on one CPU thread, where 256 take 14."""
SHARE = 0.02
"""Share of the time that may go into series of places where all is well."""
BEST = 0.8
"""Places whose stripes have this share of the best contrast serve for the patterns."""

Place = tuple[int, int]
"""Position and plane."""


class SeriesFit:
    """Judges series against one set of patterns. Belongs to the pipeline's thread, once it is made."""

    def __init__(self, patterns: PatternSet, unit: Microscope, channel: Channel, shape: tuple[int, int]) -> None:
        """Prepare.

        Args:
            patterns: in force.
            unit: the microscope, its camera giving photons.
            channel: colour.
            shape: (y, x) of a raw frame.
        """
        self._judge = modality_of(unit).judge(patterns, unit, channel, shape, largest_px=LARGEST_PX)
        self._last: dict[Place, SeriesVerdict] = {}
        self._next_s = -math.inf

    def judge(self, photons: Callable[[], Tensor], place: Place) -> SeriesVerdict | None:
        """Judge a series, or leave it out to save time; None then.

        Every place is judged at first, and as long as it does not fit.

        Args:
            photons: gives the series (angle, phase, y, x).
            place: where it is of.
        """
        start_s = time.perf_counter()
        before = self._last.get(place)
        if before is not None and before.trusted and start_s < self._next_s:
            return None
        verdict = self._last[place] = self._judge.judge(photons())
        spent_s = time.perf_counter() - start_s
        self._next_s = start_s + spent_s / SHARE
        return verdict


class Contrasts:
    """How well each place carries the patterns, as judged last, whatever patterns were in force then."""

    def __init__(self) -> None:
        """Know nothing."""
        self._known: dict[Place, float] = {}

    def add(self, place: Place, verdict: SeriesVerdict) -> None:
        """Take a verdict."""
        if verdict.checked:
            self._known[place] = weakest(verdict)

    def serves(self, place: Place) -> bool:
        """Whether a place carries the patterns about as well as the best one, or nothing is known of it."""
        return place not in self._known or self._known[place] >= BEST * max(self._known.values())


def weakest(verdict: SeriesVerdict) -> float:
    """Return the contrast of the weakest orientation that was judged."""
    return min((value for value in verdict.contrast if value > 0), default=0.0)
