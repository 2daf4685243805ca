"""How sure a figure is: resampling time points, and tiles within them (Efron and Tibshirani 1993)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
_SEED = 0xB007
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def record(self) -> list[float | None]:
        """Return value, low, high for a report; None for what the data do not tell."""
        return [round(one, 4) if math.isfinite(one) else None for one in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})" if math.isfinite(self.value) else "too small"


def root_error(errors: Values, times: Sequence[int]) -> Interval:
    """Return the root of mean errors (tiles,), whose time points are `times`."""
    means = np.concatenate([[errors.mean()], [errors[pick].mean() for pick in _picks(times)]])
    return _interval(np.sqrt(means.clip(min=0)))


def error_quotient(errors: Values, reference: Values, times: Sequence[int]) -> Interval:
    """Return the root of the quotient of two models' mean errors on the same tiles, resampled together."""
    picks = [np.arange(len(errors)), *_picks(times)]
    found = [(errors[pick].mean().clip(min=0), reference[pick].mean()) for pick in picks]
    return _interval(np.array([np.sqrt(one / other) if other > 0 else np.nan for one, other in found]))


def error_difference(errors: Values, reference: Values, times: Sequence[int]) -> Interval:
    """Return the difference of two models' mean errors on the same tiles, whose noise is largely the same."""
    less = errors - reference
    return _interval(np.array([less.mean(), *(less[pick].mean() for pick in _picks(times))]))


def _picks(times: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """Draw time points with replacement, and of each its tiles with replacement."""
    rng = np.random.default_rng(_SEED)
    known = np.asarray(times)
    groups = [np.flatnonzero(known == time) for time in np.unique(known)]
    drawn = []
    for _ in range(RESAMPLES):
        chosen = [groups[int(index)] for index in rng.integers(len(groups), size=len(groups))]
        drawn.append(np.concatenate([rng.choice(group, len(group)) for group in chosen]))
    return drawn


def _interval(values: Values) -> Interval:
    """The first value is that of the data, the others are resampled."""
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or len(resampled) < RESAMPLES // 2:
        return Interval(float("inf"), 0.0, float("inf"))
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Interval(float(values[0]), float(low), float(high))
