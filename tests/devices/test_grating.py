"""The SLM's pictures decide the light: what is drawn is found again, whatever it is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdl_devices.sim import SlmGeometry, analyse, draw, fringe
from rdl_devices.sim.grating import DARK

GEOMETRY = SlmGeometry(shape=(512, 512), pixel_um=0.035, sensor_um=(8.32, 8.32))


@settings(max_examples=15)
@given(
    period=st.floats(0.16, 0.4),
    angle=st.floats(0, math.pi - 1e-6),
    phase=st.floats(-3.1, 3.1),
    binary=st.booleans(),
)
def test_drawn_fringes_are_found(period: float, angle: float, phase: float, binary: bool) -> None:
    kx, ky = math.cos(angle) / period, math.sin(angle) / period
    light = fringe(analyse(draw(kx, ky, phase, GEOMETRY, binary=binary)), GEOMETRY)
    sign = 1 if light.kx * kx + light.ky * ky > 0 else -1
    assert sign * light.kx == pytest.approx(kx, abs=2e-3)
    assert sign * light.ky == pytest.approx(ky, abs=2e-3)
    # At the middle of the chip, where a small error of k0 does not turn the phase.
    middle = 2 * math.pi * 4.16
    want = phase + middle * (kx + ky)
    got = sign * (light.phase_rad + middle * (light.kx + light.ky))
    # Whole pixels set the edges of a square wave: along an axis that turns its phase.
    assert math.remainder(got - want, 2 * math.pi) == pytest.approx(0, abs=0.15 if binary else 0.01)
    # The square wave of few pixels a period loses some light to stray orders, no more.
    assert 0.8 < light.modulation <= 1
    assert light.brightness == pytest.approx(1.0 if binary else math.pi**2 / 16, rel=0.1)


def test_a_sixth_of_a_grating_is_a_third_of_the_fringes() -> None:
    geometry = SlmGeometry(shape=(480, 480), pixel_um=0.035, sensor_um=(8.0, 8.0))
    picture = np.tile((np.arange(480) % 12 < 6).astype(np.uint8) * 255, (480, 1))
    before, after = (fringe(analyse(image), geometry) for image in (picture, np.roll(picture, 2, axis=1)))
    assert before.period_um == pytest.approx(6 * 0.035, rel=1e-4)
    turn = math.remainder(after.phase_rad - before.phase_rad, 2 * math.pi)
    assert turn == pytest.approx(-2 * math.pi / 3, abs=1e-2)


def test_a_blank_picture_is_dark() -> None:
    for level in (0, 128, 255):
        assert analyse(np.full((256, 256), level, np.uint8)) is None
    assert fringe(None, GEOMETRY) == DARK


def test_noise_is_no_pattern() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    assert fringe(analyse(noise), GEOMETRY).modulation < 0.1


def test_two_gratings_spoil_each_other() -> None:
    one = draw(5, 0, 0, GEOMETRY).astype(float)
    other = draw(0, 4.6, 0, GEOMETRY).astype(float)
    both = fringe(analyse((0.6 * one + 0.4 * other).astype(np.uint8)), GEOMETRY)
    assert both.kx == pytest.approx(5, abs=0.01)
    assert 0.4 < both.modulation < 0.85


def test_half_the_picture_gives_less_light() -> None:
    picture = draw(5, 0, 0, GEOMETRY)
    picture[:, 256:] = 0
    assert fringe(analyse(picture), GEOMETRY).brightness < 0.5


def test_orders_beyond_the_pupil_give_no_light() -> None:
    grating = analyse(draw(6, 0, 0, GEOMETRY))
    assert fringe(grating, GEOMETRY, largest_k=6.1).brightness > 0.9
    assert fringe(grating, GEOMETRY, largest_k=5.9) == DARK
