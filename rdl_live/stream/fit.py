"""Does a series of the live stream fit the patterns in force? As offline, within a small share of the time."""

import math
import time
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rdl_live.optics.arrays import median_of_few
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.in_step import Levels, SeriesVerdict

LARGEST_PX = 128
"""A series is judged by its brightest square of so many pixels: 4 ms on one CPU thread, where 256 take 14."""
SHARE = 0.02
"""Share of the time that may go into series of places where all is well."""
ROWS = 4
"""Every so many rows of a frame are enough for its light, and half of its precision."""
_SUSPECT = 0.92
"""Light of a frame relative to the usual, below which its series is judged in any case."""
REMEMBERED, ENOUGH = 8, 3
"""Series of a place whose light is remembered, and from how many on it is known what is usual."""
BEST = 0.8
"""Places whose stripes have this share of the best contrast serve for the patterns."""

Place = tuple[int, int]
"""Position and plane."""


class SeriesFit:
    """Judges series against one set of patterns. Belongs to the pipeline's thread, once it is made."""

    def __init__(
        self,
        patterns: PatternSet,
        unit: Microscope,
        channel: Channel,
        shape: tuple[int, int],
        levels: "UsualLevels | None" = None,
    ) -> None:
        """Prepare.

        Args:
            patterns: in force.
            unit: the microscope, its camera giving photons.
            channel: colour.
            shape: (y, x) of a raw frame.
            levels: what is known of the light of the frames; it outlasts patterns.
        """
        self._levels = levels or UsualLevels()
        self._judge = modality_of(unit).judge(patterns, unit, channel, shape, largest_px=LARGEST_PX)
        self._last: dict[Place, SeriesVerdict] = {}
        self._next_s = -math.inf

    def judge(
        self, photons: Callable[[], Tensor], place: Place, light: npt.NDArray[np.float64] | None = None
    ) -> SeriesVerdict | None:
        """Judge a series, or leave it out to save time; None then.

        Every place is judged at first, as long as it does not fit, and where a frame is dimmer than usual.

        Args:
            photons: gives the series (angle, phase, y, x).
            place: where it is of.
            light: mean of every frame (angle, phase) [photons], over the same pixels in all series; it is looked at in
                every one.
        """
        start_s = time.perf_counter()
        before, usual = self._last.get(place), self._levels.of(place)
        steady = light is None or usual is None or not bool((_share(light, usual) < _SUSPECT).any())
        if before is not None and before.trusted and start_s < self._next_s and steady:
            if light is not None:
                self._levels.add(place, light)
            return None
        verdict = self._last[place] = self._judge.judge(photons(), light, usual)
        if verdict.trusted and light is not None:
            self._levels.add(place, light)
        spent_s = time.perf_counter() - start_s
        self._next_s = start_s + spent_s / SHARE
        return verdict


def _share(light: npt.NDArray[np.float64], usual: Levels) -> npt.NDArray[np.float64]:
    """Return the light of the frames relative to what is usual, 1 for the middle one."""
    relative = light / np.maximum(usual.relative, 1e-9)
    shares: npt.NDArray[np.float64] = relative / max(float(median_of_few(relative.ravel())), 1e-9)
    return shares


class UsualLevels:
    """The light of every frame relative to its series, as recent series of a place had it."""

    def __init__(self) -> None:
        """Know nothing."""
        self._known: dict[Place, deque[npt.NDArray[np.float64]]] = {}

    def add(self, place: Place, levels: npt.NDArray[np.float64]) -> None:
        """Take the means of the frames (angle, phase) of a series that fits."""
        middle = float(median_of_few(levels.ravel()))
        if middle > 0:
            self._known.setdefault(place, deque(maxlen=REMEMBERED)).append(levels / middle)

    def of(self, place: Place) -> Levels | None:
        """Return what is usual at a place, None until enough is known."""
        known = self._known.get(place, ())
        if len(known) < ENOUGH:
            return None
        table = np.array(known)
        usual = median_of_few(np.moveaxis(table, 0, -1))
        # The share that stripes change on a specimen that moves differs from series to series.
        return Levels(usual, float(np.abs(table / np.maximum(usual, 1e-9) - 1).mean()))


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
