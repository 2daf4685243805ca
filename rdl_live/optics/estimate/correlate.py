"""Where is the pattern? The correlation of sideband and widefield over all shifts, and its summits.

Both bands are whitened by their own radial power and weighted by the OTF, so that neither the object's
bright low frequencies nor the noise beyond the OTF decide, multiplied in real space (averaged over time
points) and transformed once. Divided by its radial median the map is a z-score: about 1 in noise, its
maximum in noise of 256 x 256 about 4.5.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics.estimate.bands import Bands, over_time, power
from rdl_live.optics.estimate.grid import Annulus, annulus_of

_MEDIAN_OF_LOG_MEAN = 1.1774 / 1.0593
"""Rayleigh median / exp(mean of logarithm): sqrt(2 ln 2) / (sqrt 2 exp(-gamma / 2))."""
_SMOOTH = 5
"""Rings averaged for the typical height, so that short rings do not make their own."""
_ROUNDING = 1e-10
"""Power of a sideband relative to the widefield's below which it is rounding, not light: photon noise has more."""
_WORTH = 3.0
"""z-scores below this are never looked at."""
_MOST = 4000
"""Summits of one map that are kept."""


@dataclass(frozen=True)
class Summits:
    """The local maxima of one orientation's map, best first; each (n,) on the CPU."""

    kx: Tensor
    ky: Tensor
    """[cycles/um], between the samples by a parabola."""
    z: Tensor


def radial_mean(values: Tensor, rings: Tensor, count: int) -> Tensor:
    """Return the mean over each ring, (count,) float64; rings without a sample give 0."""
    sums = torch.bincount(rings.flatten(), values.flatten().to(torch.float64), minlength=count)
    sizes = torch.bincount(rings.flatten(), minlength=count)
    return sums / sizes.clamp(min=1)


def find_summits(bands: Bands, k_min: float, k_max: float, padding: float) -> list[Summits]:
    """Return the summits of every orientation's map with k_min <= |k| <= k_max [cycles/um].

    The map is `padding` times finer than the raw FFT grid.
    """
    annulus = annulus_of(bands.otf.pixel_um, bands.shape, k_min, k_max, padding, bands.widefield.device)
    wide_power = _whole(over_time(power(bands.wide_spectrum)) / bands.times, bands.shape[1])
    half = bands.shape[1] // 2 + 1
    # The widefield is real, and so is its whitened image.
    reference = torch.fft.irfft2(bands.wide_spectrum * _whitening(bands, wide_power)[:, :half], s=bands.shape)
    least = _ROUNDING * float(wide_power.mean())
    reference = reference.to(torch.complex64)
    found = []
    for orientation in range(bands.angles):
        side_power = bands.side_power[orientation]
        if float(side_power.mean()) <= least:
            found.append(Summits(*torch.zeros(3, 0)))
            continue
        whitening = _whitening(bands, side_power).to(torch.complex64)
        image = torch.fft.ifft2(bands.spectra[1][:, orientation] * whitening)
        shifts: Tensor = torch.fft.fft2(over_time(image.mul_(reference)), s=annulus.shape)
        found.append(_summits(shifts, annulus))
    return found


def _whole(half: Tensor, columns: int) -> Tensor:
    """Return the whole plane (y, x) of the power of a real image, from that of its half-plane (y, x // 2 + 1)."""
    mirrored = half[:, 1 : (columns + 1) // 2].flip((0, 1)).roll(1, 0)
    return torch.cat([half, mirrored], dim=1)


def _whitening(bands: Bands, spectrum_power: Tensor) -> Tensor:
    """Return the OTF over the root of a spectrum's radial power, (y, x): what makes it white."""
    grid = bands.grid
    rings = grid.rings.flatten()
    profile = torch.zeros(len(grid.sizes), device=rings.device).scatter_add_(0, rings, spectrum_power.flatten())
    profile /= grid.sizes
    tiny = float(profile.max()) * 1e-12 + torch.finfo(torch.float32).tiny
    # index_select: indexing by a tensor takes several times as long.
    return torch.rsqrt(profile.clamp(min=tiny)).index_select(0, rings).reshape(bands.shape).mul_(grid.weight)


def _summits(shifts: Tensor, annulus: Annulus) -> Summits:
    """Score a map (ky, kx) of correlations and keep what stands out."""
    heights = power(shifts)
    inside = heights.flatten().index_select(0, annulus.where)
    # An all-zero map (identical noise-free frames) has no evidence; 0 / tiny would invent some.
    least = float(inside.max()) * 1e-18 + torch.finfo(torch.float32).tiny if len(inside) else 1.0
    typical = _typical_power(inside, annulus, least)
    worth = (inside > (_WORTH**2 * typical).index_select(0, annulus.rings)).nonzero().squeeze(1)
    place = annulus.where[worth]
    row, column = place // annulus.shape[1], place % annulus.shape[1]
    mid = inside[worth]
    above, below = (heights[(row + step) % annulus.shape[0], column] for step in (-1, 1))
    left, right = (heights[row, (column + step) % annulus.shape[1]] for step in (-1, 1))
    summit = ((mid >= above) & (mid >= below) & (mid >= left) & (mid >= right) & (mid > least)).nonzero().squeeze(1)
    z = (mid / typical[annulus.rings[worth]]).sqrt()
    kept = summit[z[summit].argsort(descending=True)[:_MOST]]
    row, column, left, mid, right, above, below = (
        values[kept] for values in (row, column, left, mid, right, above, below)
    )
    kx = annulus.kx[column] + float(annulus.kx[1]) * _vertex(left, mid, right)
    ky = annulus.ky[row] + float(annulus.ky[1]) * _vertex(above, mid, below)
    return Summits(kx.cpu(), ky.cpu(), z[kept].cpu())


def _typical_power(inside: Tensor, annulus: Annulus, least: float) -> Tensor:
    """Return the median power of every ring, robustly: by the mean of logarithms of its neighbourhood."""
    logs = inside[:: annulus.every].clamp(min=least).log_()
    sums = torch.zeros_like(annulus.some_sizes).scatter_add_(0, annulus.some_rings, logs)
    mean = _smoothed(sums) / _smoothed(annulus.some_sizes).clamp(min=1)
    return mean.exp() * _MEDIAN_OF_LOG_MEAN**2


def _smoothed(values: Tensor) -> Tensor:
    """Return the sums over `_SMOOTH` neighbouring rings, (n,) -> (n,)."""
    kernel = torch.ones((1, 1, _SMOOTH), dtype=values.dtype, device=values.device)
    return functional.conv1d(values[None, None], kernel, padding=_SMOOTH // 2)[0, 0]


def _vertex(low: Tensor, mid: Tensor, high: Tensor) -> Tensor:
    """Offsets of parabolas' vertices through three equidistant samples, in samples, at most half of one."""
    curvature = (2 * mid - low - high).clamp(min=torch.finfo(torch.float32).tiny)
    return (0.5 * (high - low) / curvature).clamp(-0.5, 0.5)
