"""The two parts of a series' noise, against noise that NumPy made."""

import math

import numpy as np
import pytest
import torch

from rdl_live.optics.otf import Otf
from rdl_live.optics.reconstruct.object_spectrum import Rings, fitted_spectrum
from rdl_live.optics.series_noise import series_noise

OTF = Otf(cutoff=5.0, pixel_um=0.065)


def blurred(shape: tuple[int, int], photons: float, rng: np.random.Generator) -> np.ndarray:
    """Points of light through a Gaussian that passes nothing beyond the cut-off."""
    points = (rng.random(shape) < 0.01) * rng.exponential(1.0, shape)
    f2 = np.add.outer(np.fft.fftfreq(shape[0], 0.065) ** 2, np.fft.fftfreq(shape[1], 0.065) ** 2)
    image = np.fft.ifft2(np.fft.fft2(points) * np.exp(-f2 / 1.2**2)).real.clip(0)
    return np.asarray(image * photons / image.mean())


@pytest.mark.parametrize("photons", [0.5, 5.0, 500.0])
def test_photon_noise_alone_has_nothing_fixed(photons: float) -> None:
    rng = np.random.default_rng(1)
    light = blurred((128, 120), photons, rng)
    series = rng.poisson(np.broadcast_to(light, (1, 3, 3, 128, 120))).astype(np.float32)
    found = series_noise(torch.from_numpy(series), OTF)
    assert found.changing == pytest.approx(photons, rel=0.15)
    assert found.fixed == 0


@pytest.mark.parametrize(("photons", "pattern"), [(0.7, 0.4), (2.0, 0.4), (20.0, 1.0)])
def test_a_fixed_pattern_is_measured(photons: float, pattern: float) -> None:
    rng = np.random.default_rng(2)
    light = blurred((256, 256), photons, rng)
    series = rng.poisson(np.broadcast_to(light, (1, 3, 3, 256, 256))) + rng.normal(0, 1.6, (1, 3, 3, 256, 256))
    series += rng.normal(0, pattern, (256, 256))
    found = series_noise(torch.from_numpy(series.astype(np.float32)), OTF, 1.6)
    assert math.sqrt(found.fixed) == pytest.approx(pattern, rel=0.15)
    assert found.changing == pytest.approx(photons + 1.6**2, rel=0.05)
    assert found.excess == pytest.approx(9 * pattern**2 / (photons + 1.6**2), rel=0.35)


def test_where_the_otf_fills_the_spectrum_the_light_says_how_much_noise_there_is() -> None:
    series = torch.full((1, 3, 3, 64, 64), 7.0)
    found = series_noise(series, Otf(cutoff=9.0, pixel_um=0.1), 2.0)
    assert (found.changing, found.fixed) == (pytest.approx(11.0), 0.0)


@pytest.mark.parametrize("strength", [1e4, 10.0, 0.3])
def test_the_spectrum_of_the_object_is_neither_flattered_by_noise_nor_lost_in_it(strength: float) -> None:
    """A power law in noise: the rings' powers have gamma distributions; hundreds of draws."""
    rng = np.random.default_rng(3)
    k = np.linspace(0.02, 2.0, 150)
    sizes = np.round(600 * k).clip(4)
    truth = strength * k**-2.5
    noise = np.ones_like(k)
    errors = []
    for _ in range(60):
        power = (truth + noise) * rng.gamma(sizes, 1 / sizes)
        columns = [torch.from_numpy(one) for one in (k, sizes, power, noise, np.ones_like(k))]
        found = fitted_spectrum(Rings(*columns, torch.ones(150, dtype=torch.bool))).numpy()
        errors.append(np.log(found / truth))
    middle = np.median(errors, axis=0)
    well_seen = truth * np.sqrt(sizes) > 3
    assert abs(middle[well_seen]).max() < 0.25
    assert middle[~well_seen].max(initial=-1.0) < 0.7
