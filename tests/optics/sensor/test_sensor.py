"""Chips that are not ideal: what is fixed stays, noise has the size that its physics says."""

import numpy as np
import pytest
import torch

from rdl_live.optics.microscope import Camera
from rdl_live.optics.noise import to_photons
from rdl_live.optics.sensor import SENSORS, Sensor, SensorSettings

CAMERA = Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6)
SHAPE = (200, 240)


def photons(settings: SensorSettings, light: float, frames: int = 1, camera: Camera = CAMERA) -> torch.Tensor:
    chip = Sensor(settings, camera, SHAPE, seed=3)
    adu = chip.expose(torch.full((frames, *SHAPE), light), torch.Generator().manual_seed(1))
    return to_photons(adu, camera)


def test_an_ideal_chip_is_the_camera() -> None:
    found = photons(SensorSettings(), 20.0)
    assert found.mean().item() == pytest.approx(20, rel=0.005)
    assert found.var().item() == pytest.approx(20 + 1.6**2 + 0.46**2 / 12, rel=0.03)


@pytest.mark.parametrize("name", sorted(SENSORS))
def test_photons_are_kept_by_every_chip(name: str) -> None:
    assert photons(SENSORS[name].replace(hot_share=0.0), 12.0, 4).mean().item() == pytest.approx(12, rel=0.02)


def test_the_offsets_pattern_is_in_every_frame_and_of_its_size() -> None:
    chip = Sensor(SensorSettings(fixed_pattern_adu=1.0), CAMERA, SHAPE, seed=3)
    assert chip.fixed_pattern_adu.std().item() == pytest.approx(1.0, rel=0.1)
    film = chip.expose(torch.zeros(64, *SHAPE), torch.Generator().manual_seed(1)).to(torch.float32)
    first, second = film[:32].mean(0), film[32:].mean(0)
    common = np.cov(first.flatten(), second.flatten())[0, 1]
    assert common == pytest.approx(float(chip.fixed_pattern_adu.var()), rel=0.1)
    other = Sensor(SensorSettings(fixed_pattern_adu=1.0), CAMERA, SHAPE, seed=4)
    assert not torch.equal(chip.fixed_pattern_adu, other.fixed_pattern_adu)


def test_an_em_register_doubles_the_variance() -> None:
    quiet = CAMERA.replace(read_noise_e=0.0, gain_e_per_adu=0.1)
    found = photons(SensorSettings(multiplying=True), 9.0, 2, quiet)
    assert found.mean().item() == pytest.approx(9, rel=0.01)
    assert found.var().item() == pytest.approx(18, rel=0.03)


def test_coupled_pixels_are_alike_and_nothing_is_lost() -> None:
    noise = photons(SensorSettings(coupling=0.05), 100.0)
    noise = noise - noise.mean()
    along = float((noise[..., 1:] * noise[..., :-1]).mean() / noise.var())
    kernel = np.array([0.05, 0.8, 0.05])
    # Neighbours share 2 x 0.8 x 0.05 of 0.8^2 + 4 x 0.05^2.
    assert along == pytest.approx(2 * kernel[0] * kernel[1] / (0.8**2 + 4 * 0.05**2), abs=0.02)


def test_few_bits_and_saturation_clip() -> None:
    assert photons(SensorSettings(bits=8), 5000.0).max().item() == pytest.approx((255 - 100) * 0.46)
    low = CAMERA.replace(saturation_adu=180.0)
    assert photons(SensorSettings(), 5000.0, camera=low).max().item() == pytest.approx(80 * 0.46)


def test_binned_pixels_are_read_each_by_itself() -> None:
    dark = photons(SensorSettings(binning=2), 0.0)
    assert dark.std().item() == pytest.approx(3.2, rel=0.03)
