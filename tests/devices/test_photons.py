"""The quick Poisson numbers are Poisson numbers."""

import math

import numpy as np
import pytest

from rdl_devices.sim.photons import poisson


def distribution(mean: float, most: int) -> np.ndarray:
    """Return the chance of each number up to `most`."""
    return np.array([math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1)])


@pytest.mark.parametrize("mean", [0.03, 0.25, 1.3, 7.77, 40.1, 63.99, 64.0, 300.0])
def test_the_distribution_is_exact(mean: float) -> None:
    count = 400_000
    means = np.full(count, mean, np.float32)
    numbers = poisson(means, np.random.default_rng(1)).astype(int)
    seen = np.bincount(numbers)
    expected = count * distribution(float(means[0]), len(seen) - 1)
    usual = expected > 20
    chi2 = (((seen - expected) ** 2 / np.maximum(expected, 1e-9))[usual]).sum()
    freedom = usual.sum() - 1
    assert chi2 < freedom + 4 * math.sqrt(2 * freedom) + 4


def test_means_may_differ_from_pixel_to_pixel() -> None:
    means = np.random.default_rng(0).gamma(2, 20, (300, 300)).astype(np.float32)
    means[0] = 0
    numbers = poisson(means, np.random.default_rng(1))
    assert numbers.shape == means.shape
    assert not numbers[0].any()
    residual = (numbers - means)[1:] / np.sqrt(means[1:])
    assert residual.mean() == pytest.approx(0, abs=4 / 300)
    assert residual.var() == pytest.approx(1, abs=0.03)
