"""What an estimate must not depend on, and how it follows what is done to the series."""

import math

import numpy as np
import pytest
import torch

from rdl_live.errors import DataError
from rdl_live.optics import Camera, CameraMaps, Channel, Pattern, PatternGuess, estimate_patterns
from rdl_live.optics.estimate import as_series, search_range
from tests.optics.estimate.scenes import CAMERA, Case, Recording, all_errors, record


def assert_same(one: Pattern, other: Pattern, tolerance: float = 1e-3) -> None:
    assert (one.kx, one.ky) == pytest.approx((other.kx, other.ky), abs=1e-4)
    for a, b in zip(one.phases_rad, other.phases_rad, strict=True):
        assert abs(math.remainder(a - b, 2 * math.pi)) < 10 * tolerance
    assert one.modulation == pytest.approx(other.modulation, abs=tolerance)
    assert one.trusted == other.trusted


def test_number_types_agree(usual: Recording) -> None:
    reference = estimate_patterns(usual.series, usual.scope)
    for series in (
        usual.series.to(torch.float64),
        usual.series.numpy().astype(np.uint16),
        np.asfortranarray(usual.series.numpy()),
    ):
        for one, other in zip(estimate_patterns(series, usual.scope), reference, strict=True):
            assert_same(one, other, 1e-5)


def test_the_series_is_left_as_it_was(usual: Recording) -> None:
    before = usual.series.clone()
    estimate_patterns(usual.series, usual.scope)
    assert torch.equal(usual.series, before)


def test_unknown_gain_changes_nothing(usual: Recording) -> None:
    """Without read noise the measured floor says all that the gain would."""
    known = usual.scope.replace(camera=CAMERA.replace(read_noise_e=0.0))
    unknown = usual.scope.replace(camera=Camera(offset_adu=100))
    pairs = zip(estimate_patterns(usual.series, known), estimate_patterns(usual.series, unknown), strict=True)
    for one, other in pairs:
        assert_same(one, other, 2e-3)


def test_maps_take_the_place_of_the_camera(usual: Recording) -> None:
    shape = usual.series.shape[-2:]
    offset = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 40
    maps = CameraMaps(offset + 100, torch.full(shape, 0.5), torch.full(shape, 1.5))
    found = estimate_patterns(usual.series + offset, usual.scope, maps=maps)
    for one, other in zip(found, estimate_patterns(usual.series, usual.scope), strict=True):
        assert_same(one, other)


def test_phases_follow_the_corner_of_the_image(usual: Recording) -> None:
    top, left = 8, 13
    cropped = Recording(usual.scope, usual.series[..., top:, left:], usual.patterns)
    found = estimate_patterns(cropped.series, usual.scope)
    middle = [(first + size) / 2 for first, size in zip((top, left), usual.series.shape[-2:], strict=True)]
    pixel_um = usual.scope.optics.pixel_size_um
    for pattern, whole in zip(found, estimate_patterns(usual.series, usual.scope), strict=True):
        y, x = middle
        here = 2 * math.pi * pixel_um * (pattern.kx * (x - left) + pattern.ky * (y - top))
        there = 2 * math.pi * pixel_um * (whole.kx * x + whole.ky * y)
        for one, other in zip(pattern.phases_rad, whole.phases_rad, strict=True):
            assert abs(math.remainder(one + here - other - there, 2 * math.pi)) < math.radians(3)


def test_transposing_exchanges_x_and_y(usual: Recording) -> None:
    found = estimate_patterns(usual.series.transpose(-1, -2), usual.scope)
    for pattern, whole in zip(found, estimate_patterns(usual.series, usual.scope), strict=True):
        back = pattern.replace(kx=pattern.ky, ky=pattern.kx).canonical()
        assert_same(back, whole, 2e-3)


def test_orientations_may_come_in_any_order(usual: Recording) -> None:
    found = estimate_patterns(usual.series[[2, 0, 1]], usual.scope)
    whole = estimate_patterns(usual.series, usual.scope)
    for index, origin in enumerate((2, 0, 1)):
        assert_same(found[index], whole[origin])


def test_the_same_series_again_adds_nothing(usual: Recording) -> None:
    twice = estimate_patterns(torch.stack([usual.series, usual.series]), usual.scope)
    for one, other in zip(twice, estimate_patterns(usual.series, usual.scope), strict=True):
        assert_same(one, other)


def test_hot_pixels_do_not_dim_the_modulation(usual: Recording) -> None:
    generator = torch.Generator().manual_seed(5)
    hot = torch.rand(usual.series.shape[-2:], generator=generator) < 5e-4
    hot[0, 0] = hot[-1, 7] = True
    spoilt = torch.where(hot, 4 * usual.series.max(), usual.series)
    for errors in all_errors(usual, estimate_patterns(spoilt, usual.scope)):
        assert errors.k0_px < 0.05
        assert abs(errors.modulation) < 0.03


@pytest.mark.parametrize(("stretch", "turn_deg"), [(1.0, 0.0), (1.05, 4.0), (1.2, 20.0), (0.7, -30.0)])
def test_a_first_guess_is_where_to_start_not_where_to_end(usual: Recording, stretch: float, turn_deg: float) -> None:
    guess = PatternGuess(
        period_um=0.21 * stretch,
        angles_deg=tuple(pattern.angle_deg + turn_deg for pattern in usual.patterns),
    )
    channel = usual.scope.channels[0].replace(pattern=guess)
    found = estimate_patterns(usual.series, usual.scope, channel=channel)
    assert found.trusted
    assert all(errors.k0_px < 0.05 for errors in all_errors(usual, found))


def test_a_first_guess_finds_what_is_too_weak_to_be_found_blind() -> None:
    recording = record(Case("actin", photons=20, modulation=0.22, haze=0.3, shape=(128, 128), angles=1))
    assert not estimate_patterns(recording.series, recording.scope).trusted
    channel = recording.scope.channels[0].replace(pattern=PatternGuess(period_um=0.212, angles_deg=(18.0,)))
    found = estimate_patterns(recording.series, recording.scope, channel=channel)
    assert found.trusted
    assert all_errors(recording, found)[0].k0_px < 0.5


def test_guess_widens_the_search_range() -> None:
    scope = Case().scope
    low, high = search_range(scope, scope.channels[0])
    channel = scope.channels[0].replace(pattern=PatternGuess(period_um=1.2))
    wider = search_range(scope, channel)
    assert wider[0] < 1 / 1.2 < low
    assert wider[1] == pytest.approx(high)


def test_colours_are_searched_where_their_light_makes_patterns() -> None:
    scope = Case().scope
    red = Channel(name="red", excitation_nm=640, emission_nm=680)
    assert search_range(scope, red)[1] < search_range(scope, scope.channels[0])[1]


BAD = {
    "one frame too few": torch.zeros(3, 2, 32, 32),
    "no axes of angle and phase": torch.zeros(9, 32, 32),
    "too small": torch.zeros(3, 3, 8, 32),
    "no time points": torch.zeros(0, 3, 3, 32, 32),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_axes_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"axes|small"):
        as_series(BAD[name], Case().scope)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_refused(usual: Recording, value: float) -> None:
    spoilt = usual.series.clone()
    spoilt[1, 1, 20, 20] = value
    with pytest.raises(DataError, match="not finite"):
        estimate_patterns(spoilt, usual.scope)
