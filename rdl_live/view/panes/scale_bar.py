"""The scale bar: a round length of about a quarter of what is seen."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ScaleBar:
    """A bar to be painted."""

    length_um: float

    @property
    def text(self) -> str:
        """Its length in words."""
        return f"{self.length_um:g} µm" if self.length_um >= 1 else f"{1000 * self.length_um:g} nm"


def scale_bar(width_um: float) -> ScaleBar:
    """Return the bar for a view of this width [um]: 1, 2 or 5 x 10^n, at most a quarter of it."""
    return ScaleBar(round_length(width_um / 4))


def round_length(length: float) -> float:
    """Return the largest of 1, 2, 5 x 10^n that is not above a positive length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))
