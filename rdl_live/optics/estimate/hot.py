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


def mend_hot_pixels(photons: Tensor, mean: Tensor) -> bool:
    """Give hot pixels the median of their neighbours; return whether there are any.

    Args:
        photons: (T, A, P, y, x), mended in place.
        mean: over all frames, (y, x).
    """
    noise = _SIGMAS / math.sqrt(math.prod(photons.shape[:3])) * float(mean.mean().clamp(min=0) + 1) ** 0.5
    # Over the background, lest a wrong offset or haze hide it.
    mean = mean - _median(mean)
    # Background beyond the edges.
    padded = functional.pad(mean[None, None], (1, 1, 1, 1))[0, 0]
    # The second brightest of all is no darker than that of four: few pixels are left to look at closely.
    least = _second_of_four(padded).clamp_(min=0).mul_(_BRIGHTEST).add_(noise)
    where_y, where_x = (mean > least).nonzero(as_tuple=True)
    if not len(where_y):
        return False
    corner = where_y * padded.shape[1] + where_x
    first = second = torch.zeros(len(corner), device=mean.device)
    for y, x in ((y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)):
        neighbour = padded.flatten().index_select(0, corner + (y * padded.shape[1] + x))
        second = torch.maximum(second, torch.minimum(first, neighbour))
        first = torch.maximum(first, neighbour)
    hot = mean[where_y, where_x] > _BRIGHTEST * second + noise
    where_y, where_x = where_y[hot], where_x[hot]
    if not len(where_y):
        return False
    photons[..., where_y, where_x] = _around(photons, where_y, where_x)
    return True


def _around(photons: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return the median of the four neighbours, mirrored at the edges, (T, A, P, n)."""
    rows, columns = photons.shape[-2:]
    above, below = torch.where(y > 0, y - 1, y + 1), torch.where(y < rows - 1, y + 1, y - 1)
    left, right = torch.where(x > 0, x - 1, x + 1), torch.where(x < columns - 1, x + 1, x - 1)
    four = [photons[..., above, x], photons[..., below, x], photons[..., y, left], photons[..., y, right]]
    return torch.stack(four).sort(dim=0).values[1:3].mean(dim=0)


def _second_of_four(padded: Tensor) -> Tensor:
    """Return the second brightest of the neighbours left, right, above and below, (y + 2, x + 2) -> (y, x)."""
    left, right = padded[1:-1, :-2], padded[1:-1, 2:]
    above, below = padded[:-2, 1:-1], padded[2:, 1:-1]
    both_brighter = torch.minimum(torch.maximum(left, right), torch.maximum(above, below))
    both_darker = torch.maximum(torch.minimum(left, right), torch.minimum(above, below))
    return torch.maximum(both_brighter, both_darker, out=both_darker)


def _median(values: Tensor) -> float:
    """Return the (lower) median; NumPy finds it in a tenth of torch's time."""
    middle = (values.numel() - 1) // 2
    return float(np.partition(values.flatten().cpu().numpy(), middle)[middle])
