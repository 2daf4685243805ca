"""The camera's white noise, read off the frames themselves: beyond the OTF's cut-off there is nothing else."""

from functools import lru_cache

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

TAPER = 0.3
"""Share of the field that fades to zero at its edges (both sides together), against wrap-around."""
_BEYOND = 1.08
"""The floor is read beyond this multiple of the cut-off."""
_LEAST_SHARE = 0.02
"""Share of the spectrum that must lie out there for a measurement."""


def tukey(n: int, taper: float = TAPER, device: torch.device | str = "cpu") -> Tensor:
    """Return a flat window of n samples whose ends fade as a cosine over `taper` n / 2 samples each; float32."""
    x = (torch.arange(n, dtype=torch.float64, device=device) + 0.5) / n
    edge = torch.minimum(x, 1 - x) / (taper / 2)
    return torch.where(edge < 1, 0.5 - 0.5 * torch.cos(torch.pi * edge.clamp(max=1)), 1.0).to(torch.float32)


def window2d(shape: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Return the separable window of a frame, (y, x) float32."""
    return tukey(shape[0], device=device)[:, None] * tukey(shape[1], device=device)


def power_beyond(power: Tensor, otf: Otf) -> Tensor | None:
    """Return the mean power of a spectrum beyond the OTF's cut-off.

    Args:
        power: |fft2|^2, (..., y, x), float32.
        otf: detection OTF.

    Returns:
        (...,) float64, or None where the OTF fills the whole spectrum (pixels too coarse to tell noise from signal).
    """
    mask, count = _outside(otf, (power.shape[-2], power.shape[-1]), power.device)
    if count < _LEAST_SHARE * mask.numel():
        return None
    return (power.flatten(-2) @ mask.flatten()).to(torch.float64) / count


def noise_variance(tapered: Tensor, otf: Otf) -> Tensor | None:
    """Measure the noise per pixel.

    Args:
        tapered: mean-free frames times `window2d`, (..., y, x).
        otf: detection OTF.

    Returns:
        Variance per pixel of every frame (...,), float64; None as `power_beyond`.
    """
    spectra: Tensor = torch.fft.fft2(tapered)
    power = power_beyond(spectra.real**2 + spectra.imag**2, otf)
    shape = (tapered.shape[-2], tapered.shape[-1])
    return None if power is None else power / float((window2d(shape, tapered.device).double() ** 2).sum())


@lru_cache(maxsize=8)
def _outside(otf: Otf, shape: tuple[int, int], device: torch.device) -> tuple[Tensor, int]:
    """Mask of the frequencies beyond the cut-off, (y, x) float32, and their number."""
    kx, ky = frequencies(shape, otf.pixel_um, device=device)
    mask = torch.hypot(kx, ky) > _BEYOND * otf.cutoff
    return mask.to(torch.float32), int(mask.sum())
