"""A camera's pattern from mean images of specimens that NumPy made."""

import numpy as np
import pytest
import torch

from rdl_live.optics.fixed_pattern import FixedPattern, MeanImage, fixed_pattern, smoothed
from rdl_live.optics.otf import Otf
from tests.optics.test_series_noise import blurred

OTF = Otf(cutoff=5.0, pixel_um=0.065)
SHAPE = (128, 128)
PATTERN = np.random.default_rng(11).normal(0, 0.45, SHAPE)


def mean_image(light: np.ndarray, seed: int, series: int = 1) -> MeanImage:
    rng = np.random.default_rng(seed)
    shape = (series, 3, 3, *SHAPE)
    frames = rng.poisson(np.broadcast_to(light, shape)) + rng.normal(0, 1.6, shape) + PATTERN
    return MeanImage.of(torch.from_numpy(frames.astype(np.float32)), OTF, 1.6)


def left(found: FixedPattern, where: slice | np.ndarray = slice(None)) -> float:
    """Share of the pattern's standard deviation that is left when what was found is taken off."""
    return float((PATTERN - found.offset.numpy())[where].std() / PATTERN[where].std())


def test_in_the_dark_the_pattern_is_seen() -> None:
    found = fixed_pattern([mean_image(np.zeros(SHAPE), 1, series=4)])
    assert found.rms == pytest.approx(0.45, rel=0.1)
    assert left(found) < 0.7
    assert found.known > 0.5


def test_brightnesses_of_one_specimen_part_it_from_the_camera() -> None:
    """One dim recording says little, for specimens hide the pattern; several levels say much; it is no specimen."""
    specimen = blurred(SHAPE, 1.0, np.random.default_rng(5))
    one = fixed_pattern([mean_image(3.0 * specimen, 2, series=6)])
    several = fixed_pattern([mean_image(level * specimen, 10 + i) for i, level in enumerate((60, 12, 5, 3, 1, 0.5))])
    assert left(several) < 0.8 < left(one) < 1.0
    assert abs(np.corrcoef(several.offset.numpy().ravel(), specimen.ravel())[0, 1]) < 0.1


def test_what_remains_is_known() -> None:
    """The variance that is stated is the one that is left, in the dark and on the specimen."""
    rng = np.random.default_rng(6)
    fields = [blurred(SHAPE, 2.0, rng) for _ in range(8)]
    found = fixed_pattern([mean_image(light, 30 + number) for number, light in enumerate(fields)])
    error = torch.from_numpy(((PATTERN - found.offset.numpy()) ** 2).astype(np.float32))
    assert float(error.mean()) == pytest.approx(float(found.variance.mean()), rel=0.25)
    known = found.variance < found.variance.median()
    assert float(error[known].mean()) == pytest.approx(float(found.variance[known].mean()), rel=0.3)


def test_without_a_pattern_nothing_is_invented() -> None:
    rng = np.random.default_rng(7)
    light = blurred(SHAPE, 2.0, rng)
    frames = rng.poisson(np.broadcast_to(light, (2, 3, 3, *SHAPE))).astype(np.float32)
    found = fixed_pattern([MeanImage.of(torch.from_numpy(frames), OTF)])
    assert found.rms == 0
    assert float(found.offset.abs().max()) == 0
    assert found.known == 0


def test_smoothing_keeps_a_flat_field() -> None:
    torch.testing.assert_close(smoothed(torch.full((40, 50), 3.0), 4.0), torch.full((40, 50), 3.0))
