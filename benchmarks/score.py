"""How far a super-resolved image is from what it is meant to show."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdl_live.optics import PatternSet

Image = NDArray[np.float64]


def central(image: ArrayLike, border_px: int) -> Image:
    """Return the image (y, x) without `border_px` pixels on every side, float64."""
    array = np.asarray(image, dtype=np.float64)
    return array[border_px : array.shape[0] - border_px, border_px : array.shape[1] - border_px]


def nrmse(image: ArrayLike, truth: ArrayLike, *, border_px: int = 32) -> float:
    """Return rms(image - truth) / rms(truth - its mean), without the border.

    Args:
        image: (y, x), the same units as `truth`; nothing is rescaled.
        truth: (y, x).
        border_px: pixels left out on each side; 32 SR pixels are 16 raw ones.
    """
    found, wanted = central(image, border_px), central(truth, border_px)
    return float(np.sqrt(np.mean((found - wanted) ** 2)) / np.std(wanted))


def filtered_nrmse(image: ArrayLike, truth: ArrayLike, *, border_px: int = 32) -> float:
    """Return the `nrmse` that is left after the best radial filter, so that apodization does not matter.

    The filter has one real gain for each ring one FFT sample wide, by least squares over the tapered
    central region.
    """
    found = _spectrum(central(image, border_px))
    wanted = _spectrum(central(truth, border_px))
    rows, columns = (np.fft.fftfreq(size) for size in found.shape)
    ring = np.rint(np.hypot(rows[:, None], columns[None, :]) * min(found.shape)).astype(np.intp).ravel()
    cross = np.bincount(ring, (found.conj() * wanted).real.ravel())
    power = np.bincount(ring, np.abs(found.ravel()) ** 2)
    total = float(np.sum(np.abs(wanted) ** 2))
    explained = float(np.sum(np.divide(cross**2, power, out=np.zeros_like(power), where=power > 0)))
    return float(np.sqrt(max(total - explained, 0.0) / total))


def _spectrum(image: Image) -> NDArray[np.complex128]:
    """Fourier transform of the deviation from the mean, under a Hann window."""
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in image.shape))
    deviation = image - np.average(image, weights=window)
    return np.fft.fft2(deviation * window)


def fitted(image: ArrayLike, truth: ArrayLike, *, border_px: int = 32) -> Image:
    """Return the image with the one gain and one offset that bring it closest to the truth."""
    gain, offset = np.polyfit(central(image, border_px).ravel(), central(truth, border_px).ravel(), 1)
    return np.asarray(gain * np.asarray(image, dtype=np.float64) + offset)


@dataclass(frozen=True)
class PatternErrors:
    """How far estimated patterns are from the true ones."""

    k0_fft_px: float
    """Largest error of k0 [samples of the raw frame's FFT]."""
    phase_deg: float
    """Root-mean-square error of all phases, in the middle of the image [degrees]."""
    modulation: float
    """Mean of found minus true modulation depth."""


def pattern_errors(found: PatternSet, true: PatternSet, shape: tuple[int, int], pixel_um: float) -> PatternErrors:
    """Compare patterns, orientation by orientation, on frames of `shape` (y, x)."""
    height, width = shape[0] * pixel_um, shape[1] * pixel_um
    k0, phases, depths = [], [], []
    for one, other in zip(found, true, strict=True):
        sign = 1.0 if one.kx * other.kx + one.ky * other.ky >= 0 else -1.0  # k0 and -k0 are the same light
        kx, ky = sign * one.kx - other.kx, sign * one.ky - other.ky
        k0.append(math.hypot(kx * width, ky * height))
        middle = math.pi * (kx * width + ky * height)
        for mine, theirs in zip(one.phases_rad, other.phases_rad, strict=True):
            phases.append(math.remainder(sign * mine - theirs + middle, 2 * math.pi))
        depths.append(one.modulation[0] - other.modulation[0])
    return PatternErrors(max(k0), math.degrees(float(np.sqrt(np.mean(np.square(phases))))), float(np.mean(depths)))
