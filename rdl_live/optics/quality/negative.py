"""Negative values of an SR image: what the specimen cannot have and the reconstruction put there.

    ratio = (mode - mean of the lowest 0.5 %) / (mean of the highest 0.5 % - mode)

the mode being the commonest value, i.e. the background. It is the inverse of SIMcheck's max/min intensity
ratio (Ball et al., Sci. Rep. 5, 15915, 2015), whose verdicts are: below 3 inadequate, 3 to 6 low, 6 to 12
good, above 12 excellent. SIMcheck takes 0.01 % of a 3D stack at either end; one 2D image needs a larger share
to be steady.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

WORST_RATIO = 1000.0
"""Stands for "nothing but dips": the ratio's upper bound, so that it is always finite."""


@dataclass(frozen=True)
class NegativeValues:
    """How much of an SR image lies below its background."""

    ratio: float
    """Depth of the lowest values below the background over the height of the highest ones; 0 is best."""
    background_photons: float
    """Commonest value, in the image's unit (photons per raw pixel area)."""
    below_zero_fraction: float
    """Share of the pixels with negative values."""

    @property
    def max_min_ratio(self) -> float:
        """SIMcheck's max/min ratio, 1 / ratio, at most 1000; above 6 is good."""
        return 1 / max(self.ratio, 1 / WORST_RATIO)


def negative_values(image: Tensor, *, tail_fraction: float = 0.005) -> NegativeValues:
    """Measure the negative values of an SR image.

    Args:
        image: SR image or stack of them, any shape; needs regions of background to mean something.
        tail_fraction: share of the pixels at either end that is averaged, above 0 and at most 0.5.

    Raises:
        ValueError: empty image or a share outside the range.
    """
    if image.numel() == 0 or not 0 < tail_fraction <= 0.5:
        raise ValueError(f"needs pixels and 0 < tail_fraction <= 0.5, got {image.numel()}, {tail_fraction}")
    values = image.to(torch.float32).flatten().sort().values
    tail = max(1, round(tail_fraction * values.numel()))
    background = _mode(values)
    depth = max(background - float(values[:tail].double().mean()), 0.0)
    height = max(float(values[-tail:].double().mean()) - background, 0.0)
    ratio = min(depth / height, WORST_RATIO) if height > 0 else (WORST_RATIO if depth > 0 else 0.0)
    return NegativeValues(ratio, background, float((values < 0).double().mean()))


def _mode(ordered: Tensor) -> float:
    """Return the mode of sorted values: the half-sample mode, stopped at 2 % of the values to keep it steady.

    Bickel and Fruehwirth, Comput. Stat. Data Anal. 50, 3500 (2006). Unlike a histogram it needs no bin width.
    """
    enough = max(2, ordered.numel() // 50)
    while ordered.numel() > enough:
        half = (ordered.numel() + 1) // 2
        width = ordered[half - 1 :] - ordered[: ordered.numel() - half + 1]
        start = int(width.argmin())
        ordered = ordered[start : start + half]
    return float(ordered.double().mean())
