"""Multi-scale structural similarity: Wang, Simoncelli and Bovik, Asilomar 2003, 10.1109/ACSSC.2003.1292216, eq. 7.

Contrast and structure are compared on five grids, each half as fine as the one before (means of 2 x 2), luminance on
the coarsest; a Gaussian window of 1.5 pixels, constants 0.01 and 0.03 of the range (Wang et al. 2004,
10.1109/TIP.2003.819861).
"""

import torch
from torch import Tensor
from torch.nn import functional

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA, _REACH = 1.5, 5
_K1, _K2 = 0.01, 0.03


def ms_ssim(one: Tensor, other: Tensor, span: float) -> float:
    """Return the multi-scale structural similarity of two images.

    Args:
        one: (y, x), any unit; at least 11 pixels each way.
        other: the same shape.
        span: range of the values.

    Returns:
        1 for equal images; negative contrasts count as 0. Where an image is too small for all five grids the first
        ones are taken, their weights in proportion.

    Raises:
        ValueError: too small, or of different shapes.
    """
    if one.shape != other.shape or min(one.shape) < 2 * _REACH + 1:
        raise ValueError(f"two images of one shape of at least 11 pixels are needed, got {one.shape} and {other.shape}")
    pair = torch.stack([one, other]).double()[:, None]
    scales = 1
    while scales < len(WEIGHTS) and min(one.shape) >> scales >= 2 * _REACH + 1:
        scales += 1
    weights = [value / sum(WEIGHTS[:scales]) for value in WEIGHTS[:scales]]
    found = 1.0
    for scale, weight in enumerate(weights):
        light, structure = _parts(pair, span)
        part = structure if scale < scales - 1 else light * structure
        found *= max(float(part.mean()), 0.0) ** weight
        pair = functional.avg_pool2d(pair, 2)
    return found


def _parts(pair: Tensor, span: float) -> tuple[Tensor, Tensor]:
    """Return the similarity of light, and of contrast and structure, at every pixel."""
    c1, c2 = (_K1 * span) ** 2, (_K2 * span) ** 2
    one, other = pair[:1], pair[1:]
    means = _blurred(torch.cat([one, other, one * one, other * other, one * other]))
    mean_one, mean_other = means[0], means[1]
    variances = means[2] - mean_one**2 + means[3] - mean_other**2
    light = (2 * mean_one * mean_other + c1) / (mean_one**2 + mean_other**2 + c1)
    structure = (2 * (means[4] - mean_one * mean_other) + c2) / (variances + c2)
    return light, structure


def _blurred(images: Tensor) -> Tensor:
    steps = torch.arange(-_REACH, _REACH + 1, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (steps / _SIGMA) ** 2)
    kernel = (kernel / kernel.sum())[None, None, None]
    return functional.conv2d(functional.conv2d(images, kernel.mT), kernel)
