"""Hot pixels: brighter than any structure seen through the OTF can be. They carry no pattern and dim its modulation."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_BRIGHTEST = 3.0
"""A pixel this many times brighter than the second brightest of its neighbours (the brightest may be hot as well) is no
structure: where the PSF is two pixels wide, a point source reaches 2."""
_SIGMAS = 8.0


def without_hot_pixels(photons: Tensor) -> Tensor:
    """Return frames (T, A, P, y, x) whose hot pixels hold the median of their neighbours; the same if none is."""
    mean = photons.mean(dim=(0, 1, 2))
    # Over the background, lest a wrong offset or haze hide it.
    mean = mean - mean.median()
    # Background beyond the edges.
    padded = functional.pad(mean[None, None], (1, 1, 1, 1))[0, 0]
    first, second = torch.zeros_like(mean), torch.zeros_like(mean)
    for y, x in ((y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)):
        neighbour = padded[y : y + mean.shape[0], x : x + mean.shape[1]]
        second = torch.maximum(second, torch.minimum(first, neighbour))
        first = torch.maximum(first, neighbour)
    noise = _SIGMAS / math.sqrt(math.prod(photons.shape[:3])) * float(photons.mean().clamp(min=0) + 1) ** 0.5
    hot = mean > _BRIGHTEST * second + noise
    where_y, where_x = hot.nonzero(as_tuple=True)
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
