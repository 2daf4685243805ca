"""MCNR: the formula on known series, its noise floor, its laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.optics.quality import Grade, grade, mcnr_map, modulation_contrast
from rdl_live.optics.quality.mcnr import foreground, noise_floor, otsu_threshold


def cosine_series(photons: float, depth: float, phases: int = 3, harmonic: int = 1) -> torch.Tensor:
    step = 2 * math.pi * torch.arange(phases) / phases
    light = photons * (1 + depth * torch.cos(harmonic * step + 0.7))
    return light[None, :, None, None].expand(2, phases, 8, 8)


@pytest.mark.parametrize("phases", [3, 4, 5, 8])
@pytest.mark.parametrize("read_noise", [0.0, 3.0])
def test_peak_to_peak_over_the_noise_of_one_frame(phases: int, read_noise: float) -> None:
    contrast = mcnr_map(cosine_series(100, 0.5, phases), read_noise_e=read_noise)
    expected = 2 * 100 * 0.5 / math.sqrt(100 + read_noise**2)
    torch.testing.assert_close(contrast, torch.full((2, 8, 8), expected))


def test_harmonics_add_as_squares() -> None:
    first, second = cosine_series(100, 0.3, 5), cosine_series(100, 0.4, 5, harmonic=2)
    both = mcnr_map(first + second - 100, harmonics=2)
    torch.testing.assert_close(both, torch.full((2, 8, 8), 10.0))


def test_read_noise_may_be_a_map() -> None:
    noise = torch.rand(8, 8)
    mapped = mcnr_map(cosine_series(10, 1.0), read_noise_e=noise)
    torch.testing.assert_close(
        mapped[0, 2, 3], mcnr_map(cosine_series(10, 1.0), read_noise_e=float(noise[2, 3]))[0, 0, 0]
    )


def test_batches_are_independent() -> None:
    series = torch.rand(2, 4, 3, 3, 8, 8) * 50
    together = mcnr_map(series)
    assert together.shape == (2, 4, 3, 8, 8)
    torch.testing.assert_close(together[1, 2], mcnr_map(series[1, 2]))


@given(st.floats(1.0, 1000.0), st.floats(1.1, 50.0))
def test_grows_with_the_root_of_the_light(photons: float, factor: float) -> None:
    few, many = mcnr_map(cosine_series(photons, 0.6)), mcnr_map(cosine_series(photons * factor, 0.6))
    torch.testing.assert_close(many, few * math.sqrt(factor), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("phases", "harmonics"), [(3, 1), (5, 1), (5, 2)])
def test_unmodulated_light_reads_the_noise_floor(phases: int, harmonics: int) -> None:
    noise = torch.poisson(torch.full((2, phases, 96, 96), 200.0), generator=torch.Generator().manual_seed(0))
    measured = float(mcnr_map(noise, harmonics=harmonics).mean())
    assert measured == pytest.approx(noise_floor(phases, harmonics), rel=0.02)


@pytest.mark.parametrize("value", [0.0, -5.0, 1e-30, 1e9])
def test_flat_and_dark_series_give_no_nan(value: float) -> None:
    result = modulation_contrast(torch.full((3, 3, 16, 16), value))
    assert result.overall == pytest.approx(0, abs=0.1)
    assert result.grade is Grade.INADEQUATE


@pytest.mark.parametrize(
    ("mcnr", "word"),
    [(0, "inadequate"), (3.99, "inadequate"), (4, "low"), (8, "good"), (12, "good"), (12.1, "very good")],
)
def test_grades(mcnr: float, word: str) -> None:
    assert grade(mcnr) == word


def test_only_the_foreground_counts() -> None:
    bright, dark = cosine_series(400, 0.5), cosine_series(4, 0.0)
    series = dark.repeat(1, 1, 4, 4).clone()
    series[..., 8:16, 8:24] = bright.repeat(1, 1, 1, 2)
    result = modulation_contrast(series)
    # The 3 x 3 mean blurs the edge of the foreground by at most one pixel.
    assert result.foreground_fraction == pytest.approx(128 / 1024, rel=0.3)
    assert result.overall == pytest.approx(20, rel=0.05)
    assert result.grade is Grade.VERY_GOOD
    assert result.per_orientation == pytest.approx((result.overall, result.overall))


def test_foreground_keeps_time_points_apart() -> None:
    series = torch.rand(5, 3, 3, 12, 14)
    assert foreground(series).shape == (5, 12, 14)
    torch.testing.assert_close(foreground(series)[3], foreground(series[3]))


def test_otsu_parts_two_heaps() -> None:
    generator = torch.Generator().manual_seed(0)
    low, high = torch.randn(3000, generator=generator), 20 + torch.randn(500, generator=generator)
    assert 3 < otsu_threshold(torch.cat([low, high])) < 17


def test_otsu_agrees_with_scikit_image() -> None:
    filters = pytest.importorskip("skimage.filters")
    values = torch.rand(4000, generator=torch.Generator().manual_seed(0)) ** 3
    assert otsu_threshold(values) == pytest.approx(filters.threshold_otsu(values.numpy()), abs=1.01 / 256)


@pytest.mark.parametrize(
    ("shape", "harmonics"), [((3, 8, 8), 1), ((3, 2, 8, 8), 1), ((3, 3, 8, 8), 2), ((3, 3, 8, 8), 0)]
)
def test_wrong_series_is_refused(shape: tuple[int, ...], harmonics: int) -> None:
    with pytest.raises(ValueError, match=r"series|phases"):
        mcnr_map(torch.ones(shape), harmonics=harmonics)
