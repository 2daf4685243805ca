"""Hot pixels: brighter than any structure seen through the OTF can be. They carry no pattern and dim its modulation."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_STEEPEST = 5.0
"""A pixel this many times further above its darkest neighbour than the brightest of them is no structure: with two
pixels to the width of the PSF, a point source reaches 3."""
_SIGMAS = 8.0


def without_hot_pixels(photons: Tensor) -> Tensor:
    """Return frames (T, A, P, y, x) whose hot pixels hold the mean of their neighbours; the same tensor if none is."""
    mean = photons.mean(dim=(0, 1, 2))
    padded = functional.pad(mean[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    rows, columns = mean.shape
    sides = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    brightest = torch.full_like(mean, -torch.inf)
    darkest = torch.full_like(mean, torch.inf)
    for y, x in sides:
        neighbour = padded[y : y + rows, x : x + columns]
        brightest = torch.maximum(brightest, neighbour)
        darkest = torch.minimum(darkest, neighbour)
    noise = (brightest.clamp(min=0) + 1).sqrt_() * (_SIGMAS / math.sqrt(math.prod(photons.shape[:3])))
    hot = mean - darkest > _STEEPEST * (brightest - darkest) + noise
    where_y, where_x = hot.nonzero(as_tuple=True)
    if not len(where_y):
        return photons
    mended = photons.clone()
    mended[..., where_y, where_x] = _around(photons, where_y, where_x)
    return mended


def _around(photons: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return the mean of the four neighbours, mirrored at the edges, (T, A, P, n)."""
    rows, columns = photons.shape[-2:]
    above, below = torch.where(y > 0, y - 1, y + 1), torch.where(y < rows - 1, y + 1, y - 1)
    left, right = torch.where(x > 0, x - 1, x + 1), torch.where(x < columns - 1, x + 1, x - 1)
    return (photons[..., above, x] + photons[..., below, x] + photons[..., y, left] + photons[..., y, right]) / 4
