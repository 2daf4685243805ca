"""Negative-value ratio: known answers and laws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.optics.quality import negative_values


def image_with(dip: float, peak: float, background: float = 0.0) -> torch.Tensor:
    """1 % of the pixels dip below and 1 % rise above a slightly noisy background."""
    values = background + 0.01 * torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    values[:100] = background - dip
    values[-100:] = background + peak
    return values.reshape(100, 100)


@pytest.mark.parametrize("background", [0.0, 7.0])
def test_ratio_of_dip_to_peak(background: float) -> None:
    result = negative_values(image_with(2.0, 40.0, background))
    assert result.ratio == pytest.approx(0.05, rel=0.02)
    assert result.max_min_ratio == pytest.approx(20, rel=0.02)
    assert result.background_photons == pytest.approx(background, abs=0.01)


@given(st.floats(1e-3, 1e3), st.floats(-100.0, 100.0))
def test_ratio_keeps_under_scale_and_offset(scale: float, offset: float) -> None:
    image = image_with(2.0, 40.0)
    assert negative_values(scale * (image + offset)).ratio == pytest.approx(0.05, rel=0.03)


def test_symmetric_noise_reads_one() -> None:
    noise = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))
    assert negative_values(noise).ratio == pytest.approx(1, abs=0.15)


def test_deeper_dips_read_worse() -> None:
    ratios = [negative_values(image_with(dip, 40.0)).ratio for dip in (0.5, 2.0, 8.0, 20.0)]
    assert ratios == sorted(ratios)


def test_no_negative_values_reads_zero() -> None:
    image = torch.zeros(64, 64)
    image[10:20, 10:20] = 5
    result = negative_values(image)
    assert (result.ratio, result.background_photons, result.below_zero_fraction) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_flat_image_reads_zero(value: float) -> None:
    assert negative_values(torch.full((16, 16), value)).ratio == 0


def test_only_dips_stay_finite() -> None:
    image = torch.zeros(64, 64)
    image[10:20, 10:20] = -5
    assert negative_values(image).ratio == 1000


@pytest.mark.parametrize("fraction", [0.0, -1.0, 0.6])
def test_wrong_share_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="tail_fraction"):
        negative_values(torch.ones(4, 4), tail_fraction=fraction)
