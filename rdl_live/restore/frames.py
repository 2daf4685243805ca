"""Back to the camera: the raw frames that a restored object would have given, and what the real ones differ by."""

import torch
from torch import Tensor

from rdl_live.optics.forward import ForwardModel
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.reconstruct.plan import Geometry

_EPSILON = 1e-3
"""Regularises the division by the SR image's transfer, near its cut-off."""


class FrameModel:
    """Forward model of one geometry on its padded, periodic grid."""

    def __init__(self, geometry: Geometry, patterns: PatternSet) -> None:
        """Prepare; orientations that are not trusted are taken as unmodulated."""
        seen = [one if one.trusted else one.replace(modulation=(0.0,) * len(one.modulation)) for one in patterns]
        device = geometry.power.device
        self._model = ForwardModel(
            geometry.otf,
            PatternSet(patterns=tuple(seen)),
            geometry.padded,
            upsample=geometry.factor,
            shared=geometry.shared,
            device=device,
        )
        self._shape = geometry.shape

    def __call__(self, spectrum: Tensor, target: Tensor) -> Tensor:
        """Return noise-free frames.

        Args:
            spectrum: of SR images, (n, rows, columns) complex64.
            target: the images' transfer T, (rows, columns).

        Returns:
            (n, angle, phase, y, x) float32 in the unit of the image.
        """
        rows, columns = spectrum.shape[-2:]
        grid = (rows, 2 * (columns - 1))
        # X = T O, so O = X / T; what T has all but removed is left out. The mean stays as it is.
        inverse = target / (target**2 + _EPSILON)
        inverse[0, 0] = 1.0
        obj: Tensor = torch.fft.irfft2(spectrum * inverse, s=grid)
        y, x = self._shape
        return self._model.forward(obj)[..., :y, :x]


def standardized_residual(raw: Tensor, denoised: Tensor, read_noise_e: float = 0.0) -> Tensor:
    """Return (raw - denoised) / sqrt(expected variance): white, of variance 1 where the denoised frames are right.

    Args:
        raw: series (..., y, x), photons.
        denoised: the same without noise, photons.
        read_noise_e: of the camera [electrons].
    """
    return (raw - denoised) / expected_deviation(denoised, read_noise_e)


def expected_deviation(denoised: Tensor, read_noise_e: float = 0.0) -> Tensor:
    """Return the standard deviation of the noise in frames whose noise-free values [photons] are given."""
    variance = denoised.clamp(min=0) + read_noise_e**2
    # Where nearly nothing is expected a twentieth of the mean bounds what one stray photon can say.
    least = 0.05 * denoised.mean().clamp(min=1e-6)
    return torch.maximum(variance, least).sqrt()
