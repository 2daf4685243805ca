"""The guards: silent on noise, loud on a wrong pattern and on structure that was smoothed away."""

import math

import pytest
import torch
from torch import Tensor

from rdl_live.optics import Microscope, Otf, to_photons
from rdl_live.restore import ResidualCheck, Restorer, check_residual, standardized_residual
from rdl_models import Weights

from .conftest import Recorder

SHAPE = (96, 96)


def test_white_noise_raises_no_doubt(scope: Microscope, record: Recorder) -> None:
    noise = torch.randn((3, 3, *SHAPE), generator=torch.Generator().manual_seed(1))
    found = check_residual(noise, Otf.of(scope), record(10.0, SHAPE).patterns)
    assert found.variance == pytest.approx(1, abs=0.05)
    assert found.colour == pytest.approx(1, abs=0.05)
    assert found.pattern == pytest.approx((1, 1, 1), abs=0.35)
    assert found.doubts == []


@pytest.mark.parametrize("photons", [5.0, 100.0])
def test_a_faithful_restoration_raises_no_doubt(
    scope: Microscope, record: Recorder, untrained: Weights, photons: float
) -> None:
    series = record(photons, SHAPE)
    assert Restorer(scope, series.patterns, SHAPE, untrained).check(series.adu).doubts == []


def test_a_wrong_pattern_is_found_in_its_orientation(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    series = record(300.0, SHAPE)
    crooked = series.patterns[1].replace(phases_rad=tuple(p + 0.8 for p in series.patterns[1].phases_rad))
    patterns = series.patterns.replace(patterns=(series.patterns[0], crooked, series.patterns[2]))
    found = Restorer(scope, patterns, SHAPE, untrained).check(series.adu)
    assert max(range(3), key=lambda index: found.pattern[index]) == 1
    assert any("orientation 2" in text for text in found.doubts)


@pytest.mark.parametrize("photons", [5.0, 100.0])
def test_stripes_that_are_as_assumed_raise_no_doubt(
    scope: Microscope, record: Recorder, untrained: Weights, photons: float
) -> None:
    series = record(photons, SHAPE)
    guards = Restorer(scope, series.patterns, SHAPE, untrained).restore(series.adu, guards=True).guards
    assert guards is not None
    assert guards.doubts == ()
    assert max(abs(share) for one in guards.stripes.shifted for share in one) < 0.1


@pytest.mark.parametrize("photons", [5.0, 100.0])
def test_one_frame_with_a_wrong_phase_is_found_even_in_dim_light(
    scope: Microscope, record: Recorder, untrained: Weights, photons: float
) -> None:
    series = record(photons, (160, 160))
    phases = list(series.patterns[1].phases_rad)
    phases[2] += 0.7
    crooked = series.patterns[1].replace(phases_rad=tuple(phases))
    patterns = series.patterns.replace(patterns=(series.patterns[0], crooked, series.patterns[2]))
    guards = Restorer(scope, patterns, (160, 160), untrained).restore(series.adu, guards=True).guards
    assert guards is not None
    assert [text for text in guards.stripes.doubts if "orientation 2, frame 3" in text]
    assert len(guards.stripes.doubts) == 1


@pytest.mark.parametrize("stretch", [0.97, 1.03])
def test_a_wrong_period_is_found_even_in_dim_light(
    scope: Microscope, record: Recorder, untrained: Weights, stretch: float
) -> None:
    series = record(5.0, (160, 160))
    one = series.patterns[0]
    wrong = one.replace(kx=one.kx * stretch, ky=one.ky * stretch)
    patterns = series.patterns.replace(patterns=(wrong, *series.patterns.patterns[1:]))
    guards = Restorer(scope, patterns, (160, 160), untrained).restore(series.adu, guards=True).guards
    assert guards is not None
    assert [text for text in guards.stripes.doubts if "orientation 1" in text]


def test_patterns_do_not_move_by_denoising(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    series = record(20.0, SHAPE)
    guards = Restorer(scope, series.patterns, SHAPE, untrained).restore(series.adu, guards=True).guards
    assert guards is not None
    assert guards.patterns is not None
    assert guards.shift_nm is not None
    assert guards.shift_nm < 0.3


def blurred(frames: Tensor) -> Tensor:
    """Take away what is finer than some pixels, as a network that smooths does."""
    ky, kx = torch.fft.fftfreq(SHAPE[0])[:, None], torch.fft.rfftfreq(SHAPE[1])
    result: Tensor = torch.fft.irfft2(torch.fft.rfft2(frames) * torch.exp(-60 * (kx**2 + ky**2)), s=SHAPE)
    return result


def test_frames_that_were_smoothed_are_found(scope: Microscope, record: Recorder) -> None:
    series = record(50.0, SHAPE)
    raw = to_photons(series.adu, scope.camera)
    right, smooth = (standardized_residual(raw, one, 1.0) for one in (series.expected, blurred(series.expected)))
    assert check_residual(right, Otf.of(scope), series.patterns).doubts == []
    assert any("may have been lost" in text for text in check_residual(smooth, Otf.of(scope), series.patterns).doubts)


def test_what_moves_during_a_series_is_no_detail_that_was_lost(scope: Microscope, record: Recorder) -> None:
    series = record(50.0, SHAPE)
    raw = to_photons(series.adu, scope.camera)
    noise = raw - series.expected
    moved = torch.stack([series.expected.flatten(0, 1)[n].roll(n, dims=1) for n in range(9)]).reshape(raw.shape)
    found = check_residual(
        standardized_residual(moved + noise, moved.mean(dim=(0, 1)).expand_as(moved), 1.0),
        Otf.of(scope),
        series.patterns,
    )
    assert found.colour is not None
    assert found.colour > 1.25
    assert not [text for text in found.doubts if "contains structure" in text]


def test_where_the_otf_fills_the_spectrum_colour_is_not_known(record: Recorder) -> None:
    found = check_residual(torch.randn(3, 3, *SHAPE), Otf(100.0, 0.07), record(10.0, SHAPE).patterns)
    assert found.colour is None
    assert isinstance(found, ResidualCheck)
    assert all(math.isfinite(one) for one in found.pattern)
