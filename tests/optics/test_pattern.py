"""Patterns: the light they describe, its symmetries, and what does not fit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rdl_live.errors import ConfigError
from rdl_live.optics import Pattern, PatternSet, evenly_spaced, illumination

WAVE = st.floats(-6, 6).filter(lambda k: abs(k) > 0.01)
PHASE = st.floats(-10, 10)


def light(pattern: Pattern, shape: tuple[int, int] = (12, 9), pixel_um: float = 0.1) -> torch.Tensor:
    return illumination(PatternSet(patterns=(pattern,)), shape, pixel_um, dtype=torch.float64)[0]


@settings(max_examples=40)
@given(kx=WAVE, ky=WAVE, phase=PHASE, second=st.floats(0, 1))
def test_canonical_is_the_same_light(kx: float, ky: float, phase: float, second: float) -> None:
    pattern = Pattern(kx=kx, ky=ky, phases_rad=(phase, phase + 2, phase + 4), modulation=(0.7, second))
    canonical = pattern.canonical()
    assert (light(pattern) - light(canonical)).abs().max() < 1e-9
    assert canonical.ky >= 0
    assert canonical.canonical() == canonical
    assert canonical.angle_deg == pytest.approx(pattern.angle_deg, abs=1e-9)
    assert canonical.period_um == pytest.approx(pattern.period_um)


@pytest.mark.parametrize(
    ("kx", "ky", "angle"),
    [
        (1, 0, 0),
        (1, 1, 45),
        (0, 1, 90),
        (-1, 1, 135),
        (-1, 0, 0),
        (-1, -1, 45),
        (0, -1, 90),
        (1, -1, 135),
        (1, -1e-20, 0),
    ],
)
def test_angle_is_that_of_k0_with_y_down(kx: float, ky: float, angle: float) -> None:
    pattern = Pattern(kx=kx, ky=ky, phases_rad=(0, 2, 4))
    assert pattern.angle_deg == pytest.approx(angle, abs=1e-9)
    assert 0 <= pattern.angle_deg < 180
    assert pattern.canonical().angle_deg == pytest.approx(angle, abs=1e-9)


def test_angle_stays_below_180_when_rounded() -> None:
    assert Pattern(kx=1.0, ky=-1e-20, phases_rad=(0, 2, 4)).angle_deg == 0


def test_stripes_lie_where_they_should() -> None:
    """A pattern along +x, y down: bright where 2 pi k0 x + phase is a whole turn, from the image corner."""
    pattern = Pattern(kx=1.25, ky=0.0, phases_rad=(0.0, math.pi / 2, math.pi), modulation=(0.6,))
    frames = light(pattern, shape=(4, 16), pixel_um=0.1)
    x = (torch.arange(16, dtype=torch.float64) + 0.5) * 0.1
    for frame, phase in zip(frames, pattern.phases_rad, strict=True):
        wanted = 1 + 0.6 * torch.cos(2 * math.pi * 1.25 * x + phase)
        assert (frame - wanted).abs().max() < 1e-12
    downward = light(Pattern(kx=0.0, ky=1.25, phases_rad=(0.0, 1.0, 2.0)), shape=(16, 4))
    assert downward[0, 0, 0] > downward[0, 2, 0]
    assert (downward[0, :, 0] - downward[0, :, 3]).abs().max() < 1e-12


def test_harmonics_follow_the_phase() -> None:
    """The second harmonic turns twice as fast: a step is a shift of the whole profile."""
    pattern = Pattern(kx=0.625, ky=0.0, phases_rad=(0.0, math.pi / 4, 1.0), modulation=(0.8, 0.4))
    frames = light(pattern, shape=(2, 64), pixel_um=0.1)
    assert (frames[1, 0, :-2] - frames[0, 0, 2:]).abs().max() < 1e-12


def test_brightness_of_frames() -> None:
    plain = Pattern(kx=2.0, ky=1.0, phases_rad=(0.0, 2.0, 4.0))
    assert plain.gains == (1.0, 1.0, 1.0)
    bright = plain.replace(intensity=(0.5, 1.0, 1.5))
    ratio = light(bright) / light(plain)
    assert ratio[:, 0, 0].tolist() == pytest.approx([0.5, 1.0, 1.5])


def test_a_pixel_grid_of_another_size_sees_the_same_light() -> None:
    """The phases belong to the image corner, so a finer grid averages to the coarse one."""
    pattern = Pattern(kx=0.4, ky=0.3, phases_rad=(0.2, 2.0, 4.0))
    coarse = light(pattern, (8, 8), 0.1)
    fine = light(pattern, (80, 80), 0.01).reshape(3, 8, 10, 8, 10).mean(dim=(2, 4))
    assert (coarse - fine).abs().max() < 0.01


@pytest.mark.parametrize(("angles", "phases"), [(1, 3), (3, 3), (3, 5), (5, 5)])
def test_evenly_spaced(angles: int, phases: int) -> None:
    patterns = evenly_spaced(0.2, angles, phases, first_angle_deg=11.0, first_phase_rad=0.3, modulation=(0.5,))
    assert len(patterns) == angles
    assert patterns.phases == phases
    assert patterns.harmonics == 1
    assert patterns.trusted
    for index, pattern in enumerate(patterns):
        assert pattern.period_um == pytest.approx(0.2)
        assert pattern.angle_deg == pytest.approx((11.0 + 180 * index / angles) % 180)
        steps = [b - a for a, b in zip(pattern.phases_rad, pattern.phases_rad[1:], strict=False)]
        assert steps == pytest.approx([2 * math.pi / phases] * (phases - 1))
    light_sum = illumination(patterns, (10, 10), 0.08, dtype=torch.float64).mean(dim=1)
    assert (light_sum - 1).abs().max() < 1e-12


def test_one_doubt_is_a_doubt_of_all() -> None:
    patterns = evenly_spaced(0.2)
    doubtful = PatternSet(patterns=(patterns[0], patterns[1].replace(trusted=False), patterns[2]))
    assert patterns.trusted
    assert not doubtful.trusted


def test_counts_are_checked() -> None:
    patterns = evenly_spaced(0.2, 3, 5)
    patterns.check(3, 5)
    with pytest.raises(ConfigError, match=r"3 orientations .* 3 angles x 3 phases; estimate again"):
        patterns.check(3, 3)
    with pytest.raises(ConfigError, match="5 angles"):
        patterns.check(5, 5)


@pytest.mark.parametrize(
    "wrong",
    [{"phases_rad": (0.0, 1.0)}, {"modulation": ()}, {"kx": math.nan}, {"ky": math.inf}, {"phase": 1.0}],
)
def test_impossible_patterns_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Pattern(kx=1.0, ky=1.0, phases_rad=(0.0, 1.0, 2.0)).replace(**wrong)


def test_even_light_has_no_pattern() -> None:
    with pytest.raises(ConfigError, match="3 angles x 3 phases"):
        PatternSet(patterns=()).check(3, 3)
