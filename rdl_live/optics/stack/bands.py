"""From the frames of one orientation of a stack to its bands in three dimensions."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from rdl_live.optics.estimate.refine import plane_wave
from rdl_live.optics.fourier import good_size
from rdl_live.optics.pattern import Pattern
from rdl_live.optics.reconstruct.margin import Margin
from rdl_live.optics.reconstruct.plan import MARGIN
from rdl_live.optics.reconstruct.separation import Separation

_MARGIN_UM = 0.8
"""By which a stack is extended along z at least, where it is as deep."""


@dataclass(frozen=True)
class StackGrid:
    """The planes of a stack and the padded grid on which it is transformed; both (z, y, x)."""

    shape: tuple[int, int, int]
    padded: tuple[int, int, int]
    pixel_um: float
    step_um: float

    @classmethod
    def of(cls, shape: tuple[int, int, int], pixel_um: float, step_um: float) -> Self:
        """Return the grid of frames of `shape`."""
        z, y, x = shape
        # The margins are filled with mirror images, so they are never wider than the stack.
        deep = good_size(z + min(max(4, math.ceil(_MARGIN_UM / step_um)), z // 2))
        deep = deep if deep <= 2 * z else 2 * z
        wide = (good_size(size + min(MARGIN, size // 2)) for size in (y, x))
        return cls(shape, (deep, *wide), pixel_um, step_um)  # type: ignore[arg-type]  # two of them

    @property
    def frame(self) -> tuple[int, int]:
        """(y, x) of a frame."""
        return self.shape[1], self.shape[2]


def band_spectrum(
    photons: Tensor, pattern: Pattern, unmixing: Separation, order: int, grid: StackGrid, *, moved: bool = True
) -> Tensor:
    """Return one band's spectrum, (Z, Y, X) complex64, at the frequencies of the object.

    Args:
        photons: of one orientation, (phase, z, y, x) float32.
        pattern: its light.
        unmixing: of its phases.
        order: 0, 1 or 2.
        grid: of the stack.
        moved: whether the band is brought from the carrier, order times k0, to its own place.
    """
    rows = unmixing.coefficients.to(photons)
    if order == 0:
        band = torch.tensordot(rows[0], photons, dims=1).to(torch.complex64)
    else:
        parts = torch.tensordot(rows[2 * order - 1 : 2 * order + 1], photons, dims=1)
        band = torch.complex(parts[0], parts[1])
    carrier = (order * pattern.kx, order * pattern.ky) if moved else (0.0, 0.0)
    return spectrum_of(band, carrier, grid)


def spectrum_of(band: Tensor, carrier: tuple[float, float], grid: StackGrid) -> Tensor:
    """Return the spectrum (Z, Y, X) of a band (z, y, x) complex64 without its carrier (kx, ky) [cycles/um].

    Beyond the edges lie mirror images, as the camera saw them; see `rdl_live.optics.reconstruct.margin`.
    """
    z, y, x = grid.shape
    padded = torch.empty(grid.padded, dtype=torch.complex64, device=band.device)
    inside = padded[:z, :y, :x]
    torch.mul(band, plane_wave((-carrier[0], -carrier[1]), grid.frame, grid.pixel_um, band.device), out=inside)
    k0 = torch.tensor(carrier, dtype=torch.float64)
    margin = Margin(grid.frame, grid.padded[1:], grid.pixel_um, k0, device=band.device)
    margin.fill(padded[:z])
    gap = grid.padded[0] - z
    if gap:
        blend = 0.5 - 0.5 * torch.cos(math.pi * (torch.arange(gap, device=band.device) + 0.5) / gap)
        blend = blend[:, None, None]
        padded[z:] = padded[z - gap : z].flip(0) * (1 - blend) + padded[:gap].flip(0) * blend
    # Axis by axis in place of all at once: the peak of memory is lower.
    for axis in (2, 1, 0):
        padded = torch.fft.fft(padded, dim=axis)
    return padded


@dataclass(frozen=True)
class Lateral:
    """Where the frequencies of a band, moved by its carrier, lie in the tables of an OTF, by (ky, kx)."""

    low: Tensor
    """Sample of the table below, (Y, X) int64."""
    share: Tensor
    """Of the next one, (Y, X) float32."""
    factor: Tensor
    """What else acts, (Y, X) float32: 0 beyond the cut-off."""
    rows: Tensor
    """Signed frequency of every row, (Y,) int64; columns likewise."""
    columns: Tensor

    def at(self, table: Tensor) -> Tensor:
        """Return a row of a table, (|k|,), at every frequency: (Y, X)."""
        low = table[self.low]
        return torch.lerp(low, table[self.low + 1], self.share.to(low.dtype)).mul_(self.factor)


def signed(size: int, centre: int) -> Tensor:
    """Return the frequency, within half a grid of a centre, of every sample of a transform, (size,) int64."""
    index = torch.arange(size)
    return (index - centre + size // 2) % size + centre - size // 2
