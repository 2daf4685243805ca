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
    """Interpolate (y, x) to (2y, 2x) pixels half as wide; the images' corners coincide.

    The first centre lies a quarter of an old pixel from the corner, not half of one.
    """
    spectrum = np.fft.fftshift(np.fft.fft2(shifted(image, 0.25)))
    padded = np.zeros([2 * size for size in image.shape], dtype=np.complex128)
    corner = tuple(slice(size - size // 2, size - size // 2 + size) for size in image.shape)
    padded[corner] = spectrum
    return np.asarray(4 * np.fft.ifft2(np.fft.ifftshift(padded)), dtype=np.complex128)
