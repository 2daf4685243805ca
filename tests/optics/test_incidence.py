"""How light enters the sample, against Fresnel's and Snell's laws; and what a microscope file says of it."""

import cmath
import math
from pathlib import Path

import pytest

import rdl_live
from rdl_live.errors import ConfigError
from rdl_live.optics.incidence import Incidence, Mode
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.specimen import SpecimenSettings
from rdl_live.specimen.simulation import Simulation, SimulationSettings

COLOUR = {"name": "488", "excitation_nm": 488, "emission_nm": 525}


def scope_of(colour: dict[str, object], **fields: object) -> Microscope:
    optics = {"na": 1.49, "pixel_size_um": 0.065}
    return Microscope.model_validate({"name": "one", "optics": optics, "channels": [{**COLOUR, **colour}], **fields})


@pytest.mark.parametrize(("na", "index"), [(1.42, 1.38), (1.45, 1.36), (1.49, 1.333)])
def test_the_depth_is_that_of_the_wave_vector_in_the_sample(na: float, index: float) -> None:
    """Along z a wave goes as exp(i kz z), kz^2 = (2 pi n / lambda)^2 - kx^2: imaginary above the critical angle."""
    kz = cmath.sqrt((2 * math.pi * index / 488) ** 2 - (2 * math.pi * na / 488) ** 2)
    light = Incidence(na, 488, index)
    assert light.mode is Mode.TIRF
    assert light.depth_um == pytest.approx(1e-3 / (2 * kz.imag))


def test_below_the_critical_angle_light_grazes_and_then_goes_through() -> None:
    assert Incidence(1.37, 488, 1.38).mode is Mode.GRAZING
    assert Incidence(1.0, 488, 1.38).mode is Mode.WIDEFIELD
    assert Incidence(1.0, 488, 1.38).depth_um is None
    # Grazing light is refracted to within 17 degrees of the coverslip (Snell).
    least = next(na for na in (n / 1000 for n in range(1000, 1380)) if Incidence(na, 488, 1.38).mode is Mode.GRAZING)
    assert math.degrees(math.acos(least / 1.38)) < 17


def test_illuminations_are_channels_with_stripes_and_light_of_their_own(root: Path) -> None:
    scope = rdl_live.load_microscope(root / "configs" / "demo-tirf.yaml")
    assert [one.name for one in scope.channels][:3] == ["488 TIRF", "488 GI", "488 widefield"]
    modality = modality_of(scope)
    for channel in scope.channels:
        assert channel.illumination is not None
        wanted = channel.excitation_nm * 1e-3 / (2 * (channel.illumination.incidence_na or 0))
        assert modality.nominal(scope, channel)[0].period_um == pytest.approx(wanted)
    assert scope.hardware is not None
    assert {one.channel for one in scope.hardware.light} == {one.name for one in scope.channels}
    assert Microscope.model_validate(scope.model_dump()) == scope  # as recordings keep it


def test_a_period_says_the_na_and_narrows_the_search() -> None:
    scope = scope_of({"illumination": {"name": "TIRF", "period_um": 0.172}})
    assert scope.channels[0].pattern.period_um == 0.172
    light = scope.incidence()
    assert light is not None
    assert light.na == pytest.approx(0.488 / (2 * 0.172))


@pytest.mark.parametrize(
    ("colour", "words"),
    [
        ({"illumination": {"name": "a"}}, "says nothing; give its incidence_na"),
        ({"illumination": {"name": "a", "incidence_na": 1.42, "period_um": 0.2}}, "contradict each other.*0.1718 um"),
        ({"illumination": {"name": "a", "incidence_na": 1.6}}, "above the immersion"),
        (
            {"illuminations": [{"name": "a", "incidence_na": 1.4}, {"name": "a", "incidence_na": 1.3}]},
            "illumination stands twice",
        ),
        ({"illuminations": [{"name": "a", "incidence_na": 1.4}], "pattern": {"period_um": 0.2}}, "all illuminations"),
    ],
)
def test_what_cannot_be_is_refused(colour: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scope_of(colour)


def test_no_colour_of_several_illuminations_is_left() -> None:
    scope = scope_of({"illuminations": [{"name": "TIRF", "incidence_na": 1.42}, {"name": "GI", "incidence_na": 1.36}]})
    with pytest.raises(ConfigError, match="it has '488 TIRF', '488 GI'"):
        scope.channel("488")


def test_a_recording_shows_its_incidence_and_that_of_another_illumination_is_named() -> None:
    scope = scope_of(
        {"illuminations": [{"name": "TIRF", "incidence_na": 1.42}, {"name": "wide", "incidence_na": 1.2}]},
        camera={"offset_adu": 100, "gain_e_per_adu": 0.5},
    )
    tirf, wide = scope.channels
    recorded = Simulation(scope, SpecimenSettings(seed=2), SimulationSettings(shape=(128, 128)), channel=tirf)
    series = next(iter(recorded)).adu.numpy()
    modality = modality_of(scope)
    patterns = modality.estimate(series, scope, channel=tirf)
    seen = modality.incidence(scope, patterns, tirf)
    assert seen is not None
    assert (seen.mode, seen.na) == (Mode.TIRF, pytest.approx(1.42, rel=0.01))
    assert not [text for text in modality.remarks(series, scope, patterns, tirf) if "illumination" in text]
    told = modality.remarks(series, scope, patterns, wide)
    assert any("not those of illumination 'wide'" in text and "1.42" in text for text in told)
