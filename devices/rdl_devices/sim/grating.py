"""From the picture on the SLM to the light on the sample, and back.

The SLM is imaged onto the sample; a mask in the pupil blocks the zero order, so that two beams, the orders +1
and -1 of the displayed grating, interfere. With the grating cos(2 pi f . s + psi), s in SLM pixels, and p the
SLM pixel in the sample, the light is

    1 + m cos(2 pi k0 . r + phi),    k0 = 2 f / p,    phi = 2 (psi + 2 pi f . s0)

where s0 is where the corner of the camera chip (r = 0) lies on the SLM; the centres of both coincide. So the
fringes' period is half the demagnified grating's, and shifting the grating by 1/6 of its period shifts the
fringes by 1/3 of theirs. Analysing a 1024 x 1024 picture takes 35 ms on one CPU thread, once for each picture.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from rdl_live.optics.incidence import Incidence

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

ZERO_ORDER = 0.02
"""Frequencies below this are blocked with the zero order [cycles per SLM pixel]."""
LOBE_BINS = 3.0
"""Half-width of a peak under the Hann window, with a reserve [FFT bins]."""
FAINT = 1e-3
"""Amplitude (of full scale) below which nothing is a grating."""


@dataclass(frozen=True)
class SlmGeometry:
    """How the SLM lies on the camera chip."""

    shape: tuple[int, int]
    """SLM (y, x) [pixels]."""
    pixel_um: float
    """SLM pixel in the sample [um]."""
    sensor_um: tuple[float, float]
    """Camera chip in the sample, (y, x) [um]."""

    @property
    def corner_px(self) -> tuple[float, float]:
        """Where the chip's top-left corner lies on the SLM, (y, x) [SLM pixels from its corner]."""
        y, x = (n / 2 - um / (2 * self.pixel_um) for n, um in zip(self.shape, self.sensor_um, strict=True))
        return y, x


@dataclass(frozen=True)
class Grating:
    """The strongest grating in a picture: contrast cos(2 pi (fx x + fy y) + phase), pixel centres at + 0.5."""

    fx: float
    fy: float
    """Frequency [cycles per SLM pixel]."""
    phase_rad: float
    """At the SLM's top-left corner."""
    efficiency: float
    """Light in its first orders, relative to those of a perfect binary grating."""
    purity: float
    """Share of the light through the pupil that is in those two orders, 0 to 1."""


@dataclass(frozen=True)
class Fringe:
    """The light on the sample: brightness (1 + modulation cos(2 pi (kx x + ky y) + phase)), corner of the chip at 0."""

    kx: float
    ky: float
    """Wave vector [cycles/um]."""
    phase_rad: float
    """At the top-left corner of the camera chip."""
    modulation: float
    brightness: float
    """Mean light relative to a perfect binary grating; 0 in the dark."""
    incidence: Incidence | None = None
    """How its beams enter the sample; None: straight through it."""

    @property
    def k(self) -> float:
        """Length of the wave vector [cycles/um]."""
        return math.hypot(self.kx, self.ky)

    @property
    def period_um(self) -> float:
        """Period of the fringes [um]; 0 where there are none."""
        return 1 / self.k if self.k else 0.0

    @property
    def angle_deg(self) -> float:
        """Direction of the wave vector [degrees] in [0, 180), x to the right, y down."""
        return math.degrees(math.atan2(self.ky, self.kx)) % 180.0


DARK = Fringe(0.0, 0.0, 0.0, 0.0, 0.0)
"""What a blank SLM gives: all light is in the zero order, which the mask blocks."""


EVEN = Grating(0.0, 0.0, 0.0, efficiency=1.0, purity=0.0)
"""No grating at all, but a mirror: all light is even."""


def draw(kx: float, ky: float, phase_rad: float, geometry: SlmGeometry, *, binary: bool = True) -> Image:
    """Return the picture that puts fringes of this wave vector and phase on the sample.

    Args:
        kx: wave vector of the fringes along x [cycles/um].
        ky: along y [cycles/um].
        phase_rad: phase of the fringes at the top-left corner of the camera chip.
        geometry: SLM and chip.
        binary: 0 and 255 only, as ferroelectric SLMs want it; else a sine of 256 levels.
    """
    fx, fy = 0.5 * kx * geometry.pixel_um, 0.5 * ky * geometry.pixel_um
    top, left = geometry.corner_px
    along_y = 2 * math.pi * fy * (np.arange(geometry.shape[0]) + (0.5 - top)) + 0.5 * phase_rad
    along_x = 2 * math.pi * fx * (np.arange(geometry.shape[1]) + (0.5 - left))
    # cos(a + b) from the cosines and sines of both axes: an SLM has a million pixels, and nine pictures are drawn.
    wave = np.outer(np.cos(along_y), np.cos(along_x))
    wave -= np.outer(np.sin(along_y), np.sin(along_x))
    if binary:
        return np.where(wave > 0, np.uint8(255), np.uint8(0))
    return np.rint(127.5 * (1 + wave)).astype(np.uint8)


def grating_for(kx: float, ky: float, phase_rad: float, geometry: SlmGeometry) -> Grating:
    """Return the perfect grating that puts fringes of this wave vector and phase on the sample; see `draw`."""
    fx, fy = 0.5 * kx * geometry.pixel_um, 0.5 * ky * geometry.pixel_um
    top, left = geometry.corner_px
    return Grating(fx, fy, 0.5 * phase_rad - 2 * math.pi * (fx * left + fy * top), efficiency=1.0, purity=1.0)


def analyse(image: Image) -> Grating | None:
    """Return the strongest grating in a picture (y, x) uint8, or None where there is none.

    The peak of the Hann-windowed spectrum, refined between its samples by the discrete-time Fourier transform.
    """
    window, fy, fx, radius = _grid(image.shape)
    contrast = image.astype(np.float32) / np.float32(255)
    weight = float(window.sum())
    # Minus the mean under the window, so that the zero order has no side lobes.
    seen = (contrast - np.float32((contrast * window).sum() / weight)) * window
    spectrum = torch.fft.rfft2(torch.from_numpy(seen)).numpy()
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    power[radius < ZERO_ORDER] = 0
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    if math.sqrt(power[row, column]) < FAINT * weight:
        return None
    found_y, found_x = _refine(seen, float(fy[row, 0]), float(fx[0, column]))
    amplitude = complex(_transforms(seen, [found_y], [found_x])[0, 0]) / weight
    return Grating(
        fx=found_x,
        fy=found_y,
        phase_rad=math.atan2(amplitude.imag, amplitude.real),
        efficiency=min((abs(amplitude) * math.pi) ** 2, 1.0),
        purity=_purity(power, image.shape, found_y, found_x),
    )


@lru_cache(maxsize=2)
def _grid(shape: tuple[int, int]) -> tuple[Floats, Floats, Floats, Floats]:
    """Return window (y, x), frequencies fy (y, 1), fx (1, x) and their radius, in the layout of rfft2."""
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in shape)).astype(np.float32)
    fy = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(shape[1]).astype(np.float32)[None, :]
    return window, fy, fx, np.hypot(fx, fy)


def fringe(
    grating: Grating | None, geometry: SlmGeometry, *, modulation: float = 1.0, largest_k: float = math.inf
) -> Fringe:
    """Return the light that a displayed grating puts on the sample.

    Args:
        grating: what is displayed.
        geometry: SLM and chip.
        modulation: depth that the optics leave of a perfect grating.
        largest_k: wave vector [cycles/um] beyond which the orders miss the objective's pupil: darkness.
    """
    if grating is None:
        return DARK
    if grating.purity == 0:
        return Fringe(0.0, 0.0, 0.0, 0.0, grating.efficiency)
    kx, ky = 2 * grating.fx / geometry.pixel_um, 2 * grating.fy / geometry.pixel_um
    if math.hypot(kx, ky) > largest_k:
        return DARK
    top, left = geometry.corner_px
    phase = 2 * (grating.phase_rad + 2 * math.pi * (grating.fx * left + grating.fy * top))
    return Fringe(
        kx=kx,
        ky=ky,
        phase_rad=math.remainder(phase, 2 * math.pi),
        modulation=modulation * grating.purity,
        brightness=min(grating.efficiency / grating.purity, 1.0),
    )


def _transforms(seen: Floats, fy: list[float], fx: list[float]) -> NDArray[np.complex128]:
    """Return the Fourier transform of a picture at all pairs of frequencies, (fy, fx), pixel centres at + 0.5."""
    y, x = (np.arange(n) + 0.5 for n in seen.shape)
    turns = 2 * math.pi * np.outer(x, fx)  # (x, fx)
    # Real products: a million pixels need not become complex for it.
    across = seen @ np.concatenate([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)
    count = turns.shape[1]
    result: NDArray[np.complex128] = np.exp(-2j * math.pi * np.outer(fy, y)) @ (
        across[:, :count] - 1j * across[:, count:]
    )
    return result


def _refine(seen: Floats, fy: float, fx: float) -> tuple[float, float]:
    """Climb from a sample of the spectrum to its true peak: parabolas through the log power, ever closer."""
    for bins in (0.5, 0.25, 0.1):
        step_y, step_x = bins / seen.shape[0], bins / seen.shape[1]
        power = np.abs(_transforms(seen, [fy - step_y, fy, fy + step_y], [fx - step_x, fx, fx + step_x]))
        log = np.log(np.maximum(power, 1e-12))
        fy += step_y * _vertex(log[:, 1])
        fx += step_x * _vertex(log[1, :])
    return fy, fx


def _vertex(values: NDArray[np.float64]) -> float:
    """Return where the parabola through samples at -1, 0, 1 peaks, at most 1.5 away."""
    before, here, after = (float(value) for value in values)
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else min(max(0.5 * (before - after) / bend, -1.5), 1.5)


def _purity(power: Floats, shape: tuple[int, int], peak_y: float, peak_x: float) -> float:
    """Return the peak's share of the power in the annulus of the pupil that the mask leaves open."""
    _, fy, fx, radius = _grid(shape)
    peak = math.hypot(peak_y, peak_x)
    total = float(power[(radius > 0.5 * peak) & (radius < 1.5 * peak)].sum())
    lobe = np.zeros(power.shape, bool)
    # The mirror peak is in rfft2's half of the spectrum only where the wave runs almost along y.
    for sign in (1, -1):
        along_y = np.remainder(fy - sign * peak_y + 0.5, 1.0) - 0.5
        lobe |= np.square((fx - sign * peak_x) * shape[1]) + np.square(along_y * shape[0]) < LOBE_BINS**2
    return min(float(power[lobe].sum()) / total, 1.0) if total else 0.0
