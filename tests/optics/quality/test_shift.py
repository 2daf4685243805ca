"""Shift between two pictures: known displacements, noise, laws."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.quality import image_shift

PIXEL_UM = 0.1


def blobs(size: int, x: float = 0.0, y: float = 0.0, seed: int = 0) -> Tensor:
    """Smooth random texture, displaced periodically by (x, y) pixels."""
    kx, ky = frequencies((size, size), 1.0, half=True)
    white = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    transfer = torch.exp(-(torch.hypot(kx, ky) / 0.15).square())
    turn = torch.polar(transfer.expand(size, -1).clone(), -2 * math.pi * (kx * x + ky * y))
    return torch.fft.irfft2(torch.fft.rfft2(white) * turn, s=(size, size)).float()


@given(st.floats(-6.0, 6.0), st.floats(-6.0, 6.0))
def test_finds_any_displacement(x: float, y: float) -> None:
    shift = image_shift(blobs(96), blobs(96, x, y), PIXEL_UM)
    assert shift.reliable
    assert math.hypot(shift.x_um / PIXEL_UM - x, shift.y_um / PIXEL_UM - y) < 0.03


def test_same_picture_has_not_moved() -> None:
    assert image_shift(blobs(64), blobs(64), PIXEL_UM).distance_um < 1e-4 * PIXEL_UM


@given(st.floats(1e-6, 1e6), st.floats(-10.0, 10.0))
def test_brightness_and_background_do_not_matter(scale: float, offset: float) -> None:
    plain = image_shift(blobs(64), blobs(64, 1.3, -0.4), PIXEL_UM)
    other = image_shift(blobs(64), scale * (blobs(64, 1.3, -0.4) + offset), PIXEL_UM)
    assert other.x_um == pytest.approx(plain.x_um, abs=1e-4)
    assert other.y_um == pytest.approx(plain.y_um, abs=1e-4)


def test_exchange_turns_the_sign() -> None:
    one, other = blobs(64), blobs(64, 0.7, 2.2)
    there, back = image_shift(one, other, PIXEL_UM), image_shift(other, one, PIXEL_UM)
    assert (back.x_um, back.y_um) == pytest.approx((-there.x_um, -there.y_um), abs=1e-4)


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_scatter_is_as_expected(level: float) -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = blobs(96), blobs(96, 0.3, -0.6)
    rms = float(one.std())
    errors, expected = [], []
    for _ in range(20):
        noise = level * rms * torch.randn(2, 96, 96, generator=generator)
        shift = image_shift(one + noise[0], other + noise[1], PIXEL_UM)
        assert shift.reliable
        errors.append(math.hypot(shift.x_um - 0.03, shift.y_um + 0.06))
        expected.append(shift.error_um)
    measured = math.sqrt(sum(error**2 for error in errors) / len(errors))
    assert 0.6 < measured / (sum(expected) / len(expected)) < 2


def test_pure_noise_is_never_reliable() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        assert not image_shift(*torch.randn(2, 64, 64, generator=generator), PIXEL_UM).reliable


def test_different_pictures_are_not_reliable() -> None:
    for seed in range(1, 8):
        assert not image_shift(blobs(96), blobs(96, seed=seed), PIXEL_UM).reliable


@pytest.mark.parametrize("value", [0.0, 1e4])
def test_flat_pictures_report_no_shift(value: float) -> None:
    shift = image_shift(torch.full((32, 40), value), torch.full((32, 40), value), PIXEL_UM)
    assert (shift.x_um, shift.y_um, shift.score, shift.error_um) == (0.0, 0.0, 0.0, math.inf)


def test_search_stays_within_reach() -> None:
    shift = image_shift(blobs(96), blobs(96, 6.0, 0.0), PIXEL_UM, max_shift_um=0.2)
    assert abs(shift.x_um) <= 0.2 + 2 * PIXEL_UM


def test_agrees_with_scikit_image() -> None:
    registration: Callable[..., object] = pytest.importorskip("skimage.registration").phase_cross_correlation
    one, other = blobs(96), blobs(96, 2.35, -1.15)
    moved, _, _ = registration(one.numpy(), other.numpy(), upsample_factor=50, normalization=None)  # type: ignore[misc]
    shift = image_shift(one, other, PIXEL_UM)
    assert (-shift.y_um / PIXEL_UM, -shift.x_um / PIXEL_UM) == pytest.approx(tuple(moved), abs=0.1)


def test_pictures_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        image_shift(torch.zeros(32, 32), torch.zeros(32, 33), PIXEL_UM)
