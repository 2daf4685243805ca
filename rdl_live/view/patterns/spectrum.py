"""The power spectrum of an image, and what its circles and points mean. Display only.

A 512 x 512 spectrum takes about 20 ms on one thread.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rdl_live.view.panes.picture import Picture

if TYPE_CHECKING:  # loads torch, which the window must not wait for
    from rdl_live.optics.pattern import PatternSet

LARGEST = 512
"""Side of the part that is transformed: its middle. Larger ones show no more on a screen."""
SOFT = 0.15
"""Share of the side over which the image fades out at each edge: hard edges make a bright cross."""
DARK_PERCENT, BRIGHT_PERCENT = 10.0, 99.95


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Logarithm of the power, zero frequency in the middle: element (rows // 2, columns // 2)."""

    log_power: npt.NDArray[np.float32]
    """(ky, kx), log10 of the power."""
    step: tuple[float, float]
    """From one element to the next, (ky, kx) [cycles/um]."""

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of all elements [cycles/um]."""
        rows, columns = self.log_power.shape
        dy, dx = self.step
        return -(columns // 2 + 0.5) * dx, -(rows // 2 + 0.5) * dy, columns * dx, rows * dy

    def levels(self) -> tuple[float, float]:
        """Return what is shown black and white."""
        low, high = np.percentile(self.log_power, (DARK_PERCENT, BRIGHT_PERCENT))
        return float(low), float(max(high, low + 1e-3))


@dataclass(frozen=True)
class Circle:
    """A circle around zero frequency."""

    radius: float
    """[cycles/um]."""
    name: str
    meaning: str

    @property
    def label(self) -> str:
        """Name and radius."""
        return f"{self.name} {frequency_words(self.radius)}"


@dataclass(frozen=True)
class Point:
    """The wave vector of a pattern, or of one of its harmonics; it is marked at plus and minus."""

    kx: float
    ky: float
    name: str
    trusted: bool

    @property
    def label(self) -> str:
        """Name and frequency."""
        return f"{self.name} {frequency_words(math.hypot(self.kx, self.ky))}" + ("" if self.trusted else ", unsure")


@dataclass(frozen=True)
class Marks:
    """What is drawn over a spectrum."""

    circles: tuple[Circle, ...] = ()
    points: tuple[Point, ...] = ()


def power_spectrum(picture: Picture) -> Spectrum:
    """Return the spectrum of the middle of an image; what is not a number counts as the mean."""
    rows, columns = (min(side, LARGEST) for side in picture.pixels.shape)
    top, left = ((side - part) // 2 for side, part in zip(picture.pixels.shape, (rows, columns), strict=True))
    part = picture.pixels[top : top + rows, left : left + columns].astype(np.float32)
    finite = np.isfinite(part)
    mean = float(part[finite].mean()) if finite.any() else 0.0
    part = np.where(finite, part, mean) - np.float32(mean)
    part *= _fade(rows)[:, None] * _fade(columns)[None, :]
    power = np.abs(np.fft.fftshift(np.fft.fft2(part))) ** 2
    # Far below any signal, so that an empty image is black and not minus infinity.
    floor = max(float(power.max()) * 1e-12, 1e-20)
    return Spectrum(
        np.log10(power + floor).astype(np.float32),
        (1 / (rows * picture.pixel_um), 1 / (columns * picture.pixel_um)),
    )


def spectrum_marks(cutoff: float, patterns: "PatternSet | None", *, super_resolved: bool) -> Marks:
    """Return the circles and points of a spectrum.

    Args:
        cutoff: of the detection, 2 NA / emission wavelength [cycles/um].
        patterns: the illumination, if it is known.
        super_resolved: whether the image is; its support then reaches the mean |k0| beyond the cut-off, as
            `optics.extended_cutoff` has it.
    """
    circles = [
        Circle(cutoff, "OTF cut-off", "No finer detail passes the objective: beyond it a raw frame holds only noise")
    ]
    points = []
    for index, pattern in enumerate(patterns or ()):
        for harmonic in range(1, len(pattern.modulation) + 1):
            name = f"k0 of orientation {index + 1}" if harmonic == 1 else f"{harmonic} k0 of orientation {index + 1}"
            points.append(Point(harmonic * pattern.kx, harmonic * pattern.ky, name, pattern.trusted))
    reaches = [len(pattern.modulation) / pattern.period_um for pattern in patterns or () if pattern.trusted]
    if super_resolved and reaches:
        meaning = "The finest detail that the patterns bring within reach of the objective"
        circles.append(Circle(cutoff + sum(reaches) / len(reaches), "SR cut-off", meaning))
    return Marks(tuple(circles), tuple(points))


def frequency_words(frequency: float) -> str:
    """Return a spatial frequency [cycles/um] with its period: "5.68 /µm (176 nm)"."""
    return f"{frequency:.2f} /µm ({1000 / frequency:.0f} nm)" if frequency > 0 else "0 /µm"


def reading(kx: float, ky: float) -> str:
    """Tell what is at a place of the spectrum [cycles/um]."""
    frequency = math.hypot(kx, ky)
    if frequency < 1e-9:
        return "zero frequency: the mean brightness"
    direction = math.degrees(math.atan2(ky, kx)) % 180
    return f"{frequency:.2f} cycles/µm, period {1000 / frequency:.0f} nm, direction {direction:.0f}°"


@cache
def _fade(side: int) -> npt.NDArray[np.float32]:
    """Return a window that is 1 in the middle and fades out to both edges (Tukey's)."""
    from_edge = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (SOFT * side)
    return np.asarray(np.sin(np.pi / 2 * np.minimum(from_edge, 1.0)) ** 2, np.float32)
