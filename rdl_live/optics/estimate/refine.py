"""Sub-pixel k0 from the overlap of widefield and sideband.

Both bands are brought to the same object frequencies and the same transfer, H(k) H(k - k0), so that in real
space sideband x conj(widefield) is a non-negative envelope times exp(2 pi i dk . r), whose transform
is largest exactly at the remaining error dk. The weights are those of generalised least squares for
white noise in both bands; averaging over time points happens in that product and survives motion.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands, over_time
from rdl_live.optics.estimate.grid import high_pass, unmixed


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
        self.k0 = k0
        self._pixel_um = otf.pixel_um
        steps = self._steps = [1 / (count * otf.pixel_um) for count in bands.shape]
        self._rows = Span.of(bands.shape[0], k0[1] / steps[0], otf.cutoff / steps[0])
        self._columns = Span.of(bands.shape[1], k0[0] / steps[1], otf.cutoff / steps[1])
        device = grid.window.device
        kx, ky = self._columns.indices(device)[None, :] * steps[1], self._rows.indices(device)[:, None] * steps[0]
        self.here = self.cut(grid.transfer)
        # Not modulo the sampling frequency: what wraps around belongs to other frequencies of the object.
        moved_x, moved_y = kx - k0[0], ky - k0[1]
        self.there = otf(moved_x, moved_y)
        noise = self.there.square().addcmul_(self.here, self.here, value=ratio**2 * bands.phases / bands.frame_count)
        self.weight = high_pass(kx, ky, otf.cutoff).mul_(high_pass(moved_x, moved_y, otf.cutoff))
        if (clean := unmixed(kx, ky, otf)) is not None:
            alone = unmixed(moved_x, moved_y, otf)
            self.weight.mul_(clean * alone if alone is not None else clean)
        self.weight.div_(noise.clamp_(min=1e-6)).mul_(((self.here > 0) & (self.there > 0)).to(torch.float32))
        root = self.weight.sqrt()
        # Complex, because the product of a real and a complex tensor takes three times as long.
        self.weighted_here = (self.here * root).to(torch.complex64)
        self.weighted_there = (self.there * root).to(torch.complex64)

    @property
    def empty(self) -> bool:
        """Whether the bands do not overlap at all."""
        return not bool((self.weight > 0).any())

    def side(self, cutoff: float) -> Tensor:
        """Return (|k - k0| - |k|) / cut-off in the rectangle: 0 where both bands are transferred alike."""
        away, near = self.distances()
        return (away - near) / cutoff

    def distances(self) -> tuple[Tensor, Tensor]:
        """Return |k - k0| and |k| in the rectangle [cycles/um]."""
        device = self.weight.device
        kx, ky = (
            self._columns.indices(device)[None, :] * self._steps[1],
            self._rows.indices(device)[:, None] * self._steps[0],
        )
        return torch.hypot(kx - self.k0[0], ky - self.k0[1]), torch.hypot(kx, ky)

    def cut(self, spectrum: Tensor) -> Tensor:
        """Return the rectangle of spectra, (..., y, x) -> (..., rows, columns)."""
        return _cut(spectrum, self._rows, self._columns)

    def cut_mirrored(self, spectrum: Tensor) -> Tensor:
        """Return conj(spectrum(-k)) in the rectangle: the same as `cut` for the conjugate image."""
        mirrored = _cut(spectrum, self._rows.mirrored, self._columns.mirrored)
        return mirrored.flip((-2, -1)).conj()

    def cut_half(self, spectrum: Tensor) -> Tensor:
        """Return the rectangle of half-planes of real images, (..., y, x // 2 + 1) -> (..., rows, columns)."""
        negative, positive = self._columns.halves
        right = _cut(spectrum, self._rows, positive)
        left = _cut(spectrum, self._rows.mirrored, negative.mirrored)
        return torch.cat([left.flip((-2, -1)).conj(), right], dim=-1)

    def moved(self, image: Tensor, k: tuple[float, float]) -> Tensor:
        """Return the rectangle of the transform of complex images times exp(2 pi i k . r): the spectra moved by k."""
        wave_y, wave_x = waves(k, (image.shape[-2], image.shape[-1]), self._pixel_um, image.device)
        # Only the columns that are wanted are transformed along y.
        every = Span(0, image.shape[-2])
        lines = _cut(torch.fft.fft(image * wave_x), every, self._columns).mul_(wave_y[:, None])
        return _cut(torch.fft.fft(lines, dim=-2), self._rows, Span(0, self._columns.count))


@dataclass(frozen=True)
class Span:
    """Neighbouring frequencies of one axis of an FFT grid, in rising order."""

    first: int
    """Index of the lowest frequency, negative below 0."""
    count: int

    @classmethod
    def of(cls, size: int, k0: float, cutoff: float) -> Self:
        """Return the frequencies where |k| and |k - k0| are below the cut-off [FFT pixels]; at least two."""
        lowest, beyond = -(size // 2), (size + 1) // 2
        first = max(lowest, math.floor(max(0.0, k0) - cutoff) + 1)
        count = min(beyond, math.ceil(min(0.0, k0) + cutoff)) - first
        return cls(first, count) if count > 1 else cls(lowest, 2)

    @property
    def mirrored(self) -> "Span":
        """The frequencies times -1."""
        return Span(1 - self.first - self.count, self.count)

    @property
    def halves(self) -> tuple["Span", "Span"]:
        """Those below 0, and the others."""
        below = min(max(-self.first, 0), self.count)
        return Span(self.first, below), Span(self.first + below, self.count - below)

    def blocks(self, size: int) -> list[tuple[slice, slice]]:
        """Return the pieces of the FFT's own order that hold them, and where they go."""
        start = self.first % size
        head = min(self.count, size - start)
        blocks = [(slice(start, start + head), slice(0, head)), (slice(0, self.count - head), slice(head, self.count))]
        return blocks if head < self.count else blocks[:1]

    def indices(self, device: torch.device) -> Tensor:
        """Return the frequencies [FFT pixels], (count,) float32."""
        return torch.arange(self.first, self.first + self.count, dtype=torch.float32, device=device)


def _cut(spectrum: Tensor, rows: Span, columns: Span) -> Tensor:
    """Return the frequencies of two spans, (..., y, x) -> (..., rows, columns), by blocks that lie together."""
    found = spectrum.new_empty((*spectrum.shape[:-2], rows.count, columns.count))
    for from_y, to_y in rows.blocks(spectrum.shape[-2]):
        for from_x, to_x in columns.blocks(spectrum.shape[-1]):
            found[..., to_y, to_x] = spectrum[..., from_y, from_x]
    return found


def plane_wave(
    k: tuple[float, float], shape: tuple[int, int], pixel_um: float, device: torch.device | str = "cpu"
) -> Tensor:
    """Return exp(2 pi i k . r) at the pixel centres, r from the image corner; (y, x) complex64."""
    wave_y, wave_x = waves(k, shape, pixel_um, device)
    return wave_y[:, None] * wave_x


def waves(
    k: tuple[float, float], shape: tuple[int, int], pixel_um: float, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return the factors of `plane_wave` along y and x, (y,) and (x,)."""
    y = (torch.arange(shape[0], dtype=torch.float64, device=device) + 0.5) * pixel_um
    x = (torch.arange(shape[1], dtype=torch.float64, device=device) + 0.5) * pixel_um
    wave_y = torch.polar(torch.ones_like(y), 2 * math.pi * k[1] * y).to(torch.complex64)
    wave_x = torch.polar(torch.ones_like(x), 2 * math.pi * k[0] * x).to(torch.complex64)
    return wave_y, wave_x


def refine_k0(bands: Bands, overlap: Overlap, sideband: Tensor) -> tuple[float, float]:
    """Return k0 [cycles/um] to a small fraction of an FFT pixel; the overlap's is within about half of one.

    Args:
        bands: separated bands.
        overlap: of the trial k0.
        sideband: an orientation's order 1 in the overlap, (T, rows, columns).
    """
    k0 = overlap.k0
    if overlap.empty:
        return k0
    width_um, height_um = (bands.shape[axis] * bands.otf.pixel_um for axis in (1, 0))
    side = sideband * overlap.weighted_there
    wide = overlap.moved(bands.widefield, k0).mul_(overlap.weighted_here)
    cross = over_time(side * wide.conj_physical())
    product = torch.fft.ifft2(side).mul_(torch.fft.ifft2(wide).conj_physical_())
    dx, dy = _peak_offset(over_time(product))
    bias_x, bias_y = _window_bias(bands, overlap, cross)
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
    here, there = overlap.here, overlap.there
    share = (cross * (total.conj() / energy)).real / (here * there).clamp_(min=1e-6)
    with_here, with_there = share * here, share * there
    shifts = []
    for axis, spread in zip((1, 0), bands.grid.spread, strict=True):
        step = 1 / (bands.shape[axis] * bands.otf.pixel_um)
        pull = (_on_slope(with_here, there, axis) - _on_slope(with_there, here, axis)) / step
        shifts.append(pull / energy / (8 * math.pi**2) * spread)
    return shifts[0], shifts[1]


def _on_slope(values: Tensor, field: Tensor, axis: int) -> float:
    """Return sum values x d field / d index along an axis: central differences, one-sided ones at the ends."""
    inner = field.shape[axis] - 2
    slope = field.narrow(axis, 2, inner) - field.narrow(axis, 0, inner)
    total = 0.5 * slope.mul_(values.narrow(axis, 1, inner)).sum()
    for end, other in ((0, 1), (inner, inner + 1)):
        place = end if end == 0 else other
        total += ((field.select(axis, other) - field.select(axis, end)) * values.select(axis, place)).sum()
    return float(total)


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
