"""Camera calibration by photon transfer: offset, gain and read noise of every pixel from dark and flat series.

A pixel of offset o [ADU], gain g [ADU/e-] and read variance v [ADU^2] that sees n electrons gives

    mean = o + g n,     variance = v + g^2 n = v + g (mean - o)

so darkness gives o and v, and light the slope g (Janesick, Photon Transfer, 2007; per pixel as in Huang et al., Nat.
Methods 2013, 10.1038/nmeth.2488). A lamp that flickers would add variance: flat frames are scaled to equal means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError

Map = npt.NDArray[np.float64]

LEAST_FRAMES = 16
"""Of each series: fewer say next to nothing of a variance."""
ROUNDING = 1 / 12
"""Variance that rounding to whole ADU adds [ADU^2]."""
HOT = 7.0
"""Robust standard deviations by which a hot pixel stands out in the dark."""
DEAD = 0.25
"""Gain, relative to the median, below which a pixel is dead."""
_LEAST_LIGHT = 5.0
"""Flat means must exceed the dark by so many times the read noise to tell the gain."""
_FEW_HOT = 0.05


class PixelStatistics:
    """Mean and variance of every pixel of a series that is fed in blocks (Chan et al. 1983)."""

    def __init__(self, dark: Map | None = None) -> None:
        """Start; with the `dark` level of every pixel [ADU], frames are scaled to equal light."""
        self._dark, self._level = dark, 0.0
        self._scales: list[float] = []
        self.count = 0
        self._first: Map = np.zeros(0)
        self._sum: Map = np.zeros(0)
        self._squares: Map = np.zeros(0)
        self.largest = -np.inf
        """Largest value of all."""

    def add(self, frames: npt.NDArray[np.generic]) -> None:
        """Take in frames (n, y, x), ADU."""
        for raw in frames:
            frame = self._levelled(raw.astype(np.float64))
            self.largest = max(self.largest, float(raw.max()))
            if self.count == 0:
                self._first, self._sum, self._squares = frame, np.zeros_like(frame), np.zeros_like(frame)
            difference = frame - self._first
            self._sum += difference
            self._squares += difference**2
            self.count += 1

    def _levelled(self, frame: Map) -> Map:
        if self._dark is None:
            return frame
        light = float((frame - self._dark).mean())
        self._level = self._level or light
        scale = self._level / light if light > 0 and self._level > 0 else 1.0
        self._scales.append(scale)
        levelled: Map = self._dark + (frame - self._dark) * scale
        return levelled

    @property
    def mean(self) -> Map:
        """(y, x) ADU."""
        mean: Map = self._first + self._sum / self.count
        return mean

    @property
    def variance(self) -> Map:
        """(y, x) ADU^2, unbiased."""
        variance: Map = (self._squares - self._sum**2 / self.count) / (self.count - 1)
        return variance

    def excess(self, dark_variance: Map) -> Map:
        """Return the variance of the light alone [ADU^2], for the light of `mean`.

        A frame that was scaled by s holds s^2 of the read noise and, since its light was less by s, s of the light's.
        """
        scales = np.asarray(self._scales or [1.0])
        excess: Map = (self.variance - (scales**2).mean() * dark_variance) / scales.mean()
        return excess


@dataclass(frozen=True, eq=False)
class CameraCalibration:
    """A camera's numbers and maps; the numbers are those of a typical pixel."""

    offset_adu: float
    gain_e_per_adu: float
    read_noise_e: float
    offset: Map
    """(y, x) ADU."""
    gain: Map
    """(y, x) ADU per electron, as sCMOS calibrations have it."""
    variance: Map
    """(y, x) dark variance, ADU^2."""
    hot: npt.NDArray[np.bool_]
    """Pixels that stand out in the dark, or do not see light."""
    points: tuple[tuple[float, float], ...]
    """The photon transfer curve: mean [ADU] and variance [ADU^2] above the dark, of each flat series."""
    nonlinearity: float
    """Largest deviation of the slope of a flat series from the gain, relative to it."""
    warnings: tuple[str, ...] = field(default=())


def photon_transfer(
    dark: PixelStatistics, flats: Sequence[PixelStatistics], *, saturation_adu: float | None = None, whole: bool = True
) -> CameraCalibration:
    """Calibrate.

    Args:
        dark: a series without light.
        flats: one or more series of steady, structureless light; several levels tell how linear the camera is.
        saturation_adu: largest value of the camera.
        whole: values were rounded to whole ADU.

    Raises:
        DataError: too few frames, too little light, or saturated frames; says which.
    """
    for name, one in [("dark", dark), *((f"flat {number}", one) for number, one in enumerate(flats, start=1))]:
        if one.count < LEAST_FRAMES:
            raise DataError(f"{name} series: {one.count} frames, at least {LEAST_FRAMES} are needed (100 are good)")
    offset, variance = dark.mean, dark.variance
    hot = _standing_out(offset) | _standing_out(np.log(variance.clip(min=1e-3)))
    points, usable = [], []
    for number, flat in enumerate(flats, start=1):
        signal, excess = (flat.mean - offset)[~hot], flat.excess(variance)[~hot]
        level, spread = float(signal.mean()), float(excess.mean())
        if saturation_adu is not None and flat.largest >= saturation_adu:
            raise DataError(f"flat {number}: saturated at {saturation_adu:g} ADU; take less light")
        if level < _LEAST_LIGHT * float(np.sqrt(np.median(variance))):
            raise DataError(
                f"flat {number}: its mean is {level:.1f} ADU above the dark, too little against the read noise to tell "
                "the gain; take more light (half of the camera's range is good)"
            )
        points.append((level, spread))
        usable.append(flat)
    slopes = np.array([spread / level for level, spread in points])
    gain = float(np.average(slopes, weights=[one.count for one in flats]))
    gains = _gain_map(offset, variance, usable, gain)
    dead = gains < DEAD * gain
    read = float(np.median(variance[~hot]) * _median_bias(dark.count)) - (ROUNDING if whole else 0.0)
    off = float(np.abs(slopes / gain - 1).max())
    return CameraCalibration(
        offset_adu=float(np.mean(offset[~hot])),
        gain_e_per_adu=1 / gain,
        read_noise_e=float(np.sqrt(max(read, 0.0))) / gain,
        offset=offset,
        gain=np.where(dead, gain, gains),
        variance=variance,
        hot=hot | dead,
        points=tuple(points),
        nonlinearity=off,
        warnings=tuple(_warnings(off, float((hot | dead).mean()), len(flats))),
    )


def _gain_map(offset: Map, variance: Map, flats: Sequence[PixelStatistics], gain: float) -> Map:
    """Fit every pixel's gain, and believe its deviation from the mean only as far as it exceeds chance.

    A variance of n frames scatters by sqrt(2 / n): a map of few frames would write that into every image.
    """
    signals = np.stack([flat.mean - offset for flat in flats])
    excesses = np.stack([flat.excess(variance) for flat in flats])
    scatter = np.stack([2 * flat.variance**2 / (flat.count - 1) for flat in flats])
    total = (signals.clip(min=1e-9) ** 2).sum(axis=0)
    found: Map = (signals * excesses).sum(axis=0) / total
    chance: Map = (signals**2 * scatter).sum(axis=0) / total**2
    middle = np.abs(found - np.median(found)) < 5 * 1.4826 * np.median(np.abs(found - np.median(found))) + 1e-12
    true = max(float(found[middle].var() - chance[middle].mean()), 0.0)
    shrunk: Map = gain + (found - gain) * true / (true + chance)
    # A pixel that is far off is off, whatever the others are like.
    far = np.abs(found - gain) > 6 * np.sqrt(chance + true)
    return np.where(far, found, shrunk)


def _standing_out(values: Map) -> npt.NDArray[np.bool_]:
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    standing: npt.NDArray[np.bool_] = values - middle > HOT * max(float(spread), 1e-6)
    return standing


def _median_bias(count: int) -> float:
    """Return mean / median of a variance of `count` normal values (Wilson and Hilferty 1931)."""
    degrees = count - 1
    return float((1 - 2 / (9 * degrees)) ** -3)


def _warnings(off: float, share: float, levels: int) -> list[str]:
    found = []
    if levels < 2:
        found.append("one flat series only: whether the camera is linear cannot be judged; take two or three levels")
    if off > 0.05:
        found.append(f"the slope of the flat series differs by {off:.0%}: lamp unsteady, or camera not linear")
    if share > _FEW_HOT:
        found.append(f"{share:.1%} of the pixels are hot or dead: was there light in the dark series?")
    return found
