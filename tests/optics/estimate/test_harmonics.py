"""Nonlinear SIM: the second harmonic's contrast and sign, that there is none, and what the image gains."""

import math

import pytest
import torch

from rdl_live.optics import (
    Camera,
    Channel,
    Microscope,
    Optics,
    PatternGeometry,
    PatternSet,
    Reconstructor,
    estimate_patterns,
)
from rdl_live.optics.estimate.harmonics import NO_SECOND
from rdl_live.optics.modalities.pattern_words import pattern_records, pattern_warnings
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.specimen.response import ResponseSettings
from rdl_live.specimen.simulation import SimulatedSeries

SCOPE = Microscope(
    name="nonlinear",
    optics=Optics(na=1.49, pixel_size_um=0.0625),
    channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
    pattern=PatternGeometry(angles=5, phases=5, harmonics=2),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
)
SIDE = 128
FIELD_UM = SIDE * SCOPE.optics.pixel_size_um


def recorded(photons: float, **settings: object) -> SimulatedSeries:
    specimen = SpecimenSettings(kind="filaments", seed=2)
    return simulate(SCOPE, specimen, photons=photons, shape=(SIDE, SIDE), seed=3, upsample=2, **settings).series(0)


def linear(photons: float) -> SimulatedSeries:
    specimen = SpecimenSettings(kind="filaments", seed=2)
    patterns = nominal_patterns(SCOPE, seed=3, modulation=(0.8, 0.0))
    shape = (SIDE, SIDE)
    return simulate(SCOPE, specimen, photons=photons, shape=shape, seed=3, upsample=2, patterns=patterns).series(0)


def off_px(found: PatternSet, true: PatternSet) -> float:
    pairs = [(one, other.canonical()) for one, other in zip(found, true, strict=True)]
    return max(2 * math.hypot(one.kx - other.kx, one.ky - other.ky) for one, other in pairs) * FIELD_UM


@pytest.mark.parametrize(("curve", "depth"), [({"saturation": 0.25}, 0.05), ({"switching": 1.5}, 0.13)])
def test_a_weak_second_harmonic_is_found_with_its_sign(curve: dict[str, float], depth: float) -> None:
    series = recorded(200.0, response=curve, light={"bleaching": 0.2})
    assert series.patterns[0].modulation[1] == pytest.approx(depth, abs=0.01)
    found = estimate_patterns(series.adu, SCOPE)
    assert found.trusted
    assert off_px(found, series.patterns) < 0.08  # of 128 pixels; 0.03 of 192
    for pattern, true in zip(found, series.patterns, strict=True):
        assert pattern.modulation[1] == pytest.approx(true.modulation[1], rel=0.35)
        assert pattern.shifts_rad[1] == math.pi
        assert pattern.gains == pytest.approx(true.gains, abs=0.03)  # the bleaching
    assert pattern_warnings(found) == []
    record = pattern_records(found)[0]
    assert record["periods_um"] == [found[0].period_um, found[0].period_um / 2]
    assert record["harmonic_shifts_deg"] == [0.0, 180.0]


def test_where_there_is_none_it_is_said_and_the_first_is_used_alone() -> None:
    """A linear recording that is declared nonlinear keeps the resolution of linear SIM."""
    series = linear(500.0)
    found = estimate_patterns(series.adu, SCOPE)
    assert [pattern.doubt for pattern in found] == [NO_SECOND] * 5
    assert found.trusted
    assert all(pattern.modulation[1] == 0 for pattern in found)
    assert [record["harmonics_trusted"] for record in pattern_records(found)] == [[True, False]] * 5
    assert pattern_warnings(found) == [f"all orientations: {NO_SECOND}"]
    image, rim = Reconstructor(SCOPE, found, (SIDE, SIDE))(series.adu), (slice(48, -48), slice(48, -48))
    error, wide = ((one - series.total)[rim].square().mean().sqrt().item() for one in (image, widefield(series)))
    assert error < 0.35 * wide  # with none trusted it was no better than the widefield image


def widefield(series: SimulatedSeries) -> torch.Tensor:
    mean = series.expected.mean(dim=(0, 1))
    finest = tuple(series.total.shape)
    return torch.nn.functional.interpolate(mean[None, None], finest, mode="bicubic")[0, 0]


def test_where_light_is_too_dim_to_say_the_first_harmonic_is_used() -> None:
    found = estimate_patterns(linear(5.0).adu, SCOPE)
    assert found.trusted
    assert all(pattern.modulation[1] == 0 for pattern in found)
    (text,) = pattern_warnings(found)
    assert "second harmonic does not stand out from the noise" in text


def test_the_image_is_three_times_as_fine_and_better_for_the_second_harmonic() -> None:
    series = recorded(300.0, response={"saturation": 3.0})
    found = estimate_patterns(series.adu, SCOPE)
    first = PatternSet(patterns=tuple(one.replace(modulation=(one.modulation[0], 0.0)) for one in found))
    image, less = (Reconstructor(SCOPE, patterns, (SIDE, SIDE))(series.adu) for patterns in (found, first))
    assert image.shape == series.truth.shape == (3 * SIDE, 3 * SIDE)
    assert image.mean().item() == pytest.approx(series.total.mean().item(), rel=0.02)
    rim = (slice(48, -48), slice(48, -48))
    both, one = ((made - series.total)[rim].square().mean().sqrt().item() for made in (image, less))
    assert both < 0.95 * one


def test_the_curves_are_those_of_the_formulas() -> None:
    """By Bessel functions: exp(-s cos u) = I_0(s) + 2 sum (-1)^n I_n(s) cos(n u)."""
    size, depth = 1.5, 0.8
    (pattern,) = ResponseSettings(switching=size).answered(
        PatternSet(patterns=(nominal_patterns(SCOPE)[0].replace(modulation=(depth,)),)), 2
    )
    bessel = [torch.special.i0(torch.tensor(size * depth, dtype=torch.float64)).item()]
    bessel.append(torch.special.i1(torch.tensor(size * depth, dtype=torch.float64)).item())
    bessel.append(bessel[0] - 2 * bessel[1] / (size * depth))
    mean = 1 - math.exp(-size) * bessel[0]
    wanted = [2 * math.exp(-size) * one / mean for one in bessel[1:]]
    assert pattern.modulation == pytest.approx(wanted, rel=1e-6)
    assert pattern.shifts_rad == (0.0, math.pi)
