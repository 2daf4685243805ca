"""What depends on optics and frame size alone, made once and kept: transfers, window, rings, the map's annulus."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies, good_size
from rdl_live.optics.noise_floor import window2d
from rdl_live.optics.otf import Otf

HIGH_PASS = 0.12
"""Frequencies below this share of the cut-off are faded out: haze and flicker live there."""
PLAIN, FINE = 1.0, 1.5
"""The map of shifts is so many times finer than the raw FFT grid: enough for strong peaks; for those that fall between
two samples of the plain one and would be lost in the noise."""
_KEPT = 4
"""Grids kept: two colours and two frame sizes."""


def high_pass(k2: Tensor, cutoff: float) -> Tensor:
    """Return the weight that fades out low frequencies: 0 at 0, above 0.9 from `HIGH_PASS` x cut-off on.

    Args:
        k2: squared spatial frequencies [cycles^2/um^2].
        cutoff: of the OTF [cycles/um].
    """
    return 1 - torch.exp(k2 * (-2.5 / (HIGH_PASS * cutoff) ** 2))


@dataclass(frozen=True)
class Grid:
    """The raw FFT grid of one OTF; fields are (y, x) float32 unless said otherwise."""

    otf: Otf
    kx: Tensor
    ky: Tensor
    """[cycles/um], (1, x) and (y, 1)."""
    transfer: Tensor
    """H(k)."""
    weight: Tensor
    """H(k) times the high-pass: what the map of shifts is weighted with."""
    rings: Tensor
    """Index of every sample's ring, one raw FFT pixel of the longer side wide, int64."""
    window: Tensor

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


@lru_cache(maxsize=_KEPT)
def grid_of(otf: Otf, shape: tuple[int, int], device: torch.device) -> Grid:
    """Return the grid for raw frames of `shape` (y, x)."""
    kx, ky = frequencies(shape, otf.pixel_um, device=device)
    k2 = kx**2 + ky**2
    transfer = otf(kx, ky).to(torch.float32)
    return Grid(
        otf=otf,
        kx=kx.to(torch.float32),
        ky=ky.to(torch.float32),
        transfer=transfer,
        weight=transfer * high_pass(k2, otf.cutoff).to(torch.float32),
        rings=(k2.sqrt() * max(shape) * otf.pixel_um).round().long(),
        window=window2d(shape, device),
    )


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
    return Annulus(padded, kx[0].to(torch.float32), ky[:, 0].to(torch.float32), where, rings)
