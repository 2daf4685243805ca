"""What depends on optics and frame size alone, made once and kept: transfers, window, rings, the map's annulus."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies, good_size
from rdl_live.optics.noise_floor import tukey, window2d
from rdl_live.optics.otf import Otf

HIGH_PASS = 0.12
"""Frequencies below this share of the cut-off are faded out: haze and flicker live there."""
PLAIN, FINE = 1.0, 1.5
"""The map of shifts is so many times finer than the raw FFT grid: enough for strong peaks; for those that fall between
two samples of the plain one and would be lost in the noise."""
_ENOUGH = 50_000
"""Samples of a map from which its typical heights are taken, about."""
_KEPT = 4
"""Grids kept: two colours and two frame sizes."""


_FOLDED = 4
"""Power of the share of a sample that is its own frequency's: a tenth of another one's is hardly used."""


def high_pass(kx: Tensor, ky: Tensor, cutoff: float) -> Tensor:
    """Return the weight that fades out low frequencies: 0 at 0, above 0.9 from `HIGH_PASS` x cut-off on.

    Args:
        kx: spatial frequencies [cycles/um], (1, x).
        ky: the same, (y, 1).
        cutoff: of the OTF [cycles/um].
    """
    steepness = -2.5 / (HIGH_PASS * cutoff) ** 2
    return 1 - torch.exp(steepness * kx**2) * torch.exp(steepness * ky**2)


@dataclass(frozen=True)
class Grid:
    """The raw FFT grid of one OTF; fields are (y, x) float32 unless said otherwise."""

    otf: Otf
    transfer: Tensor
    """H(k)."""
    weight: Tensor
    """H(k) times the high-pass: what the map of shifts is weighted with."""
    rings: Tensor
    """Index of every sample's ring, one raw FFT pixel of the longer side wide, int64."""
    sizes: Tensor
    """Samples of every ring, at least 1: (n,)."""
    window: Tensor
    taper_x: Tensor
    taper_y: Tensor
    """Its factors, (x,) and (y,)."""
    area: float
    """Sum of the window's squares."""
    spread: tuple[float, float]
    """integral(w^2) / integral(x^2 w^2) of the window along x, and along y [1/um^2]."""

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.window.shape[0], self.window.shape[1]


@dataclass(frozen=True)
class Annulus:
    """The part of the zero-padded grid of shifts that is searched."""

    shape: tuple[int, int]
    """(y, x) of the padded grid."""
    kx: Tensor
    ky: Tensor
    """Its frequencies [cycles/um], (X,) and (Y,) float32."""
    where: Tensor
    """Flat indices of the samples, (n,) int64."""
    rings: Tensor
    """Their rings, one raw FFT pixel wide, counted from the innermost, (n,) int64."""
    every: int
    """Every so many samples are enough to tell what is typical."""
    some_rings: Tensor
    """The rings of those, (m,)."""
    some_sizes: Tensor
    """How many of those lie in every ring, (rings,) float32."""


def unmixed(kx: Tensor, ky: Tensor, otf: Otf) -> Tensor | None:
    """Return how far samples of a spectrum hold the frequency (kx, ky) alone, 0 to 1; None where all do.

    Pixels coarser than the OTF needs fold higher frequencies onto lower ones. What is folded raises the power of the
    widefield but not its correlation with the sideband, so that a contrast would be found too low: H^2 over the sum of
    that of all frequencies in a sample, steeply.
    """
    sampling = 1 / otf.pixel_um
    if otf.cutoff <= 0.5 * sampling:
        return None
    own = otf(kx, ky).square()
    every = torch.zeros_like(own)
    for x in (-1, 0, 1):
        for y in (-1, 0, 1):
            every += otf(kx + x * sampling, ky + y * sampling).square()
    return (own / every.clamp(min=1e-12)) ** _FOLDED


@lru_cache(maxsize=_KEPT)
def grid_of(otf: Otf, shape: tuple[int, int], device: torch.device) -> Grid:
    """Return the grid for raw frames of `shape` (y, x)."""
    kx, ky = frequencies(shape, otf.pixel_um, device=device)
    k2 = kx**2 + ky**2
    transfer = otf(kx, ky).to(torch.float32)
    rings = (k2.sqrt() * max(shape) * otf.pixel_um).round().long()
    taper_x, taper_y = (tukey(count, device=device) for count in (shape[1], shape[0]))
    window = window2d(shape, device)
    return Grid(
        otf=otf,
        transfer=transfer,
        weight=transfer * high_pass(kx, ky, otf.cutoff).to(torch.float32),
        rings=rings,
        sizes=torch.bincount(rings.flatten()).clamp(min=1),
        window=window,
        taper_x=taper_x,
        taper_y=taper_y,
        area=float((window.double() ** 2).sum()),
        spread=(_inverse_spread(taper_x, otf.pixel_um), _inverse_spread(taper_y, otf.pixel_um)),
    )


def _inverse_spread(taper: Tensor, pixel_um: float) -> float:
    """Return integral(w^2) / integral(x^2 w^2) of a window along one axis [1/um^2]."""
    power = taper.double() ** 2
    position = (torch.arange(len(power), device=power.device) - 0.5 * (len(power) - 1)) * pixel_um
    return float(power.sum() / (power * position**2).sum())


@lru_cache(maxsize=_KEPT)
def annulus_of(
    pixel_um: float, shape: tuple[int, int], lowest: float, highest: float, padding: float, device: torch.device
) -> Annulus:
    """Return the shifts with lowest <= |k| <= highest [cycles/um] for raw frames of `shape` (y, x)."""
    padded = (good_size(math.ceil(padding * shape[0])), good_size(math.ceil(padding * shape[1])))
    kx, ky = frequencies(padded, pixel_um, device=device)
    radius = torch.hypot(kx, ky)
    where = ((radius >= lowest) & (radius <= highest)).flatten().nonzero().squeeze(1)
    rings = ((radius.flatten()[where] - lowest) * (max(shape) * pixel_um)).floor().long()
    every = max(1, len(where) // _ENOUGH)
    return Annulus(
        shape=padded,
        kx=kx[0].to(torch.float32),
        ky=ky[:, 0].to(torch.float32),
        where=where,
        rings=rings,
        every=every,
        some_rings=rings[::every].contiguous(),
        some_sizes=torch.bincount(rings[::every], minlength=int(rings.max()) + 1 if len(rings) else 1).float(),
    )
