"""Structural similarity, with a gradient. Wang et al. 2004, 10.1109/TIP.2003.819861, eq. 13."""

import torch
from torch import Tensor
from torch.nn import functional

SIGMA = 1.5
_REACH = 5
_K1, _K2 = 0.01, 0.03


def ssim(one: Tensor, other: Tensor, span: Tensor) -> Tensor:
    """Return the mean structural similarity of images.

    Args:
        one: (n, channels, y, x), at least 11 pixels each way.
        other: the same shape.
        span: range of the values, (n,).

    Returns:
        (n,), 1 for equal images; a Gaussian window of 1.5 pixels, the border of 5 pixels left out.
    """
    c1, c2 = ((k * span[:, None, None, None]) ** 2 for k in (_K1, _K2))
    mean_one, mean_other = _blurred(one), _blurred(other)
    variance_one = _blurred(one * one) - mean_one**2
    variance_other = _blurred(other * other) - mean_other**2
    covariance = _blurred(one * other) - mean_one * mean_other
    light = (2 * mean_one * mean_other + c1) / (mean_one**2 + mean_other**2 + c1)
    structure = (2 * covariance + c2) / (variance_one + variance_other + c2)
    return (light * structure).mean(dim=(1, 2, 3))


def _blurred(image: Tensor) -> Tensor:
    channels = image.shape[1]
    steps = torch.arange(-_REACH, _REACH + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (steps / SIGMA) ** 2)
    kernel = (kernel / kernel.sum()).expand(channels, 1, 1, -1)
    rows = functional.conv2d(image, kernel.mT, groups=channels)
    return functional.conv2d(rows, kernel, groups=channels)
