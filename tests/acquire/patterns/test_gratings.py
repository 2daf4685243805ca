"""Gratings: phase steps are exact shifts, period and angle near what was asked for, the light as told."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdl_live.acquire import channel_patterns, find_grating
from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from rdl_live.optics.hardware import SlmRole
from rdl_live.optics.microscope import Channel, Microscope, SeriesOrder


@settings(max_examples=25)
@given(period=st.floats(5, 40), angle=st.floats(0, 179), phases=st.sampled_from([3, 5]), orders=st.sampled_from([1, 2]))
def test_steps_are_exact_shifts(period: float, angle: float, phases: int, orders: int) -> None:
    grating = find_grating(period, angle, phases, orders)
    assert grating.n == phases * orders * grating.step
    size = grating.n
    images = [grating.image((size, size), phase) for phase in range(phases)]
    shift = next(
        (y, x) for y in range(size) for x in range(size) if (grating.a * x + grating.b * y + grating.step) % size == 0
    )
    for before, after in pairwise(images):
        assert np.array_equal(np.roll(after, shift, axis=(0, 1)), before) or np.array_equal(
            np.roll(before, shift, axis=(0, 1)), after
        )
    assert {int(value) for value in np.unique(images[0])} == {0, 255}
    assert images[0].mean() == pytest.approx(127.5)


@settings(max_examples=40)
@given(period=st.floats(7, 20), angle=st.floats(0, 179))
def test_near_what_was_asked_for_and_clean(period: float, angle: float) -> None:
    grating = find_grating(period, angle, 3)
    assert grating.period_px == pytest.approx(period * (1 + grating.period_error))
    assert abs(grating.period_error) < 0.015
    assert abs(grating.angle_error_deg) < 0.6
    assert grating.stray < 0.1


def test_the_phase_is_that_of_the_picture() -> None:
    grating = find_grating(11.2, 37.0, 3)
    fx, fy = grating.frequency
    y, x = np.mgrid[: grating.n, : grating.n] + 0.5
    for phase in range(3):
        contrast = grating.image((grating.n, grating.n), phase).astype(float)
        found = np.angle((contrast * np.exp(-2j * np.pi * (fx * x + fy * y))).sum())
        assert abs(math.remainder(found - grating.phase_rad(phase), 2 * math.pi)) < 1e-6


def test_a_period_that_the_slm_cannot_show() -> None:
    with pytest.raises(ConfigError, match=r"pixel_um"):
        find_grating(1.5, 10.0, 3)


@pytest.fixture
def scope(root: Path) -> Microscope:
    """The demo microscope with three colours."""
    return load_microscope(root / "configs" / "demo-multicolour.yaml")


def test_the_period_follows_the_wavelength(scope: Microscope) -> None:
    assert scope.hardware is not None
    sets = [channel_patterns(scope, scope.hardware.slm, channel) for channel in scope.channels]
    periods = [one.requested[0].period_um for one in sets]
    assert periods == sorted(periods)
    assert [one.first_id for one in sets] == [0, 9, 18]
    for one, period in zip(sets, periods, strict=True):
        for pattern in one.nominal(scope.hardware.slm, (1024, 1024), (8.0, 8.0)):
            assert pattern.period_um == pytest.approx(period, rel=0.015)
            steps = np.diff(pattern.phases_rad)
            assert all(abs(math.remainder(step - 2 * math.pi / 3, 2 * math.pi)) < 1e-9 for step in steps)
        assert len(one.errors()) == 3


def test_wanted_angles_and_the_order_of_display(scope: Microscope) -> None:
    assert scope.hardware is not None
    guessed = Channel(
        name="488",
        excitation_nm=488,
        emission_nm=525,
        pattern={"period_um": 0.2, "angles_deg": (5, 65, 125)},  # type: ignore[arg-type]
    )
    turned = scope.replace(
        channels=[guessed.model_dump()],
        hardware=None,
        pattern=scope.pattern.replace(order=SeriesOrder.PHASE_ANGLE).model_dump(),
    )
    slm = SlmRole(device="SLM", pixel_um=0.035, rotation_deg=30, view="mirrored")
    patterns = channel_patterns(turned, slm, guessed)
    assert patterns.slots[:4] == ((0, 0), (1, 0), (2, 0), (0, 1))
    for pattern, angle in zip(patterns.nominal(slm, (512, 512), (8, 8)), (5, 65, 125), strict=True):
        assert abs(math.remainder(pattern.angle_deg - angle, 180)) < 0.6
