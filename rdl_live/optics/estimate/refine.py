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
from rdl_live.optics.estimate.correlate import high_pass
from rdl_live.optics.fourier import frequencies


class Overlap:
    """Transfers, weights and demodulation for one orientation at a trial k0. Fields are (y, x) float32."""

    def __init__(self, bands: Bands, k0: tuple[float, float], ratio: float = 0.3) -> None:
        """Prepare.

        Args:
            bands: separated bands.
            k0: trial wave vector (kx, ky) [cycles/um] of the band, i.e. h k0 for harmonic h.
            ratio: trial |amplitude| m / 2 of the sideband, which sets how the two noises are weighed.
        """
        otf, device = bands.otf, bands.frames.device
        kx, ky = (axis.to(torch.float32) for axis in frequencies(bands.shape, otf.pixel_um, device=device))
        # Frequencies wrap on the raw grid; the shifted band is found modulo the sampling frequency.
        self.at = (kx, ky)
        self.shifted_at = (_wrapped(kx - k0[0], otf.pixel_um), _wrapped(ky - k0[1], otf.pixel_um))
        self.here = otf(*self.at)
        self.there = otf(*self.shifted_at)
        fade = high_pass(torch.hypot(*self.at), otf.cutoff) * high_pass(
            torch.hypot(*self.shifted_at), otf.cutoff
        )
        noise = self.there**2 + ratio**2 * self.here**2 * (bands.phases / bands.frame_count)
        both = (self.here > 0) & (self.there > 0)
        self.weight = torch.where(both, fade / noise.clamp(min=1e-6), 0.0)
        self.carrier = plane_wave(k0, bands.shape, otf.pixel_um, device)


def _wrapped(k: Tensor, pixel_um: float) -> Tensor:
    """Bring frequencies into [-Nyquist, Nyquist)."""
    sampling = 1 / pixel_um
    return torch.remainder(k + sampling / 2, sampling) - sampling / 2


def plane_wave(
    k: tuple[float, float], shape: tuple[int, int], pixel_um: float, device: torch.device | str = "cpu"
) -> Tensor:
    """Return exp(2 pi i k . r) at the pixel centres, r from the image corner; (y, x) complex64."""
    y = (torch.arange(shape[0], dtype=torch.float64, device=device) + 0.5) * pixel_um
    x = (torch.arange(shape[1], dtype=torch.float64, device=device) + 0.5) * pixel_um
    wave_y = torch.polar(torch.ones_like(y), 2 * math.pi * k[1] * y).to(torch.complex64)
    wave_x = torch.polar(torch.ones_like(x), 2 * math.pi * k[0] * x).to(torch.complex64)
    return wave_y[:, None] * wave_x


def refine_k0(
    bands: Bands, orientation: int, k0: tuple[float, float], *, harmonic: int = 1, rounds: int = 2
) -> tuple[float, float]:
    """Return k0 [cycles/um] refined to a small fraction of an FFT pixel from a start within about one."""
    sideband: Tensor = torch.fft.fft2(bands.sidebands[harmonic - 1, :, orientation])
    width_um, height_um = (bands.shape[axis] * bands.otf.pixel_um for axis in (1, 0))
    for last in (*[False] * (rounds - 1), True):
        overlap = Overlap(bands, (harmonic * k0[0], harmonic * k0[1]))
        root = overlap.weight.sqrt()
        shifted: Tensor = torch.fft.fft2(bands.widefield * overlap.carrier)
        side = torch.fft.ifft2(sideband * (overlap.there * root))
        wide = torch.fft.ifft2(shifted * (overlap.here * root))
        dx, dy = _peak_offset((side * wide.conj()).sum(dim=0))
        bias_x, bias_y = _window_bias(bands, overlap, sideband, shifted) if last else (0.0, 0.0)
        k0 = (
            k0[0] + (dx / width_um - bias_x) / harmonic,
            k0[1] + (dy / height_um - bias_y) / harmonic,
        )
    return k0


def _window_bias(bands: Bands, overlap: Overlap, sideband: Tensor, shifted: Tensor) -> tuple[float, float]:
    """Return the shift (x, y) [cycles/um] of the envelope's peak that the window causes.

    A window w that varies slowly commutes with a filter f but for w' df/dk / (2 pi i). The two filters differ, so the
    product gains an odd imaginary part along w w' and its peak moves by

        G / (8 pi^2 E) x integral(w^2) / integral(x^2 w^2),
        E = sum X H Hs,  G = sum X (H grad Hs - Hs grad H),  X = weight Re(sideband conj(widefield)),

    H = H(k), Hs = H(k - k0). The cross-spectrum X is free of noise bias. (About 0.02 FFT pixels at 256.)
    """
    cross = (sideband * shifted.conj()).sum(dim=0) * overlap.weight
    total = (cross * (overlap.here * overlap.there)).sum()
    if float(total.abs()) == 0:
        return 0.0, 0.0
    cross = (cross * (total.conj() / total.abs())).real
    energy = float(total.abs())
    step = 1e-2 * bands.otf.cutoff
    shifts = []
    for axis, offset in enumerate(((step, 0.0), (0.0, step))):
        slope_here = bands.otf(overlap.at[0] + offset[0], overlap.at[1] + offset[1]) - overlap.here
        slope_there = (
            bands.otf(overlap.shifted_at[0] + offset[0], overlap.shifted_at[1] + offset[1]) - overlap.there
        )
        pull = (cross * (overlap.here * slope_there - overlap.there * slope_here)).sum(dtype=torch.float64)
        shifts.append(float(pull) / step / energy / (8 * math.pi**2) * _inverse_spread(bands, axis))
    return shifts[0], shifts[1]


def _inverse_spread(bands: Bands, axis: int) -> float:
    """Return integral(w^2) / integral(x^2 w^2) of the window along x (axis 0) or y (axis 1) [1/um^2]."""
    power = (bands.window.double() ** 2).sum(dim=axis)
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
        x += step * _vertex(power[row, column - 1 : column + 2])
    if 0 < row < 8:
        y += step * _vertex(power[row - 1 : row + 2, column])
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
    return found.real**2 + found.imag**2


def _vertex(three: Tensor) -> float:
    """Return the offset of a parabola's vertex through three equidistant samples, in samples."""
    low, mid, high = (float(value) for value in three)
    curvature = low - 2 * mid + high
    return 0.0 if curvature >= 0 else 0.5 * (low - high) / curvature
