"""Flicker, bleaching, motion and phase steps of series whose faults are known."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rdl_live.optics.microscope import SeriesOrder
from rdl_live.optics.pattern import PatternSet, evenly_spaced
from rdl_live.optics.quality import flicker, motion_between_orientations, phase_step_error_deg

PIXEL_UM = 0.0626
STILL = [(0.0, 0.0)] * 3
MOVED = [(0.0, 0.0), (0.031, -0.047), (-0.12, 0.2)]


def frames(brightness: Tensor) -> Tensor:
    """Flat frames of the given brightness (..., angle, phase)."""
    return brightness[..., None, None].expand(*brightness.shape, 16, 16)


def bleaching(series: int, rate: float, order: SeriesOrder) -> Tensor:
    """Exponential decay over the frames in the order in which they are taken, (time, 3, 3)."""
    decay = 1000 * torch.exp(-rate * torch.arange(series * 9, dtype=torch.float64) / 9).reshape(series, 3, 3)
    return decay if order is SeriesOrder.ANGLE_PHASE else decay.transpose(1, 2)


@pytest.mark.parametrize("order", list(SeriesOrder))
@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3, -0.1])
@pytest.mark.parametrize("series", [1, 6])
def test_bleaching_is_measured_and_taken_out(series: int, rate: float, order: SeriesOrder) -> None:
    result = flicker(frames(bleaching(series, rate, order)), order=order)
    assert result.bleaching_per_series == pytest.approx(1 - math.exp(-rate), abs=1e-4)
    assert result.within_orientations < 1e-4
    assert result.between_orientations < 1e-4


def test_wrong_order_shows_as_uneven_orientations() -> None:
    decay = frames(bleaching(1, 0.3, SeriesOrder.PHASE_ANGLE))
    assert flicker(decay, order=SeriesOrder.ANGLE_PHASE).between_orientations > 0.1


def test_flicker_within_and_between() -> None:
    generator = torch.Generator().manual_seed(0)
    levels = torch.tensor([1.0, 0.9, 0.8])[:, None]
    brightness = 500 * levels * (1 + 0.05 * torch.randn(200, 3, 3, generator=generator))
    result = flicker(frames(brightness))
    assert result.within_orientations == pytest.approx(0.05, rel=0.1)
    assert result.between_orientations == pytest.approx(0.2, abs=0.02)
    assert abs(result.bleaching_per_series) < 5 * result.bleaching_error + 1e-6


def test_steady_light_reads_the_shot_noise() -> None:
    noise = torch.poisson(torch.full((20, 3, 3, 32, 32), 10.0), generator=torch.Generator().manual_seed(0))
    result = flicker(noise)
    assert result.shot_noise == pytest.approx(1 / math.sqrt(10 * 1024), rel=0.01)
    assert result.within_orientations == pytest.approx(result.shot_noise, rel=0.2)


@given(st.floats(1e-3, 1e6))
def test_scale_does_not_matter(scale: float) -> None:
    brightness = torch.tensor([[1.0, 1.1, 0.9], [0.8, 0.85, 0.8], [1.2, 1.2, 1.0]])
    plain, scaled = flicker(frames(brightness)), flicker(frames(brightness * scale))
    assert scaled.within_orientations == pytest.approx(plain.within_orientations, rel=1e-3)
    assert scaled.between_orientations == pytest.approx(plain.between_orientations, rel=1e-3)


def test_a_dark_frame_is_flicker_not_bleaching() -> None:
    brightness = torch.full((4, 3, 3), 100.0)
    brightness[2, 1, 2] = 0
    result = flicker(frames(brightness))
    assert result.within_orientations > 0.1
    assert abs(result.bleaching_per_series) < 0.01


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_darkness_gives_zeros(value: float) -> None:
    result = flicker(torch.full((3, 3, 8, 8), value))
    assert (result.within_orientations, result.between_orientations, result.bleaching_per_series) == (0, 0, 0)


@pytest.mark.parametrize("photons", [1000.0, 20.0, 2.0, 0.5])
@pytest.mark.parametrize("shifts", [STILL, MOVED], ids=["still", "moved"])
def test_motion_at_any_light(
    moving_series: Callable[..., Tensor], shifts: list[tuple[float, float]], photons: float
) -> None:
    motion = motion_between_orientations(moving_series(shifts, photons), PIXEL_UM)
    assert motion.reliable
    for shift, (x, y) in zip(motion.shifts, shifts[1:], strict=True):
        error = math.hypot(shift.x_um - x, shift.y_um - y)
        assert error < max(0.002, 4 * shift.error_um)
        assert shift.error_um < 0.01
    assert motion.largest_um == pytest.approx(max(math.hypot(*s) for s in shifts), abs=0.015)


def test_uneven_light_and_phases_are_no_motion(moving_series: Callable[..., Tensor]) -> None:
    series = moving_series(STILL, 200.0) * torch.tensor([1.0, 0.7, 1.3])[None, :, None, None]
    assert motion_between_orientations(series, PIXEL_UM).largest_um < 0.005


def test_motion_of_noise_is_not_reliable() -> None:
    noise = torch.poisson(torch.full((3, 3, 64, 64), 5.0), generator=torch.Generator().manual_seed(0))
    motion = motion_between_orientations(noise, PIXEL_UM)
    assert not motion.reliable
    assert motion.largest_um == 0


def test_one_orientation_cannot_move() -> None:
    motion = motion_between_orientations(torch.rand(1, 3, 32, 32), PIXEL_UM)
    assert motion.reliable
    assert motion.largest_um == 0


def stepped(patterns: PatternSet, deviations_deg: list[float]) -> PatternSet:
    """Add the same deviations to the phases of every pattern."""
    return PatternSet(
        patterns=tuple(
            p.replace(
                phases_rad=tuple(phase + math.radians(d) for phase, d in zip(p.phases_rad, deviations_deg, strict=True))
            )
            for p in patterns
        )
    )


@pytest.mark.parametrize("phases", [3, 5])
@pytest.mark.parametrize("first", [0.0, 1.0, 3.1, -9.0])
def test_equal_steps_have_no_error(phases: int, first: float) -> None:
    patterns = evenly_spaced(0.2, phases=phases, first_phase_rad=first)
    assert phase_step_error_deg(patterns) == pytest.approx(0, abs=1e-6)
    mirrored = [p.replace(phases_rad=tuple(-phase for phase in p.phases_rad)) for p in patterns]
    assert phase_step_error_deg(mirrored) == pytest.approx(0, abs=1e-6)


def test_known_deviation() -> None:
    patterns = stepped(evenly_spaced(0.2), [3.0, 0.0, -3.0])
    assert phase_step_error_deg(patterns) == pytest.approx(3.0)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3), st.integers(-3, 3), st.floats(-180, 180))
def test_whole_turns_and_a_global_phase_do_not_matter(deviations: list[float], turns: int, first: float) -> None:
    plain = phase_step_error_deg(stepped(evenly_spaced(0.2), deviations))
    turned = [deviations[0] + first, deviations[1] + first + 360 * turns, deviations[2] + first]
    assert phase_step_error_deg(stepped(evenly_spaced(0.2), turned)) == pytest.approx(plain, abs=1e-6)


def test_jitter_reads_its_size() -> None:
    generator = torch.Generator().manual_seed(0)
    jitter = (5 * torch.randn(300, 3, generator=generator)).tolist()
    patterns = [stepped(evenly_spaced(0.2, angles=1), row)[0] for row in jitter]
    assert phase_step_error_deg(patterns) == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 2, 3, 3, 8, 8)])
def test_wrong_series_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="angle, phase"):
        flicker(torch.ones(shape))
    with pytest.raises(ValueError, match="angle, phase"):
        motion_between_orientations(torch.ones(shape), PIXEL_UM)


def test_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pattern"):
        phase_step_error_deg([])
