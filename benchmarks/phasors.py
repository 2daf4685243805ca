"""Images of points by the sum of their Fourier phasors: a forward model that shares nothing with the program's own.

    frame(r) = sum_n w_n h(r - r_n),   spectrum(f) = H(f) sum_n w_n exp(-2 pi i f . r_n)

with each point's weight w_n the light of the pattern where the point lies. There is no grid that is finer than the
camera's, hence nothing to be sampled down or to alias.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.grids import Complex, Real

MARGIN_PX = 16
"""Pixels simulated around the view, so that what is periodic does not meet itself."""


@dataclass(frozen=True)
class Points:
    """What glows."""

    place_um: Real
    """(n, 2), y and x from the view's corner [um]."""
    light: Real
    """(n,), relative."""


@dataclass(frozen=True)
class Eye:
    """An objective and a camera."""

    na: float
    emission_um: float
    pixel_um: float
    damping_um: float = 0.0
    """a of the factor exp(-a f) on the ideal OTF."""

    @property
    def cutoff(self) -> float:
        """[cycles/um]."""
        return 2 * self.na / self.emission_um

    def transfer(self, f: Real, fy: Real, fx: Real) -> Real:
        """Return the OTF of objective and pixel."""
        s = np.minimum(f / self.cutoff, 1.0)
        ideal = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s))
        return np.asarray(
            ideal * np.exp(-self.damping_um * f) * np.sinc(fy * self.pixel_um) * np.sinc(fx * self.pixel_um)
        )


def seen(points: Points, weights: Real, eye: Eye, size: int, *, blur_um: float = 0.0) -> Real:
    """Return a frame without noise (size, size), photons per pixel if `weights` (n,) are photons."""
    spectrum, f, fy, fx = _spectrum(points.place_um, weights, eye.pixel_um, size)
    spectrum = spectrum * eye.transfer(f, fy, fx) * np.exp(-2 * (np.pi * blur_um * f) ** 2)
    return _view(spectrum, 1)


def ideal(points: Points, weights: Real, eye: Eye, size: int, cutoff: float, *, blur_um: float = 0.0) -> Real:
    """Return what a perfect image of that cut-off shows, (2 size, 2 size), photons per raw pixel area."""
    spectrum, f, _, _ = _spectrum(points.place_um, weights, eye.pixel_um / 2, 2 * size, margin=2 * MARGIN_PX)
    s = np.minimum(f / cutoff, 1.0)
    transfer = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s)) * np.exp(-2 * (np.pi * blur_um * f) ** 2)
    return 4 * _view(spectrum * transfer, 2)


def _spectrum(
    place_um: Real, weights: Real, pixel_um: float, size: int, margin: int = MARGIN_PX
) -> tuple[Complex, Real, Real, Real]:
    """Return the sum of phasors at the frequencies of the grid with its margin, and |f|, fy, fx."""
    whole = size + 2 * margin
    axis = np.fft.fftfreq(whole, pixel_um)
    # From the centre of the first pixel of the margin.
    place = place_um + (margin - 0.5) * pixel_um
    inside = np.all((place > 0) & (place < whole * pixel_um), axis=1)
    place, weights = place[inside], weights[inside]
    down, across = (np.exp(-2j * np.pi * np.outer(axis, place[:, i])).astype(np.complex64) for i in (0, 1))
    spectrum = (down * weights.astype(np.float32)) @ across.T
    fy, fx = axis[:, None], axis[None, :]
    return spectrum.astype(np.complex128), np.hypot(fy, fx), fy, fx


def _view(spectrum: Complex, factor: int) -> Real:
    margin = factor * MARGIN_PX
    return np.asarray(np.fft.ifft2(spectrum).real[margin:-margin, margin:-margin])
