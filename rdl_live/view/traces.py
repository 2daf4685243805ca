"""What the last minutes were like: numbers over time, in buffers of fixed size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

KEPT = 4096
"""Points of a trace; at five a second, a quarter of an hour."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TraceKind:
    """What one trace tells."""

    name: str
    """Field of the readings."""
    title: str
    unit: str
    meaning: str
    """For a tooltip, in plain words."""
    from_zero: bool = True
    """Whether its axis begins at 0: half the light then looks like half."""


KINDS = (
    TraceKind("photons", "Mean signal", "photons/px", "Mean photons in each pixel of a raw frame"),
    TraceKind("brightness", "Bleaching", "of start", "Signal for the same light, relative to that at the start"),
    TraceKind("mcnr", "MCNR", "", "Contrast of the stripes over the noise: above 8 is good, below 4 is poor"),
    TraceKind("modulation", "Modulation", "", "Depth of the stripes in the weakest orientation: 1 at best"),
    TraceKind("image_fps", "Images", "1/s", "Super-resolved images a second"),
    TraceKind("latency_ms", "Latency", "ms", "From the last raw frame of a series to its image"),
)


class Ring:
    """The last points of one trace: times [s] and values; what is not known is a gap."""

    def __init__(self, size: int = KEPT) -> None:
        self._at_s, self._values = np.zeros(size), np.zeros(size)
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, len(self._values))

    def add(self, at_s: float, value: float | None) -> None:
        """Take a point; times must not go back."""
        slot = self._count % len(self._values)
        self._at_s[slot] = at_s
        self._values[slot] = math.nan if value is None else value
        self._count += 1

    def clear(self) -> None:
        """Forget all."""
        self._count = 0

    def since(self, from_s: float) -> tuple[Values, Values]:
        """Return times and values from then on, oldest first."""
        slot, size = self._count % len(self._values), len(self._values)
        if self._count <= size:
            at_s, values = self._at_s[: self._count], self._values[: self._count]
        else:
            at_s, values = np.roll(self._at_s, -slot), np.roll(self._values, -slot)
        first = int(np.searchsorted(at_s, from_s))
        return at_s[first:].copy(), values[first:].copy()

    @property
    def last(self) -> float | None:
        """The newest value; None where it is not known."""
        if self._count == 0:
            return None
        value = float(self._values[(self._count - 1) % len(self._values)])
        return None if math.isnan(value) else value


class Traces:
    """All traces of a session."""

    def __init__(self, kinds: tuple[TraceKind, ...] = KINDS, size: int = KEPT) -> None:
        self.kinds = kinds
        self.rings = {kind.name: Ring(size) for kind in kinds}
        self.now_s = 0.0
        """Time of the newest point."""

    def add(self, at_s: float, readings: Mapping[str, float | None]) -> None:
        """Take one reading of everything; what is missing or not finite is a gap.

        Args:
            at_s: when, by any clock that only goes forward [s]. What is older than the newest point is left out.
            readings: by the names of the kinds.
        """
        if at_s < self.now_s:
            return
        self.now_s = at_s
        for name, ring in self.rings.items():
            value = readings.get(name)
            ring.add(at_s, value if value is not None and math.isfinite(value) else None)

    def clear(self) -> None:
        """Forget all: another sample."""
        for ring in self.rings.values():
            ring.clear()


def thinned(at_s: Values, values: Values, columns: int) -> tuple[Values, Values]:
    """Return no more than two points for each column of the screen: the smallest and the largest value there.

    Gaps (NaN) stay gaps. A trace of 4000 points is drawn as quickly as one of 400.
    """
    if len(values) <= 2 * columns or columns < 1:
        return at_s, values
    edges = np.linspace(0, len(values), columns + 1).astype(int)[:-1]
    low, high = np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges)
    return np.repeat(at_s[edges], 2), np.column_stack((low, high)).ravel()


def round_range(values: Values, *, from_zero: bool) -> tuple[float, float]:
    """Return the ends of an axis that hold all values, at round numbers."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    low = min(low, 0.0) if from_zero else low
    if not high > low:
        high = low + max(abs(low) * 0.1, 1e-3)
    step = _round_step((high - low) / 4)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2, 5 x 10^n that is not below."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
