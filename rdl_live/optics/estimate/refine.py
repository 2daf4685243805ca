"""Sub-pixel k0 from the overlap of widefield and sideband.

Both bands are brought to the same object frequencies and the same transfer, H(k) H(k - k0), so that in real
space sideband x conj(widefield) is a non-negative envelope times exp(2 pi i dk . r), whose transform
is largest exactly at the remaining error dk. The weights are those of generalised least squares for
white noise in both bands; averaging over time points happens in that product and survives motion.
"""

import math

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.grid import high_pass


class Overlap:
    """Transfers and weights where two bands a trial k0 apart overlap.

    Fields are (rows, columns) float32, cut to the rectangle of frequencies that holds the overlap (about a third
    of the plane), in rising order. A sum over it, or a transform, is one over the plane.
    """

    def __init__(self, bands: Bands, k0: tuple[float, float], ratio: float = 0.3) -> None:
        """Prepare.

        Args:
            bands: separated bands.
            k0: trial wave vector (kx, ky) [cycles/um] of the band, i.e. h k0 for harmonic h.
            ratio: trial |amplitude| m / 2 of the sideband, which sets how the two noises are weighed.
        """
        grid, otf = bands.grid, bands.otf
        self._shape = bands.shape
        self.k0 = k0
        self._columns = _between(grid.kx[0], k0[0], otf.cutoff)
        self._rows = _between(grid.ky[:, 0], k0[1], otf.cutoff)
        kx, ky = grid.kx[:, self._columns], grid.ky[self._rows]
        self.here = self.cut(grid.transfer)
        # Not modulo the sampling frequency: what wraps around belongs to other frequencies of the object.
        moved_x, moved_y = kx - k0[0], ky - k0[1]
        self.there = otf(moved_x, moved_y)
        fade = high_pass(kx**2 + ky**2, otf.cutoff) * high_pass(moved_x**2 + moved_y**2, otf.cutoff)
        noise = self.there**2 + (ratio**2 * bands.phases / bands.frame_count) * self.here**2
        both = (self.here > 0) & (self.there > 0)
        self.weight = torch.where(both, fade / noise.clamp(min=1e-6), 0.0)

    @property
    def empty(self) -> bool:
        """Whether the bands do not overlap at all."""
        return not bool((self.weight > 0).any())

    def cut(self, spectrum: Tensor) -> Tensor:
        """Return the rectangle of spectra, (..., y, x) -> (..., rows, columns)."""
        return spectrum.index_select(-2, self._rows).index_select(-1, self._columns)

    def cut_mirrored(self, spectrum: Tensor) -> Tensor:
        """Return conj(spectrum(-k)) in the rectangle: the same as `cut` for the conjugate image."""
        rows, columns = -self._rows % self._shape[0], -self._columns % self._shape[1]
        return spectrum.index_select(-2, rows).index_select(-1, columns).conj()


def _between(axis: Tensor, k0: float, cutoff: float) -> Tensor:
    """Return the indices, by rising frequency, where |k| and |k - k0| are below the cut-off; at least two."""
    order = axis.argsort()
    kept = order[((axis.abs() < cutoff) & ((axis - k0).abs() < cutoff))[order]]
    return kept if len(kept) > 1 else order[:2]


def plane_wave(
    k: tuple[float, float], shape: tuple[int, int], pixel_um: float, device: torch.device | str = "cpu"
) -> Tensor:
    """Return exp(2 pi i k . r) at the pixel centres, r from the image corner; (y, x) complex64."""
    y = (torch.arange(shape[0], dtype=torch.float64, device=device) + 0.5) * pixel_um
    x = (torch.arange(shape[1], dtype=torch.float64, device=device) + 0.5) * pixel_um
    wave_y = torch.polar(torch.ones_like(y), 2 * math.pi * k[1] * y).to(torch.complex64)
    wave_x = torch.polar(torch.ones_like(x), 2 * math.pi * k[0] * x).to(torch.complex64)
    return wave_y[:, None] * wave_x


def refine_k0(bands: Bands, orientation: int, overlap: Overlap) -> tuple[float, float]:
    """Return k0 [cycles/um] to a small fraction of an FFT pixel; the overlap's is within about half of one."""
    k0 = overlap.k0
    if overlap.empty:
        return k0
    width_um, height_um = (bands.shape[axis] * bands.otf.pixel_um for axis in (1, 0))
    root = overlap.weight.sqrt()
    carrier = plane_wave(k0, bands.shape, bands.otf.pixel_um, bands.widefield.device)
    side = overlap.cut(bands.spectra[1, :, orientation]) * (overlap.there * root)
    wide = overlap.cut(torch.fft.fft2(bands.widefield * carrier)) * (overlap.here * root)
    dx, dy = _peak_offset((torch.fft.ifft2(side) * torch.fft.ifft2(wide).conj()).sum(dim=0))
    bias_x, bias_y = _window_bias(bands, overlap, (side * wide.conj()).sum(dim=0))
    return k0[0] + dx / width_um - bias_x, k0[1] + dy / height_um - bias_y


def _window_bias(bands: Bands, overlap: Overlap, cross: Tensor) -> tuple[float, float]:
    """Return the shift (x, y) [cycles/um] of the envelope's peak that the window causes.

    A window w that varies slowly commutes with a filter f but for w' df/dk / (2 pi i). The two filters differ, so the
    product gains an odd imaginary part along w w' and its peak moves by

        G / (8 pi^2 E) x integral(w^2) / integral(x^2 w^2),
        E = sum X,  G = sum X (grad Hs / Hs - grad H / H),  X = Re(sideband x Hs conj(widefield x H)) weight,

    H = H(k), Hs = H(k - k0). The cross-spectrum X is free of noise bias. (About 0.02 FFT pixels at 256.)
    """
    total = cross.sum()
    energy = float(total.abs())
    if energy == 0:
        return 0.0, 0.0
    share = (cross * (total.conj() / energy)).real / (overlap.here * overlap.there).clamp(min=1e-6)
    shifts = []
    for axis in (1, 0):
        step = 1 / (bands.shape[axis] * bands.otf.pixel_um)
        slope_here, slope_there = (
            torch.gradient(field, spacing=step, dim=axis)[0] for field in (overlap.here, overlap.there)
        )
        pull = float((share * (overlap.here * slope_there - overlap.there * slope_here)).sum(dtype=torch.float64))
        shifts.append(pull / energy / (8 * math.pi**2) * _inverse_spread(bands, 1 - axis))
    return shifts[0], shifts[1]


def _inverse_spread(bands: Bands, axis: int) -> float:
    """Return integral(w^2) / integral(x^2 w^2) of the window along x (axis 0) or y (axis 1) [1/um^2]."""
    power = (bands.grid.window.double() ** 2).sum(dim=axis)
    position = (torch.arange(len(power), device=power.device) - 0.5 * (len(power) - 1)) * bands.otf.pixel_um
    return float(power.sum() / (power * position**2).sum())


def _peak_offset(product: Tensor) -> tuple[float, float]:
    """Return (x, y) of the largest |DFT| of `product` near zero frequency [FFT pixels]."""
    x = y = 0.0
    for reach in (1.0, 0.25, 0.0625):
        steps = torch.linspace(-reach, reach, 9, dtype=torch.float64, device=product.device)
        power = _zoom(product, x + steps, y + steps)
        row, column = divmod(int(power.argmax()), len(steps))
        x, y = x + float(steps[column]), y + float(steps[row])
    # `power` is now sampled 1/64 pixel apart around its maximum: a parabola gives the rest.
    step = float(steps[1] - steps[0])
    if 0 < column < 8:
        x += step * _vertex(*(float(value) for value in power[row, column - 1 : column + 2]))
    if 0 < row < 8:
        y += step * _vertex(*(float(value) for value in power[row - 1 : row + 2, column]))
    return x, y


def _zoom(product: Tensor, fx: Tensor, fy: Tensor) -> Tensor:
    """Return |DFT|^2 of (y, x) at fractional frequencies [FFT pixels], (len fy, len fx), by two products."""
    rows, columns = product.shape
    axis_y = torch.arange(rows, dtype=torch.float64, device=product.device)
    axis_x = torch.arange(columns, dtype=torch.float64, device=product.device)
    one = torch.ones((), dtype=torch.float64, device=product.device)
    left = torch.polar(one, -2 * math.pi / rows * fy[:, None] * axis_y).to(product.dtype)
    right = torch.polar(one, -2 * math.pi / columns * axis_x[:, None] * fx).to(product.dtype)
    found = left @ product @ right
    return (found.real**2 + found.imag**2).double()


def _vertex(low: float, mid: float, high: float) -> float:
    """Return the offset of a parabola's vertex through three equidistant samples, in samples."""
    curvature = low - 2 * mid + high
    return 0.0 if curvature >= 0 else 0.5 * (low - high) / curvature
