"""The camera chip: gain, offset, noise, hot pixels, saturation, binning."""

import numpy as np
import pytest

from rdl_devices.sim import WorldSettings
from rdl_devices.sim.sensor import Sensor
from rdl_devices.sim.view import Region

SIDE = 256
WHOLE = Region(0, 0, SIDE, SIDE)


def counts(photons: float, *, binning: int = 1, exposure_ms: float = 5.0, **fields: object) -> np.ndarray:
    """Return an evenly lit frame."""
    plain = {"pixel_maps": False, "hot_pixels": 0.0}
    sensor = Sensor(WorldSettings(sensor_px=SIDE).replace(**{**plain, **fields}))
    return sensor.read(np.full((SIDE, SIDE), photons, np.float32), WHOLE, exposure_ms, binning).astype(float)


@pytest.mark.parametrize("photons", [0.0, 5.0, 80.0, 2000.0])
def test_mean_and_variance_are_the_photons(photons: float) -> None:
    electrons = (counts(photons) - 100) * 0.46
    # Shot noise, read noise of 1.6 e and the rounding to whole counts.
    variance = photons + 1.6**2 + 0.46**2 / 12
    assert electrons.mean() == pytest.approx(photons, abs=5 * np.sqrt(variance) / SIDE)
    assert electrons.var() == pytest.approx(variance, rel=0.03)


def test_saturation_is_the_full_well_and_16_bits() -> None:
    full = counts(1e6, full_well_e=20_000)
    assert full.mean() == pytest.approx(100 + 20_000 / 0.46, rel=1e-3)
    assert counts(1e6, full_well_e=1e6).min() == 65535


def test_binning_sums_photons_and_reads_each_pixel() -> None:
    binned = (counts(20, binning=2) - 100) * 0.46
    assert binned.shape == (SIDE // 2, SIDE // 2)
    assert binned.mean() == pytest.approx(80, rel=0.01)
    assert binned.var() == pytest.approx(4 * (20 + 1.6**2), rel=0.05)


def test_hot_pixels_glow_with_the_exposure_time() -> None:
    short, long = (counts(0, hot_pixels=0.01, exposure_ms=ms) for ms in (1.0, 1000.0))
    assert (short > 200).sum() == 0
    assert (long > 200).mean() == pytest.approx(0.01, rel=0.2)


def test_the_maps_are_those_of_the_pixels() -> None:
    """Many dark frames give the offset and read-noise maps, a bright one the gain."""
    sensor = Sensor(WorldSettings(sensor_px=64, hot_pixels=0.0))
    whole = Region(0, 0, 64, 64)
    dark = np.stack([sensor.read(np.zeros((64, 64), np.float32), whole, 0.01, 1) for _ in range(400)])
    assert np.corrcoef(dark.mean(0).ravel(), sensor.offset_adu.ravel())[0, 1] > 0.97
    noise = dark.std(0) * sensor.gain_e_per_adu
    assert np.corrcoef(noise.ravel(), sensor.read_noise_e.ravel())[0, 1] > 0.95
    assert np.sqrt((sensor.read_noise_e**2).mean()) == pytest.approx(1.6, rel=0.03)
    again = Sensor(WorldSettings(sensor_px=64, hot_pixels=0.0))
    assert (again.offset_adu == sensor.offset_adu).all()


@pytest.mark.parametrize("chip", ["ideal", "scmos", "emccd"])
def test_every_chip_keeps_photons(chip: str) -> None:
    electrons = (counts(30.0, chip=chip) - 100) * 0.46
    assert np.median(electrons) == pytest.approx(30, abs=2.5)
    assert electrons.mean() == pytest.approx(30, rel=0.03)


def test_chips_have_the_noise_of_their_kind() -> None:
    ideal, multiplied = (((counts(30.0, chip=chip) - 100) * 0.46).var() for chip in ("ideal", "emccd"))
    assert ideal == pytest.approx(30 + 1.6**2, rel=0.05)
    # An EM register doubles the variance of the light; what its pixels share lowers it again by some per cent.
    assert multiplied == pytest.approx(60, rel=0.12)
    uneven = Sensor(WorldSettings(sensor_px=SIDE, chip="scmos")).offset_adu
    assert uneven.std() == pytest.approx(1.0, rel=0.25)
