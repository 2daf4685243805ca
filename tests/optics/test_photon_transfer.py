"""Camera calibration: what was put into simulated dark and flat series comes out."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rdl_live.errors import DataError
from rdl_live.optics import Camera
from rdl_live.optics.noise import CameraMaps, expose
from rdl_live.optics.photon_transfer import CameraCalibration, PixelStatistics, photon_transfer

SHAPE = (64, 80)
GAIN, READ, OFFSET = 0.46, 1.6, 100.0
HOT = ((10, 20), (50, 60))


def true_maps(spread: float = 0.02) -> CameraMaps:
    rng = np.random.default_rng(1)
    offset = torch.tensor(OFFSET + rng.normal(0, 1.5, SHAPE), dtype=torch.float32)
    gain = torch.tensor(GAIN * (1 + spread * rng.normal(size=SHAPE)), dtype=torch.float32)
    read = torch.tensor(READ * np.exp(0.2 * rng.normal(size=SHAPE)), dtype=torch.float32)
    offset[HOT[0]], read[HOT[1]] = offset[HOT[0]] + 60, 20.0
    return CameraMaps(offset, gain, read)


def record(maps: CameraMaps, photons: float, frames: int, seed: int, lamp: float = 0.0) -> npt.NDArray[np.uint16]:
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(-1, 1, SHAPE[0]), torch.linspace(-1, 1, SHAPE[1]), indexing="ij")
    profile = 1 - 0.3 * (x**2 + y**2) / 2
    light = photons * (1 + lamp * torch.randn(frames, 1, 1, generator=generator))
    return expose(profile * light, Camera(), generator=generator, maps=maps).numpy()


def calibrated(
    maps: CameraMaps, frames: int = 100, lamp: float = 0.0, levels: tuple[float, ...] = (100, 800)
) -> CameraCalibration:
    dark = PixelStatistics()
    dark.add(record(maps, 0.0, frames, 5))
    flats = []
    for number, level in enumerate(levels):
        flat = PixelStatistics(dark.mean)
        for block in np.array_split(record(maps, level, frames, 6 + number, lamp), 7):
            flat.add(block)
        flats.append(flat)
    return photon_transfer(dark, flats, saturation_adu=65535)


@pytest.mark.parametrize("lamp", [0.0, 0.03])
def test_offset_gain_and_read_noise_come_out_whatever_the_lamp_does(lamp: float) -> None:
    maps = true_maps()
    found = calibrated(maps, lamp=lamp)
    assert found.offset_adu == pytest.approx(OFFSET, abs=0.5)
    assert found.gain_e_per_adu == pytest.approx(GAIN, rel=0.02)
    assert found.read_noise_e == pytest.approx(READ, rel=0.05)
    assert float(np.abs(found.offset - maps.offset_adu.numpy()).mean()) < 0.5
    assert found.nonlinearity < 0.02
    assert found.warnings == ()


def test_hot_pixels_are_in_the_maps() -> None:
    found = calibrated(true_maps())
    assert [bool(found.hot[place]) for place in HOT] == [True, True]
    assert found.hot.sum() < 8
    assert found.offset[HOT[0]] > OFFSET + 50
    assert found.variance[HOT[1]] > 20 * np.median(found.variance)


def test_the_gain_map_shows_real_differences_and_not_chance() -> None:
    alike, unlike = true_maps(spread=0.0), true_maps(spread=0.2)
    assert calibrated(alike).gain.std() * GAIN < 0.03  # the variance of 200 frames scatters by 0.1
    found = calibrated(unlike, frames=300)
    assert float(np.corrcoef(found.gain.ravel(), 1 / unlike.gain_e_per_adu.numpy().ravel())[0, 1]) > 0.85


def test_too_little_is_refused_in_words() -> None:
    maps = true_maps()
    with pytest.raises(DataError, match="dark series: 5 frames"):
        calibrated(maps, frames=5)
    with pytest.raises(DataError, match=r"flat 1: its mean is .* too little"):
        calibrated(maps, levels=(1.0,))
    with pytest.raises(DataError, match="flat 1: saturated"):
        calibrated(maps, levels=(40000.0,))


def test_one_level_and_light_in_the_dark_are_told() -> None:
    assert any("one flat series" in text for text in calibrated(true_maps(), levels=(300,)).warnings)
