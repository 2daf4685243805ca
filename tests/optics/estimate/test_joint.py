"""Known patterns in series too dim to show them."""

import math

import numpy as np
import pytest
import torch

from rdl_live.errors import ConfigError
from rdl_live.optics import Pattern, PatternSet, estimate_patterns
from rdl_live.optics.estimate.joint import refit_patterns
from rdl_live.optics.microscope import Camera, Channel, Microscope, Optics

SCOPE = Microscope(
    name="joint",
    optics=Optics(na=1.49, pixel_size_um=0.065),
    channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
    camera=Camera(read_noise_e=1.0),
)
DEPTH = 0.3
DIRECTIONS = [math.radians(11.5 + 60 * index) for index in range(3)]


def light(phases: np.ndarray, period_um: float = 0.2, size: int = 128) -> np.ndarray:
    """Noise-free frames (3, 3, y, x) of mean 1 of random curves, by the formula of image formation on a finer grid."""
    rng = np.random.default_rng(4)
    fine = np.zeros((2 * size, 2 * size))
    for _ in range(25):
        place, angle = rng.uniform(0, 2 * size, 2), rng.uniform(0, 2 * np.pi)
        for _ in range(400):
            angle += rng.normal(0, 0.03)
            place = place + np.array([np.sin(angle), np.cos(angle)])
            y, x = (int(one) for one in place)
            if 0 <= y < 2 * size and 0 <= x < 2 * size:
                fine[y, x] += 1
    f = np.fft.fftfreq(2 * size, 0.0325)
    s = np.clip(np.hypot(f[:, None], f) / (2 * 1.49 / 0.525), 0, 1)
    transfer = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s))
    r = (np.arange(2 * size) + 0.5) * 0.0325
    frames = []
    for direction, steps in zip(DIRECTIONS, phases, strict=True):
        wave = 2 * np.pi / period_um * (r * np.cos(direction) + r[:, None] * np.sin(direction))
        for phase in steps:
            blurred = np.fft.ifft2(np.fft.fft2(fine * (1 + DEPTH * np.cos(wave + phase))) * transfer).real
            frames.append(blurred.reshape(size, 2, size, 2).mean(axis=(1, 3)))
    stack = np.array(frames).reshape(3, 3, size, size).clip(0)
    return np.asarray(stack / stack.mean())


def recorded(expected: np.ndarray, photons: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.poisson(expected * photons) + rng.normal(0, 1, expected.shape)).astype(np.float32)


def known(phases: np.ndarray, period_um: float = 0.2) -> PatternSet:
    return PatternSet(
        patterns=tuple(
            Pattern(
                kx=math.cos(direction) / period_um,
                ky=math.sin(direction) / period_um,
                phases_rad=tuple(steps),
                modulation=(DEPTH,),
            )
            for direction, steps in zip(DIRECTIONS, phases, strict=True)
        )
    )


STEPS = np.array([[0.3, 2.5, 4.4], [1.0, 3.1, 5.3], [2.0, 4.1, 6.0]])


def off_deg(found: PatternSet, phases: np.ndarray) -> float:
    """Largest error of an orientation's mean phase [degrees]."""
    worst = 0.0
    for pattern, steps in zip(found, phases, strict=True):
        mean = np.mean(np.exp(1j * (np.array(pattern.phases_rad) - steps)))
        worst = max(worst, abs(math.degrees(np.angle(mean))))
    return worst


def test_phases_move_as_far_as_the_series_carries_them() -> None:
    """Bright: wherever they are. Dim: part of the way, and stripes are used that the series alone would not show."""
    moved = STEPS + np.array([[0.5], [-1.0], [2.0]])
    frames = light(moved)
    bright = refit_patterns(recorded(frames, 300, 1), SCOPE, known(STEPS))
    assert bright.patterns.trusted
    assert off_deg(bright.patterns, moved) < 4
    assert {one.phases_from for one in bright.fits if one} == {"series"}
    dim = recorded(light(STEPS), 0.25, 2)
    alone = estimate_patterns(dim, SCOPE)
    assert not alone.trusted
    fit = refit_patterns(dim, SCOPE, known(STEPS))
    assert fit.patterns.trusted
    assert off_deg(fit.patterns, STEPS) < 20
    for pattern, one in zip(fit.patterns, fit.fits, strict=True):
        assert pattern.period_um == pytest.approx(0.2, rel=1e-9)
        assert one is not None
        assert one.likelihood_phase_sigma_deg is not None
        assert abs(one.phase_shift_deg) < abs(one.likelihood_phase_shift_deg) + 1e-9
        assert pattern.modulation[0] == pytest.approx(DEPTH, rel=0.1)


def test_orientations_that_step_backwards_are_fitted_alike() -> None:
    """The same frames in the other order: one light, whichever way its phases step."""
    backwards = STEPS.copy()
    backwards[1] = STEPS[1, ::-1]
    dim = recorded(light(STEPS), 2.0, 2)
    fits = refit_patterns(dim, SCOPE, known(STEPS)).patterns
    turned = dim.copy()
    turned[1] = dim[1, ::-1]
    found = refit_patterns(turned, SCOPE, known(backwards)).patterns
    assert found.trusted
    assert off_deg(found, backwards) == pytest.approx(off_deg(fits, STEPS), abs=0.1)
    assert off_deg(found, backwards) < 20  # as dim series are: see above
    assert found[1].phases_rad == pytest.approx(fits[1].phases_rad[::-1], abs=1e-3)


def test_in_the_dark_known_patterns_stay_where_they_were() -> None:
    rng = np.random.default_rng(5)
    series = rng.normal(0.05, 1, (3, 3, 128, 128)).astype(np.float32)
    fit = refit_patterns(series, SCOPE, known(STEPS))
    assert off_deg(fit.patterns, STEPS) < 15
    assert {one.phases_from for one in fit.fits if one} <= {"known", "both"}


def test_patterns_of_another_instrument_are_noticed() -> None:
    """A bright series without the given stripes is estimated, and that is said."""
    fit = refit_patterns(recorded(light(STEPS), 300, 3), SCOPE, known(STEPS, period_um=0.26))
    assert len(fit.warnings) == 3
    assert all("--patterns" in text for text in fit.warnings)
    assert [pattern.period_um for pattern in fit.patterns] == pytest.approx([0.2] * 3, rel=0.01)
    with pytest.raises(ConfigError, match="angles x"):
        refit_patterns(torch.zeros(3, 3, 64, 64), SCOPE, PatternSet(patterns=known(STEPS).patterns[:2]))
