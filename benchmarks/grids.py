"""Band-limited interpolation between grids of pixel areas, by FFT, periodic."""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


def shifted(image: NDArray[np.generic], pixels: float) -> Complex:
    """Evaluate an image (y, x) `pixels` before each of its samples, along both axes."""
    spectrum = np.fft.fft2(image)
    y, x = (np.exp(-2j * np.pi * np.fft.fftfreq(size) * pixels) for size in image.shape)
    return np.asarray(np.fft.ifft2(spectrum * y[:, None] * x[None, :]), dtype=np.complex128)


def doubled(image: NDArray[np.generic]) -> Complex:
    """Interpolate (y, x) to (2y, 2x) pixels half as wide; the images' corners coincide."""
    return finer(image, 2)


def finer(image: NDArray[np.generic], factor: int) -> Complex:
    """Interpolate (y, x) to pixels of 1 / factor of the width; the images' corners coincide.

    The first centre lies half of a new pixel from the corner, not half of an old one.
    """
    spectrum = np.fft.fftshift(np.fft.fft2(shifted(image, 0.5 * (1 - 1 / factor))))
    padded = np.zeros([factor * size for size in image.shape], dtype=np.complex128)
    starts = [factor * size // 2 - size // 2 for size in image.shape]
    padded[tuple(slice(start, start + size) for start, size in zip(starts, image.shape, strict=True))] = spectrum
    return np.asarray(factor**2 * np.fft.ifft2(np.fft.ifftshift(padded)), dtype=np.complex128)
