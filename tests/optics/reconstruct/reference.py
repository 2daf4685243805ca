"""The reconstruction once more: float64, NumPy, the full SR spectrum at once, no blocks and no half-planes.

Written from the formula (Gustafsson 2000, eq. 4), not from the code; shares nothing with it but the descriptions.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rdl_live.optics import Otf, Pattern, PatternSet

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Radial = Callable[[Real], Real]


def reference_image(
    photons: Real,
    otf: Otf,
    patterns: PatternSet,
    padded: tuple[int, int],
    w: float,
    *,
    apodization: Callable[[Real, float], Real] | None = None,
    notch: Radial | None = None,
) -> Real:
    """Return the SR image of a series (A, P, y, x) in photons, h + 1 times as fine for h harmonics, for one Wiener w.

    Args:
        photons: series.
        otf: ideal OTF with the pixel's MTF.
        patterns: illumination.
        padded: (Y, X) of the grid that the frames are extended to.
        w: its square is added to the denominator.
        apodization: target transfer at (|k|, cut-off); the ideal OTF by default.
        notch: factor on every band's weight at |k| of the raw band.
    """
    y, x = photons.shape[-2:]
    factor = 1 + patterns.harmonics
    sr = [factor * size for size in padded]
    ky, kx = (np.fft.fftfreq(size, otf.pixel_um / factor) for size in sr)
    ky, kx = ky[:, None], kx[None, :]
    unmixed = [unmix(frames, pattern) for frames, pattern in zip(photons, patterns, strict=True)]
    shares = np.array([1 / variances[0] for _, variances in unmixed])
    noise = 1 / shares.sum()
    widefield = sum(
        share * noise * separated[len(separated) // 2] for share, (separated, _) in zip(shares, unmixed, strict=True)
    )
    rows, columns = _modulo(padded[0], factor), _modulo(padded[1], factor)
    numerator, denominator = np.zeros(sr, dtype=np.complex128), np.zeros(sr)

    def add(band: Complex, k0: tuple[float, float], amplitude: float, strength: float) -> None:
        nonlocal numerator, denominator
        transfer = amplitude * transfer_at(otf, kx + k0[0], ky + k0[1])
        weight = strength * transfer * (1 if notch is None else notch(np.hypot(kx + k0[0], ky + k0[1])))
        carrier = np.exp(-2j * np.pi * (k0[0] * _centres(x, otf)[None, :] + k0[1] * _centres(y, otf)[:, None]))
        spectrum = np.fft.fft2(extended(band * carrier, padded, otf.pixel_um, k0))[np.ix_(rows, columns)]
        numerator = numerator + weight * spectrum
        denominator = denominator + weight * transfer

    add(np.asarray(widefield, dtype=np.complex128), (0.0, 0.0), 1.0, 1.0)
    for pattern, (separated, variances) in zip(patterns, unmixed, strict=True):
        harmonics = len(pattern.modulation)
        for order in [*range(-harmonics, 0), *range(1, harmonics + 1)]:
            depth = pattern.modulation[abs(order) - 1]
            if pattern.trusted and depth > 0:
                k0 = (order * pattern.kx, order * pattern.ky)
                add(separated[order + harmonics], k0, depth / 2, noise / variances[abs(order)])
    reach = np.mean([len(pattern.modulation) / pattern.period_um for pattern in patterns])
    cutoff = otf.cutoff + float(reach)
    shape = (apodization or ideal)(np.hypot(kx, ky), cutoff)
    quotient = shape / np.maximum(denominator + w * w, 1e-12)
    quotient[0, 0] = 1 / denominator[0, 0]
    corners = np.exp(-1j * np.pi * (kx + ky) * otf.pixel_um * (1 - 1 / factor))
    image = np.fft.ifft2(factor**2 * numerator * quotient * corners).real
    return np.asarray(image[: factor * y, : factor * x], dtype=np.float64)


def unmix(frames: Real, pattern: Pattern) -> tuple[Complex, list[float]]:
    """Return the bands of orders -h ... h, (2h + 1, y, x), and the noise variance of orders 0 ... h."""
    gains, phases = np.array(pattern.gains), np.array(pattern.phases_rad)
    harmonics = len(pattern.modulation)
    orders = np.arange(-harmonics, harmonics + 1)
    shifts = np.array([0.0, *(pattern.shifts_rad or [0.0] * harmonics)])[np.abs(orders)] * np.sign(orders)
    inverse = np.linalg.pinv(gains[:, None] * np.exp(1j * (np.outer(phases, orders) + shifts)))
    variances = (np.abs(inverse) ** 2) @ gains
    return np.tensordot(inverse, frames, axes=1), [float(value) for value in variances[harmonics:]]


def extended(image: Complex, padded: tuple[int, int], pixel_um: float, k0: tuple[float, float]) -> Complex:
    """Continue a demodulated band beyond its last row and column: its level, and the rest mirrored as it was before."""
    down = _extension(image.shape[0], padded[0], k0[1] * pixel_um)
    right = _extension(image.shape[1], padded[1], k0[0] * pixel_um)
    return np.asarray(down @ (image - image.mean()) @ right.T + image.mean(), dtype=np.complex128)


def _extension(size: int, padded: int, turns: float) -> Complex:
    """Matrix (padded, size) that modulates one axis again, mirrors it at both ends, blends, and demodulates."""
    gap = padded - size
    matrix = np.zeros((padded, size), dtype=np.complex128)
    matrix[:size] = np.eye(size)

    def wave(position: float) -> complex:
        return complex(np.exp(2j * np.pi * turns * position))

    for step in range(gap):
        share = 0.5 - 0.5 * np.cos(np.pi * (step + 0.5) / gap)
        last, first = size - 1 - step, gap - 1 - step
        matrix[size + step, last] += (1 - share) * wave(last) / wave(size + step)
        matrix[size + step, first] += share * wave(first) / wave(step - gap)
    return matrix


def transfer_at(otf: Otf, kx: Real, ky: Real) -> Real:
    """Ideal OTF times the pixel's MTF."""
    return np.asarray(
        ideal(np.hypot(kx, ky), otf.cutoff) * np.sinc(kx * otf.pixel_um) * np.sinc(ky * otf.pixel_um),
        dtype=np.float64,
    )


def ideal(k: Real, cutoff: float) -> Real:
    """Autocorrelation of a round pupil: the area of the lens that two discs share."""
    half_angle = np.arccos(np.minimum(k / cutoff, 1.0))
    return np.asarray((2 * half_angle - np.sin(2 * half_angle)) / np.pi, dtype=np.float64)


def _modulo(size: int, factor: int) -> NDArray[np.intp]:
    """Index on the raw grid of every SR frequency, in the order of fftfreq."""
    return np.asarray(np.rint(np.fft.fftfreq(factor * size) * factor * size).astype(np.intp) % size)


def _centres(size: int, otf: Otf) -> Real:
    return np.asarray((np.arange(size) + 0.5) * otf.pixel_um, dtype=np.float64)
