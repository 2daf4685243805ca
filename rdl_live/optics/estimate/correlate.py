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
from rdl_live.optics.fourier import frequencies, good_size

HIGH_PASS = 0.12
"""Frequencies below this share of the cut-off are faded out: haze and flicker live there."""
_MEDIAN_OF_LOG_MEAN = 1.1774 / 1.0593
"""Rayleigh median / exp(mean of logarithm): sqrt(2 ln 2) / (sqrt 2 exp(-gamma / 2))."""


@dataclass(frozen=True)
class Significance:
    """Maps of z-scores over shifts, on a zero-padded FFT grid."""

    z: Tensor
    """(A, ky, kx) float32, 0 outside of the search range."""
    kx: Tensor
    ky: Tensor
    """Frequencies of the grid [cycles/um], (1, X) and (Y, 1)."""

    @property
    def spacing(self) -> tuple[float, float]:
        """(dky, dkx) of the grid [cycles/um]."""
        return float(self.ky[1, 0] - self.ky[0, 0]), float(self.kx[0, 1] - self.kx[0, 0])


def high_pass(k: Tensor, cutoff: float) -> Tensor:
    """Return the weight that fades out low frequencies: 0 at 0, above 0.9 from `HIGH_PASS` x cut-off on."""
    return 1 - torch.exp(-2.5 * (k / (HIGH_PASS * cutoff)) ** 2)


def radial_mean(values: Tensor, rings: Tensor, count: int) -> Tensor:
    """Return the mean over each ring, (count,) float64; rings without a sample give 0."""
    sums = torch.bincount(rings.flatten(), values.flatten().to(torch.float64), minlength=count)
    sizes = torch.bincount(rings.flatten(), minlength=count)
    return sums / sizes.clamp(min=1)


def significance(bands: Bands, k_min: float, k_max: float, harmonic: int = 1) -> Significance:
    """Return z-scores of all shifts with k_min <= |k| <= k_max [cycles/um]."""
    otf, shape = bands.otf, bands.shape
    device = bands.frames.device
    kx, ky = frequencies(shape, otf.pixel_um, device=device)
    k = torch.hypot(kx, ky)
    weight = (otf(kx, ky) * high_pass(k, otf.cutoff)).to(torch.float32)
    rings = (k * max(shape) * otf.pixel_um).round().long()
    count = int(rings.max()) + 1
    reference = _whitened(torch.fft.fft2(bands.widefield), weight, rings, count)
    padded = (good_size(2 * shape[0]), good_size(2 * shape[1]))
    grid_x, grid_y = frequencies(padded, otf.pixel_um, device=device)
    radius = torch.hypot(grid_x, grid_y)
    inside = (radius >= k_min) & (radius <= k_max)
    where = inside.flatten().nonzero().squeeze(1)
    wide_rings = (radius.flatten()[where] * max(shape) * otf.pixel_um).round().long()
    maps = []
    for orientation in range(bands.angles):
        sideband = torch.fft.fft2(bands.sidebands[harmonic - 1, :, orientation])
        filtered = _whitened(sideband, weight, rings, count)
        product = (filtered * reference.conj()).sum(dim=0)
        shifts: Tensor = torch.fft.fft2(product, s=padded)
        maps.append(_scored(shifts.flatten()[where].abs(), where, wide_rings, padded))
    return Significance(torch.stack(maps), grid_x, grid_y)


def _whitened(spectrum: Tensor, weight: Tensor, rings: Tensor, count: int) -> Tensor:
    """Weight a spectrum (T, y, x) by `weight` over the root of its radial power; return it in real space."""
    power = (spectrum.real**2 + spectrum.imag**2).mean(dim=0)
    profile = radial_mean(power, rings, count).to(torch.float32)
    tiny = float(profile.max()) * 1e-12 + torch.finfo(torch.float32).tiny
    filtered: Tensor = torch.fft.ifft2(spectrum * (weight * torch.rsqrt(profile.clamp(min=tiny))[rings]))
    return filtered


def _scored(magnitude: Tensor, where: Tensor, rings: Tensor, padded: tuple[int, int]) -> Tensor:
    """Divide magnitudes by the median of their ring (by the robust mean of logarithms); scatter into the grid."""
    tiny = torch.finfo(torch.float32).tiny
    count = int(rings.max()) + 1
    typical = radial_mean(magnitude.clamp(min=tiny).log(), rings, count).exp() * _MEDIAN_OF_LOG_MEAN
    score = magnitude / typical.to(torch.float32)[rings].clamp(min=tiny)
    flat = magnitude.new_zeros(math.prod(padded))
    # An all-zero map (identical noise-free frames) has no evidence; 0 / tiny would invent some.
    flat[where] = torch.where(magnitude > float(magnitude.max()) * 1e-9 + tiny, score, 0.0)
    return flat.reshape(padded)
