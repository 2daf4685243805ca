"""A textbook Wiener reconstruction that is told the true pattern: float64, numpy, one step at a time.

The reference for quality, and a second opinion on `rdl_live.optics`, with which it shares no code but the OTF
and the description of the patterns. Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x;
Gustafsson et al. 2008, 10.1529/biophysj.107.120345, eq. 1:

    X(k) = A(k) sum_b T_b(k) C_b(k) / (sum_b T_b(k)^2 + n w)

C_b are the separated bands, moved to where they belong, T_b = (m_b / 2) H(k + k_b) the transfer of each, A(k)
the ideal OTF of the extended cut-off, n the number of orientations. The filter sees the deviations from a
flat field of the same mean, so that w does not darken the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.grids import Complex, Real, finer
from benchmarks.score import nrmse
from rdl_live.optics import Otf, Pattern, PatternSet

MARGIN_PX = 24
"""Raw pixels by which frames are mirrored and tapered, so that nothing wraps around."""


@dataclass(frozen=True)
class Grid:
    """The SR grid of an extended raw frame."""

    shape: tuple[int, int]
    """(y, x) of the extended raw frame."""
    pixel_um: float
    """Raw pixel [um]."""
    factor: int = 2
    """SR pixels for one of these, each way."""

    def position(self) -> tuple[Real, Real]:
        """Centres (x, y) of the SR pixels from the corner of the IMAGE (not of its margin) [um]."""
        own = self.pixel_um / self.factor
        y, x = ((np.arange(self.factor * size) + 0.5) * own - MARGIN_PX * self.pixel_um for size in self.shape)
        return x[None, :], y[:, None]

    def frequency(self) -> tuple[Real, Real]:
        """Frequencies (kx, ky) of the SR grid [cycles/um]."""
        own = self.pixel_um / self.factor
        y, x = (np.fft.fftfreq(self.factor * size, d=own).astype(np.float64) for size in self.shape)
        return x[None, :], y[:, None]


@dataclass(frozen=True)
class Sums:
    """Both sums of the Wiener formula, so that w can be changed without separating again."""

    numerator: Complex
    denominator: Real
    apodization: Real
    mean: float
    angles: int
    factor: int = 2

    def image(self, w: float) -> Real:
        """Return the SR image, photons per raw pixel area, for the Wiener parameter `w`."""
        spectrum = self.apodization * self.numerator / (self.denominator + self.angles * w)
        margin = self.factor * MARGIN_PX
        return np.fft.ifft2(spectrum).real[margin:-margin, margin:-margin] + self.mean


def textbook_wiener(photons: Real, otf: Otf, patterns: PatternSet, w: float | None = None) -> Real:
    """Reconstruct with the given patterns.

    Args:
        photons: series (angle, phase, y, x), photons.
        otf: detection OTF; its cut-off must be below the camera's Nyquist frequency.
        patterns: the illumination.
        w: Wiener parameter; by default 0.05 (mean photons)^(-2/3), about the best for the benchmark's scene.

    Returns:
        Twice as fine for one harmonic, three times for two; photons per raw pixel area, corners coincide.
    """
    sums = wiener_sums(photons, otf, patterns)
    return sums.image(0.05 * max(sums.mean, 1.0) ** (-2 / 3) if w is None else w)


def best_textbook(photons: Real, otf: Otf, patterns: PatternSet, truth: Real) -> tuple[Real, float, float]:
    """Reconstruct with the w of the least error.

    Args:
        photons: series (angle, phase, y, x), photons.
        otf: detection OTF.
        patterns: the true illumination.
        truth: what the SR image should be, see `rdl_live.optics.sr_target`.

    Returns:
        The image, its w, and its `nrmse`. w is searched to 10 % between 1e-5 and 10.
    """
    sums = wiener_sums(photons, otf, patterns)
    errors: dict[float, float] = {}

    def error(exponent: float) -> float:
        if exponent not in errors:
            errors[exponent] = nrmse(sums.image(10.0**exponent), truth)
        return errors[exponent]

    best, step = -2.0, 1.0
    while step > 0.04:
        around = [best - step, best, best + step]
        lower = min((e for e in around if -5.0 <= e <= 1.0), key=error)
        step = step if lower != best else step / 2
        best = lower
    return sums.image(10.0**best), 10.0**best, error(best)


def wiener_sums(photons: Real, otf: Otf, patterns: PatternSet) -> Sums:
    """Separate, move and weight all bands of a series (angle, phase, y, x) in photons."""
    if otf.aliased:
        raise ValueError(
            f"cut-off {otf.cutoff:g} cycles/um is above the Nyquist frequency of {otf.pixel_um:g} um pixels"
        )
    photons = np.asarray(photons, dtype=np.float64)
    mean = float(photons.mean())
    y, x = photons.shape[-2:]
    grid = Grid((y + 2 * MARGIN_PX, x + 2 * MARGIN_PX), otf.pixel_um, 1 + patterns.harmonics)
    shape = (grid.factor * grid.shape[0], grid.factor * grid.shape[1])
    numerator, denominator = np.zeros(shape, dtype=np.complex128), np.zeros(shape)
    for frames, pattern in zip(photons, patterns, strict=True):
        deviation = frames - mean * _flat_field(pattern, otf, (y, x))
        for band, transfer in _bands(_extended(deviation), pattern, otf, grid):
            numerator += transfer * band
            denominator += transfer**2
    reach = np.mean([len(pattern.modulation) / pattern.period_um for pattern in patterns])
    kx, ky = grid.frequency()
    return Sums(
        numerator, denominator, _ideal(np.hypot(kx, ky), otf.cutoff + float(reach)), mean, len(patterns), grid.factor
    )


def _bands(frames: Real, pattern: Pattern, otf: Otf, grid: Grid) -> Iterator[tuple[Complex, Real]]:
    """Yield (spectrum in its place, transfer) of every band of one orientation's frames (phase, y, x)."""
    x, y = grid.position()
    kx, ky = grid.frequency()
    orders = range(-len(pattern.modulation), len(pattern.modulation) + 1)
    phases, gains = np.array(pattern.phases_rad), np.array(pattern.gains)
    mixing = np.stack([gains * np.exp(1j * (order * phases + _shift(pattern, order))) for order in orders], axis=1)
    separated = np.tensordot(np.linalg.pinv(mixing), frames, axes=1)
    for order, band in zip(orders, separated, strict=True):
        back = np.exp(-2j * np.pi * order * (pattern.kx * x + pattern.ky * y))
        depth = 1.0 if order == 0 else pattern.modulation[abs(order) - 1] / 2
        yield (
            np.fft.fft2(finer(band, grid.factor) * back),
            depth * _transfer(otf, kx + order * pattern.kx, ky + order * pattern.ky),
        )


def _flat_field(pattern: Pattern, otf: Otf, shape: tuple[int, int]) -> Real:
    """Frames (phase, y, x) of an object that is 1 everywhere."""
    y, x = ((np.arange(size) + 0.5) * otf.pixel_um for size in shape)
    turn = 2 * np.pi * (pattern.kx * x[None, :] + pattern.ky * y[:, None])
    frames = np.ones((len(pattern.phases_rad), *shape))
    for order, depth in enumerate(pattern.modulation, start=1):
        seen = depth * float(_transfer(otf, np.array(order * pattern.kx), np.array(order * pattern.ky)))
        phases = np.array(pattern.phases_rad)[:, None, None]
        frames += seen * np.cos(order * (turn + phases) + _shift(pattern, order))
    return np.asarray(frames * np.array(pattern.gains)[:, None, None], dtype=np.float64)


def _shift(pattern: Pattern, order: int) -> float:
    """Phase of a band beyond `order` times that of the first one [rad]."""
    if not pattern.shifts_rad or not order:
        return 0.0
    return float(np.sign(order)) * pattern.shifts_rad[abs(order) - 1]


def _extended(frames: Real) -> Real:
    """Mirror the frames at their edges and let the margin fall to 0."""
    pad = ((0, 0), (MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX))
    fall = 0.5 + 0.5 * np.cos(np.pi * (np.arange(MARGIN_PX) + 0.5) / MARGIN_PX)
    y, x = (np.concatenate([fall[::-1], np.ones(size), fall]) for size in frames.shape[-2:])
    return np.asarray(np.pad(frames, pad, mode="symmetric") * y[:, None] * x[None, :], dtype=np.float64)


def _transfer(otf: Otf, kx: Real, ky: Real) -> Real:
    transfer = otf(torch.from_numpy(np.asarray(kx)), torch.from_numpy(np.asarray(ky)))
    return np.asarray(transfer.numpy(), dtype=np.float64)


def _ideal(k: Real, cutoff: float) -> Real:
    """OTF of an ideal round pupil; Goodman, Introduction to Fourier Optics, eq. 6-31."""
    s = np.minimum(k / cutoff, 1.0)
    return np.asarray(2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s)), dtype=np.float64)
