"""Where is the pattern? The correlation of sideband and widefield over all shifts, as a significance map.

Both bands are whitened by their own radial power and weighted by the OTF, so that neither the object's
bright low frequencies nor the noise beyond the OTF decide, multiplied in real space (averaged over time
points) and transformed once. Divided by its radial median the map is a z-score: about 1 in noise, its
maximum in noise of 256 x 256 about 4.5.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.grid import Annulus, annulus_of

_MEDIAN_OF_LOG_MEAN = 1.1774 / 1.0593
"""Rayleigh median / exp(mean of logarithm): sqrt(2 ln 2) / (sqrt 2 exp(-gamma / 2))."""
_SMOOTH = 5
"""Rings averaged for the typical height, so that short rings do not make their own."""


@dataclass(frozen=True)
class Significance:
    """Maps of z-scores over shifts, on a zero-padded FFT grid."""

    z: Tensor
    """(A, ky, kx) float32, 0 outside of the search range."""
    kx: Tensor
    ky: Tensor
    """Frequencies of the grid [cycles/um], (X,) and (Y,)."""


def radial_mean(values: Tensor, rings: Tensor, count: int) -> Tensor:
    """Return the mean over each ring, (count,) float64; rings without a sample give 0."""
    sums = torch.bincount(rings.flatten(), values.flatten().to(torch.float64), minlength=count)
    sizes = torch.bincount(rings.flatten(), minlength=count)
    return sums / sizes.clamp(min=1)


def significance(bands: Bands, k_min: float, k_max: float) -> Significance:
    """Return z-scores of all shifts with k_min <= |k| <= k_max [cycles/um]."""
    grid = bands.grid
    annulus = annulus_of(bands.otf.pixel_um, bands.shape, k_min, k_max, bands.frames.device)
    reference = _whitened(bands, bands.spectra[0].mean(dim=1)).conj()
    maps = []
    for orientation in range(bands.angles):
        product = (_whitened(bands, bands.spectra[1, :, orientation]) * reference).sum(dim=0)
        shifts: Tensor = torch.fft.fft2(product, s=annulus.shape)
        maps.append(_scored(shifts, annulus))
    return Significance(torch.stack(maps), annulus.kx, annulus.ky)


def _whitened(bands: Bands, spectrum: Tensor) -> Tensor:
    """Weight a spectrum (T, y, x) by its OTF over the root of its radial power; return it in real space."""
    grid = bands.grid
    power = (spectrum.real**2 + spectrum.imag**2).mean(dim=0)
    profile = radial_mean(power, grid.rings, int(grid.rings.max()) + 1).to(torch.float32)
    tiny = float(profile.max()) * 1e-12 + torch.finfo(torch.float32).tiny
    filtered: Tensor = torch.fft.ifft2(spectrum * (grid.weight * torch.rsqrt(profile.clamp(min=tiny))[grid.rings]))
    return filtered


def _scored(shifts: Tensor, annulus: Annulus) -> Tensor:
    """Divide magnitudes by the median of their ring (by the robust mean of logarithms)."""
    tiny = torch.finfo(torch.float32).tiny
    flat = shifts.new_zeros(math.prod(annulus.shape), dtype=torch.float32)
    if len(annulus.where) == 0:
        return flat.reshape(annulus.shape)
    magnitude = shifts.flatten()[annulus.where].abs()
    count = int(annulus.rings[annulus.rings.argmax()]) + 1
    logs = torch.bincount(annulus.rings, magnitude.clamp(min=tiny).log(), minlength=count)
    sizes = torch.bincount(annulus.rings, minlength=count)
    typical = (_smoothed(logs.double()) / _smoothed(sizes.double()).clamp(min=1)).exp() * _MEDIAN_OF_LOG_MEAN
    score = magnitude / typical.to(torch.float32).clamp(min=tiny)[annulus.rings]
    # An all-zero map (identical noise-free frames) has no evidence; 0 / tiny would invent some.
    flat[annulus.where] = torch.where(magnitude > float(magnitude.max()) * 1e-9 + tiny, score, 0.0)
    return flat.reshape(annulus.shape)


def _smoothed(values: Tensor) -> Tensor:
    """Return the sums over `_SMOOTH` neighbouring rings, (n,) -> (n,)."""
    kernel = torch.ones((1, 1, _SMOOTH), dtype=values.dtype, device=values.device)
    return torch.nn.functional.conv1d(values[None, None], kernel, padding=_SMOOTH // 2)[0, 0]
