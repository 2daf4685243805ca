"""Is a fixed pattern one of the camera's offsets? Then it is as strong in the dark as in the light.

What all frames of a series have in common beyond the OTF's cut-off is no specimen. Offsets of the pixels are the same
wherever light falls; gains that differ, or noise that frames share, grow with the light, and no map of offsets takes
them away.
"""

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

_BLOCK = 8
_LEAST_BLOCKS = 36
_BEYOND = 1.08
_LEAST_SHARE = 0.05
_SIGMAS = 4.0


def offset_share(photons: Tensor, otf: Otf) -> float:
    """Return which share of the variance of a fixed pattern does not grow with the light, 0 to 1.

    Args:
        photons: series (T, A, P, y, x) of one specimen; averaged over.
        otf: detection OTF.

    Returns:
        1 where it does not certainly grow, or where that cannot be seen.
    """
    shape = (photons.shape[-2], photons.shape[-1])
    kx, ky = frequencies(shape, otf.pixel_um, device=photons.device)
    beyond = torch.hypot(kx, ky) > _BEYOND * otf.cutoff
    share = float(beyond.double().mean())
    rows, columns = (size // _BLOCK - 2 for size in shape)
    if share < _LEAST_SHARE or rows < 1 or columns < 1 or rows * columns < _LEAST_BLOCKS:
        return 1.0
    frames = photons.flatten(0, -3)
    mean = frames.mean(dim=0)

    def rough(images: Tensor) -> Tensor:
        spectrum: Tensor = torch.fft.fft2(images) * beyond
        image: Tensor = torch.fft.ifft2(spectrum)
        return image.real.square() / share

    changing = rough(frames - mean).sum(dim=0) / (len(frames) - 1)
    fixed = rough(mean) - changing / len(frames)

    def blocks(image: Tensor) -> np.ndarray:
        inner = image[_BLOCK : (rows + 1) * _BLOCK, _BLOCK : (columns + 1) * _BLOCK]
        parts = inner.reshape(rows, _BLOCK, columns, _BLOCK).mean(dim=(1, 3))
        return np.asarray(parts.flatten().double().cpu().numpy())

    light, found, total = blocks(mean).clip(min=0), blocks(fixed), blocks(rough(mean))
    # A block's variance is known to its own size times sqrt(2 / samples); smoothed over the blocks of like light.
    order = np.argsort(light)
    sigma = np.empty_like(total)
    sigma[order] = np.convolve(np.pad(total[order], 8, mode="edge"), np.full(17, 1 / 17), "valid")
    weights = 1 / np.maximum(sigma, 1e-12)
    fit, covariance = np.polyfit(light, found, 1, w=weights, cov=True)
    at_mean = float(np.polyval(fit, light.mean()))
    if at_mean <= 0 or fit[0] < _SIGMAS * float(np.sqrt(covariance[0, 0])):
        return 1.0
    return float(np.clip(fit[1] / at_mean, 0, 1))
