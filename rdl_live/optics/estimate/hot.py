"""Hot pixels: brighter than any structure seen through the OTF can be. They carry no pattern and dim its modulation."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_BRIGHTEST = 3.0
"""A pixel this many times brighter than the second brightest of its neighbours (the brightest may be hot as well) is no
structure: where the PSF is two pixels wide, a point source reaches 2."""
_SIGMAS = 8.0


def without_hot_pixels(photons: Tensor, mean: Tensor) -> Tensor:
    """Return frames whose hot pixels hold the median of their neighbours; the same if none is.

    Args:
        photons: (T, A, P, y, x).
        mean: over all frames, (y, x).
    """
    noise = _SIGMAS / math.sqrt(math.prod(photons.shape[:3])) * float(mean.mean().clamp(min=0) + 1) ** 0.5
    # Over the background, lest a wrong offset or haze hide it.
    mean = mean - _median(mean)
    # Background beyond the edges.
    padded = functional.pad(mean[None, None], (1, 1, 1, 1))[0, 0]
    # The second brightest of all is no darker than the darker one of any two: few pixels are left to look at closely.
    darker = torch.minimum(padded[1:-1, :-2], padded[1:-1, 2:]).clamp_(min=0)
    where_y, where_x = (mean > darker.mul_(_BRIGHTEST).add_(noise)).nonzero(as_tuple=True)
    around = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    first = second = torch.zeros_like(mean[where_y, where_x])
    for y, x in around:
        neighbour = padded[where_y + y, where_x + x]
        second = torch.maximum(second, torch.minimum(first, neighbour))
        first = torch.maximum(first, neighbour)
    hot = mean[where_y, where_x] > _BRIGHTEST * second + noise
    where_y, where_x = where_y[hot], where_x[hot]
    if not len(where_y):
        return photons
    mended = photons.clone()
    mended[..., where_y, where_x] = _around(photons, where_y, where_x)
    return mended


def _around(photons: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return the median of the four neighbours, mirrored at the edges, (T, A, P, n)."""
    rows, columns = photons.shape[-2:]
    above, below = torch.where(y > 0, y - 1, y + 1), torch.where(y < rows - 1, y + 1, y - 1)
    left, right = torch.where(x > 0, x - 1, x + 1), torch.where(x < columns - 1, x + 1, x - 1)
    four = [photons[..., above, x], photons[..., below, x], photons[..., y, left], photons[..., y, right]]
    return torch.stack(four).sort(dim=0).values[1:3].mean(dim=0)


def _median(values: Tensor) -> float:
    """Return the (lower) median; NumPy finds it in a tenth of torch's time."""
    middle = (values.numel() - 1) // 2
    return float(np.partition(values.flatten().cpu().numpy(), middle)[middle])
