"""Whether the camera was at its limit, counted while the series go by."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files import saturated_fraction

_SATURATED = 1e-5
"""Share of a series' pixels from which saturation is worth a warning."""
_CONVERTERS = tuple(2**bits - 1 for bits in (8, 10, 11, 12, 14, 16))
"""Largest values of the converters that cameras have."""


class Saturation:
    """Counts saturated pixels of a recording's time points; each counts once, however often it is read."""

    def __init__(self, ceiling: float | None) -> None:
        """Take the largest value that the camera gives [ADU]; None where nothing is known (floating-point data)."""
        self._ceiling = ceiling
        self._fractions: dict[int, float] = {}

    def add(self, index: int, series: npt.NDArray[Any]) -> None:
        """Count one time point, of any shape [ADU]."""
        if index not in self._fractions and series.size:
            self._fractions[index] = self._fraction(series)

    def clips(self, series: npt.NDArray[Any]) -> bool:
        """Whether a series is saturated [ADU]: its brightest structures are then cut off, with edges of their own."""
        return series.size > 0 and self._fraction(series) > _SATURATED

    def _fraction(self, series: npt.NDArray[Any]) -> float:
        found = saturated_fraction(series, self._ceiling)
        # A 12-bit camera in a 16-bit file saturates at 4095: its largest value occurs again and again.
        brightest = float(series.max())
        if found == 0 and brightest in _CONVERTERS:
            found = float(np.count_nonzero(series == brightest)) / series.size
        return found

    def warnings(self) -> list[str]:
        """Return a sentence if any time point was saturated."""
        worst = max(self._fractions.values(), default=0.0)
        if worst <= _SATURATED:
            return []
        hit = sorted(index for index, share in self._fractions.items() if share > _SATURATED)
        where = "" if len(self._fractions) == 1 else f" of time point {max(hit, key=self._fractions.__getitem__)}"
        more = f", and {len(hit) - 1} more time points are affected" if len(hit) > 1 else ""
        return [
            f"{worst:.3%} of the pixels{where} are saturated{more}: expect stripe artefacts and wrong "
            "intensities there; use less light or a shorter exposure"
        ]
