"""What a pane shows: pixels with their size in the sample and their unit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLED = 20_000
"""Pixels looked at for a histogram: enough for the eye, quick enough for every refresh."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of a field of view. Pictures of other pixel sizes may show the same field."""

    pixels: npt.NDArray[Any]
    """(y, x), photons per pixel (of super-resolved images: per raw pixel area). Never changed after it was given."""
    pixel_um: float
    """Side of a pixel in the sample [um]."""
    sigma: npt.NDArray[Any] | None = None
    """Standard error expected of `pixels`, in their shape and unit; None where it is not known."""
    unit: str = "photons"
    worth: npt.NDArray[Any] | None = None
    """Number of series that each of the `pixels` is worth, in their shape, at least 1; None where it is not known."""

    @property
    def field_um(self) -> tuple[float, float]:
        """Height and width of the field [um]."""
        rows, columns = self.pixels.shape
        return rows * self.pixel_um, columns * self.pixel_um

    def at(self, x_um: float, y_um: float) -> float | None:
        """Return the value at a place of the sample, counted from the image's corner; None outside of it."""
        return self._of(self.pixels, x_um, y_um)

    def worth_at(self, x_um: float, y_um: float) -> float | None:
        """Return the number of series that such a place is worth; None outside, or where it is not known."""
        return None if self.worth is None else self._of(self.worth, x_um, y_um)

    def _of(self, pixels: npt.NDArray[Any], x_um: float, y_um: float) -> float | None:
        column, row = int(x_um // self.pixel_um), int(y_um // self.pixel_um)
        rows, columns = pixels.shape
        return float(pixels[row, column]) if 0 <= row < rows and 0 <= column < columns else None

    def sample(self) -> npt.NDArray[np.float32]:
        """Return some of the values, evenly spread over the image (1-d)."""
        step = max(1, int((self.pixels.size / SAMPLED) ** 0.5))
        # Odd steps do not beat with stripes of an even period.
        step += step > 1 and step % 2 == 0
        return np.ascontiguousarray(self.pixels[::step, ::step], np.float32).ravel()
