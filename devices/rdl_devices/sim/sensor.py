"""The sCMOS chip: photons to counts, pixel by pixel.

photo-electrons + dark current -> Poisson -> full well -> EM register -> read noise -> coupling -> binned sum
-> / gain + offset -> 16 bit
"""

import numpy as np
from numpy.typing import NDArray

from rdl_devices.sim.photons import poisson
from rdl_devices.sim.settings import WorldSettings
from rdl_devices.sim.view import Region
from rdl_live.optics import sensor as chips

Floats = NDArray[np.float32]

LARGEST_ADU = 65535
DARK_E_S = 0.1
"""Dark current of a usual pixel [electrons/s]."""
HOT_E_S = (100.0, 2000.0)
"""Dark current of a hot one, from and to."""
OFFSET_SPREAD_ADU = 1.5
GAIN_SPREAD = 0.01
NOISE_RESERVE = 1_000_003
"""Read-noise numbers beyond three frames of them."""
NOISE_SPREAD = 0.25
"""Width of the log-normal spread of read noise over the pixels."""


class Sensor:
    """A camera chip with its fixed pattern, which depends on the seed and the size alone."""

    def __init__(self, settings: WorldSettings) -> None:
        self._settings = settings
        side = settings.sensor_px
        fixed = np.random.default_rng([settings.seed, side])
        calibration = settings.camera
        self.offset_adu = np.full((side, side), calibration.offset_adu, np.float32)
        self.gain_e_per_adu = np.full((side, side), calibration.gain_e_per_adu, np.float32)
        self.read_noise_e = np.full((side, side), calibration.read_noise_e, np.float32)
        self._kind = chips.SENSORS.get(settings.chip)
        if self._kind is not None:
            maps = chips.Sensor(self._kind, calibration, (side, side), settings.seed).maps
            self.offset_adu, self.gain_e_per_adu = maps.offset_adu.numpy(), maps.gain_e_per_adu.numpy()
            self.read_noise_e = maps.read_noise_e.numpy()
        elif settings.pixel_maps:
            self.offset_adu += OFFSET_SPREAD_ADU * fixed.standard_normal((side, side), np.float32)
            self.gain_e_per_adu *= 1 + GAIN_SPREAD * fixed.standard_normal((side, side), np.float32)
            # The mean variance stays that of the calibration.
            spread = np.exp(NOISE_SPREAD * fixed.standard_normal((side, side), np.float32) - NOISE_SPREAD**2)
            self.read_noise_e *= spread
        self._adu_per_e = 1 / self.gain_e_per_adu
        hot_share = settings.hot_pixels if self._kind is None else self._kind.hot_share
        hot = fixed.random((side, side)) < hot_share
        self.dark_e_s = np.where(hot, fixed.uniform(*HOT_E_S, (side, side)), DARK_E_S).astype(np.float32)
        self._rng = np.random.Generator(np.random.SFC64(settings.seed))
        # Read noise is drawn once, and each frame begins somewhere else in it: that saves half a millisecond.
        self._normal = self._rng.standard_normal(3 * side * side + NOISE_RESERVE, np.float32)

    def read(self, photons: Floats, region: Region, exposure_ms: float, binning: int) -> NDArray[np.uint16]:
        """Return the counts of one exposure.

        Args:
            photons: expected photo-electrons of the region, (height, width) float32.
            region: part of the chip.
            exposure_ms: for the dark current.
            binning: pixels summed along each axis, after they are read.

        Returns:
            (height // binning, width // binning) ADU.
        """
        window = (
            slice(region.top, region.top + region.height),
            slice(region.left, region.left + region.width),
        )
        mean = np.maximum(photons, 0) + self.dark_e_s[window] * np.float32(exposure_ms * 1e-3)
        electrons = poisson(mean, self._rng)
        np.minimum(electrons, np.float32(self._settings.full_well_e), out=electrons)
        if self._kind is not None and self._kind.multiplying:
            electrons = self._rng.standard_gamma(electrons, dtype=np.float32)
        electrons += self.read_noise_e[window] * self._noise(mean.shape)
        if self._kind is not None and self._kind.coupling > 0:
            electrons = _coupled(electrons, np.float32(self._kind.coupling))
        electrons *= self._adu_per_e[window]
        if binning == 1:
            electrons += self.offset_adu[window]
        else:
            mean_offset = _binned(self.offset_adu[window], binning) / np.float32(binning**2)
            electrons = _binned(electrons, binning) + mean_offset
        np.rint(electrons, out=electrons)
        return np.clip(electrons, 0, LARGEST_ADU).astype(np.uint16, copy=False)

    def _noise(self, shape: tuple[int, int]) -> Floats:
        """Return independent normal numbers of variance 1."""
        count = shape[0] * shape[1]
        first = int(self._rng.integers(self._normal.size - count))
        return self._normal[first : first + count].reshape(shape)


def _coupled(electrons: Floats, share: np.float32) -> Floats:
    """Let each pixel show `share` of each neighbour."""
    padded = np.pad(electrons, 1, mode="edge")
    around: Floats = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return electrons * (1 - 4 * share) + around * share


def _binned(image: Floats, binning: int) -> Floats:
    """Sum blocks of binning x binning pixels; what is left over at the edges is cut off."""
    height, width = image.shape[0] // binning, image.shape[1] // binning
    blocks = image[: height * binning, : width * binning].reshape(height, binning, width, binning)
    summed: Floats = blocks.sum(axis=(1, 3), dtype=np.float32)
    return summed
