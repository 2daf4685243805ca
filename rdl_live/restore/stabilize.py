"""Photons to numbers whose noise is the same everywhere, and back: one network for 1 to 2000 photons a pixel.

Generalised Anscombe transform (Anscombe 1948, 10.1093/biomet/35.3-4.246; with read noise: Starck et al. 1998),

    z = 2 sqrt(y + 3/8 + r^2) - 2 sqrt(m + 3/8 + r^2),

y in photons, r the read noise [electrons], m the mean of the series. Noise in z has the standard deviation 1 whatever
the light (to 10 % from 2 photons on). Nothing depends on the brightest or darkest pixel, so photons come back exactly.
"""

import torch
from torch import Tensor

NOISE = 0.25
"""Standard deviation of the noise in what networks are given: bright structure then lies within +-15."""
_OFFSET = 3 / 8


def stabilized(photons: Tensor, mean: Tensor, read_variance: Tensor | float) -> Tensor:
    """Return z / 4, so that its noise has the standard deviation `NOISE`.

    Args:
        photons: (..., y, x); numbers too negative for the root count as the least that it takes.
        mean: of the series [photons], broadcast against it.
        read_variance: read noise squared [electrons^2], broadcast against it.
    """
    return NOISE * (_root(photons, read_variance) - _root(mean, read_variance))


def photons_of(stable: Tensor, mean: Tensor, read_variance: Tensor | float) -> Tensor:
    """Undo `stabilized`: photons (..., y, x), at least -3/8 - read_variance.

    The algebraic inverse: right for what has no noise left, since then z of the mean is the mean of z.
    """
    root = (stable / NOISE + _root(mean, read_variance)).clamp(min=0)
    return (root / 2) ** 2 - _OFFSET - read_variance


def _root(photons: Tensor, read_variance: Tensor | float) -> Tensor:
    return 2 * torch.sqrt((photons + _OFFSET + read_variance).clamp(min=0))
