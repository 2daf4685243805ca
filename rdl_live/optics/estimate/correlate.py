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

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.grid import Annulus, annulus_of

_MEDIAN_OF_LOG_MEAN = 1.1774 / 1.0593
"""Rayleigh median / exp(mean of logarithm): sqrt(2 ln 2) / (sqrt 2 exp(-gamma / 2))."""
_SMOOTH = 5
"""Rings averaged for the typical height, so that short rings do not make their own."""
_ENOUGH = 50_000
"""Samples of a map from which its typical heights are taken, about."""
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
    annulus = annulus_of(bands.otf.pixel_um, bands.shape, k_min, k_max, padding, bands.frames.device)
    widefield = bands.spectra[0].mean(dim=1)
    reference = _whitened(bands, widefield).conj()
    least = _ROUNDING * float(_power(widefield).mean())
    found = []
    for orientation in range(bands.angles):
        if float(_power(bands.spectra[1, :, orientation]).mean()) <= least:
            found.append(Summits(*torch.zeros(3, 0)))
            continue
        product = (_whitened(bands, bands.spectra[1, :, orientation]) * reference).sum(dim=0)
        shifts: Tensor = torch.fft.fft2(product, s=annulus.shape)
        found.append(_summits(shifts, annulus))
    return found


def _whitened(bands: Bands, spectrum: Tensor) -> Tensor:
    """Weight a spectrum (T, y, x) by its OTF over the root of its radial power; return it in real space."""
    grid = bands.grid
    profile = radial_mean(_power(spectrum).mean(dim=0), grid.rings, int(grid.rings.max()) + 1).to(torch.float32)
    tiny = float(profile.max()) * 1e-12 + torch.finfo(torch.float32).tiny
    # index_select: indexing by a tensor takes several times as long.
    whitening = torch.rsqrt(profile.clamp(min=tiny)).index_select(0, grid.rings.flatten()).reshape(bands.shape)
    filtered: Tensor = torch.fft.ifft2(spectrum * (grid.weight * whitening))
    return filtered


def _summits(shifts: Tensor, annulus: Annulus) -> Summits:
    """Score a map (ky, kx) of correlations and keep what stands out."""
    flat = shifts.flatten()
    inside = _power(flat.index_select(0, annulus.where))
    # An all-zero map (identical noise-free frames) has no evidence; 0 / tiny would invent some.
    least = float(inside.max()) * 1e-18 + torch.finfo(torch.float32).tiny if len(inside) else 1.0
    typical = _typical_power(inside, annulus.rings, least)
    worth = (inside > (_WORTH**2 * typical).index_select(0, annulus.rings)).nonzero().squeeze(1)
    place = annulus.where[worth]
    row, column = place // annulus.shape[1], place % annulus.shape[1]
    mid = inside[worth]
    above, below = (_power(shifts[(row + step) % annulus.shape[0], column]) for step in (-1, 1))
    left, right = (_power(shifts[row, (column + step) % annulus.shape[1]]) for step in (-1, 1))
    summit = (mid >= above) & (mid >= below) & (mid >= left) & (mid >= right) & (mid > least)
    z = (mid / typical[annulus.rings[worth]]).sqrt()
    kept = torch.where(summit, z, 0.0).argsort(descending=True)[: min(int(summit.sum()), _MOST)]
    spacing_x, spacing_y = float(annulus.kx[1]), float(annulus.ky[1])
    kx = annulus.kx[column] + spacing_x * _vertex(left, mid, right)
    ky = annulus.ky[row] + spacing_y * _vertex(above, mid, below)
    return Summits(kx[kept].cpu(), ky[kept].cpu(), z[kept].cpu())


def _power(values: Tensor) -> Tensor:
    return values.real**2 + values.imag**2


def _typical_power(inside: Tensor, rings: Tensor, least: float) -> Tensor:
    """Return the median power of every ring, robustly: by the mean of logarithms of its neighbourhood."""
    some = slice(None, None, max(1, len(inside) // _ENOUGH))
    count = int(rings.max()) + 1 if len(rings) else 1
    logs = torch.bincount(rings[some], inside[some].clamp(min=least).log(), minlength=count)
    sizes = torch.bincount(rings[some], minlength=count)
    mean = _smoothed(logs) / _smoothed(sizes.to(logs.dtype)).clamp(min=1)
    return mean.exp() * _MEDIAN_OF_LOG_MEAN**2


def _smoothed(values: Tensor) -> Tensor:
    """Return the sums over `_SMOOTH` neighbouring rings, (n,) -> (n,)."""
    kernel = torch.ones((1, 1, _SMOOTH), dtype=values.dtype, device=values.device)
    return functional.conv1d(values[None, None], kernel, padding=_SMOOTH // 2)[0, 0]


def _vertex(low: Tensor, mid: Tensor, high: Tensor) -> Tensor:
    """Offsets of parabolas' vertices through three equidistant samples, in samples, at most half of one."""
    curvature = (2 * mid - low - high).clamp(min=torch.finfo(torch.float32).tiny)
    return (0.5 * (high - low) / curvature).clamp(-0.5, 0.5)
