"""How sure a figure is: places and time points drawn again with replacement, independently of each other.

The same structures are at a place at all times, and the same light at a time in all places, so neither alone may be
taken for independent: both are drawn (the pigeonhole bootstrap, Owen 2007, 10.1214/07-AOAS122, which errs towards
intervals that are too wide).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
_SEED = 0xB007
_LEVEL = (2.5, 97.5)
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def record(self) -> list[float | None]:
        """Return value, low, high for a report; None for what the data do not show."""
        return [round(one, 4) if math.isfinite(one) else None for one in (self.value, self.low, self.high)]

    def widened(self, below: float, above: float) -> "Interval":
        """Return the interval with independent errors of this size added on either side."""
        low = self.value - math.hypot(self.value - self.low, below)
        return Interval(self.value, low, self.value + math.hypot(self.high - self.value, above))

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})" if math.isfinite(self.value) else "too small"


class Draws:
    """Time points and places, drawn again and again."""

    def __init__(self, times: int, places: int, areas: Values) -> None:
        """Draw.

        Args:
            times: number of time points.
            places: number of places.
            areas: how much each place counts, (places,).
        """
        rng = np.random.default_rng(_SEED)
        counts = [np.ones((1, times)), rng.multinomial(times, np.full(times, 1 / times), RESAMPLES)]
        self._times = np.concatenate(counts).astype(np.float64)
        counts = [np.ones((1, places)), rng.multinomial(places, np.full(places, 1 / places), RESAMPLES)]
        self._places = np.concatenate(counts).astype(np.float64) * areas
        # Drawn n times from n with replacement, the mean varies by (n - 1) / n of what it truly does.
        self._few = math.sqrt(_undrawn(times) * _undrawn(int((areas > 0).sum())))

    def means(self, values: Values) -> Values:
        """Return the means of values (times, places): of the data, then of every draw."""
        total = self._times.sum(1) * self._places.sum(1)
        found: Values = np.einsum("rt,tp,rp->r", self._times, values, self._places) / np.maximum(total, 1e-30)
        found[1:] = found[0] + self._few * (found[1:] - found[0])
        return found


def _undrawn(count: int) -> float:
    """Return by how much too small the variance of drawn means is."""
    return count / (count - 1) if count > 1 else 1.0


def interval(means: Values) -> Interval:
    """Return the interval of `Draws.means`, or of a function of them."""
    drawn = means[1:][np.isfinite(means[1:])]
    if not np.isfinite(means[0]) or len(drawn) < RESAMPLES // 2:
        return Interval(math.inf, 0.0, math.inf)
    low, high = np.percentile(drawn, _LEVEL)
    return Interval(float(means[0]), float(low), float(high))


def root_quotient(part: Values, whole: Values) -> Interval:
    """Return the root of a quotient of means; infinite where one of them cannot be distinguished from 0."""
    if part[0] <= 0:
        return Interval(math.inf, 0.0, math.inf)
    quotient = np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
    return interval(np.sqrt(quotient.clip(min=0)))
