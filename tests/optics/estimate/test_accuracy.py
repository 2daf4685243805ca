"""What is found blind, over specimens, light, and everything that real instruments do not do quite right."""

from dataclasses import dataclass

import pytest

from rdl_live.optics import estimate_patterns
from tests.optics.estimate.scenes import Case, all_errors, record


@dataclass(frozen=True)
class Limits:
    """Largest errors allowed."""

    k0_px: float = 0.05
    phase_deg: float = 2.0
    step_deg: float = 1.5
    modulation: float = 0.03


BRIGHT, DIM = Limits(), Limits(k0_px=0.1, phase_deg=5.0, step_deg=4.0, modulation=0.05)

CASES = {
    "filaments": (Case(), BRIGHT),
    "actin": (Case("actin"), BRIGHT),
    "mitochondria": (Case("mitochondria"), BRIGHT),
    "reticulum": (Case("reticulum"), BRIGHT),
    "rings": (Case("rings"), BRIGHT),
    "20 photons": (Case("reticulum", photons=20), DIM),
    "5 photons": (Case("actin", photons=5), Limits(0.2, 12.0, 9.0, 0.12)),
    "1000 photons": (Case(photons=1000), BRIGHT),
    "weak under haze": (Case("actin", modulation=0.3, haze=0.6), DIM),
    "full modulation": (Case(modulation=1.0), BRIGHT),
    "phase jitter": (Case("actin", jitter_deg=5.0), BRIGHT),
    "phase jitter at 20 photons": (Case("actin", jitter_deg=5.0, photons=20, shape=(256, 256)), DIM),
    "steps backwards": (Case(backwards=True), BRIGHT),
    "orientations differ in period": (Case("actin", periods=(1.0, 1.0, 0.93)), BRIGHT),
    "orientations differ in brightness": (Case("actin", brightness=(0.75, 1.0, 1.25)), BRIGHT),
    "flicker": (Case("actin", more={"flicker": 0.1}), DIM),
    "coarse pattern": (Case("actin", period_um=0.4), BRIGHT),
    "pattern beyond the OTF": (Case("actin", period_um=0.181, na=1.3), BRIGHT),
    "coarse pixels": (Case("actin", pixel_um=0.1), BRIGHT),
    "odd, not square": (Case("actin", shape=(151, 203)), BRIGHT),
    "4 phases": (Case("actin", phases=4), BRIGHT),
    "5 phases": (Case("actin", phases=5, jitter_deg=5.0), BRIGHT),
    "one orientation": (Case("actin", angles=1), Limits(step_deg=0.1)),
    "two orientations": (Case("actin", angles=2), BRIGHT),
    "five orientations": (Case("actin", angles=5), BRIGHT),
}


@pytest.mark.parametrize("name", CASES)
def test_pattern_is_found_and_trusted(name: str) -> None:
    case, limits = CASES[name]
    recording = record(case)
    found = estimate_patterns(recording.series, recording.scope)
    assert found.trusted, [pattern.doubt for pattern in found]
    assert not any(pattern.doubt for pattern in found)
    for errors in all_errors(recording, found):
        assert errors.k0_px < limits.k0_px
        assert errors.phase_deg < limits.phase_deg
        assert errors.step_deg < limits.step_deg
        assert abs(errors.modulation) < limits.modulation


def test_brightness_of_every_orientation() -> None:
    recording = record(Case("actin", brightness=(0.75, 1.0, 1.25)))
    found = estimate_patterns(recording.series, recording.scope)
    for pattern, true in zip(found, recording.patterns, strict=True):
        assert pattern.gains == pytest.approx(true.gains, abs=0.02)


@pytest.mark.parametrize("period_um", [0.21, 0.3])
def test_two_harmonics_where_the_second_hardly_reaches_the_widefield(period_um: float) -> None:
    recording = record(Case("actin", angles=5, phases=5, harmonics=2, period_um=period_um))
    found = estimate_patterns(recording.series, recording.scope)
    assert found.trusted
    for pattern, errors in zip(found, all_errors(recording, found), strict=True):
        assert pattern.modulation == pytest.approx((0.8, 0.4), abs=0.02)
        assert errors.k0_px < 0.05
        assert errors.phase_deg < 1.5


def test_time_points_make_up_for_light_although_the_specimen_moves() -> None:
    more: dict[str, object] = {"time_points": 12, "speed_um_s": 0.3}
    recording = record(Case("mitochondria", photons=2, shape=(128, 128), more=more))
    alone = estimate_patterns(recording.series[0], recording.scope)
    together = estimate_patterns(recording.series, recording.scope)
    assert together.trusted
    assert min(pattern.score for pattern in together) > 1.5 * max(pattern.score for pattern in alone)
    for errors in all_errors(recording, together):
        assert errors.k0_px < 0.1
        assert abs(errors.modulation) < 0.1
