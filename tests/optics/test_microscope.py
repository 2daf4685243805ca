"""Descriptions are frozen, validated when made and when changed, and say what is wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from rdl_live.errors import ConfigError
from rdl_live.optics import Camera, Channel, Microscope, Optics, PatternGeometry, PatternGuess, RadialOtf, SeriesOrder

GREEN = {"name": "green", "excitation_nm": 488, "emission_nm": 525}
RED = {"name": "red", "excitation_nm": 561, "emission_nm": 600}


def microscope(**changes: Any) -> Microscope:
    content = {"name": "m", "optics": {"na": 1.3, "pixel_size_um": 0.08}, "channels": [GREEN, RED], **changes}
    return Microscope.model_validate(content)


def test_defaults_are_those_of_the_field() -> None:
    scope = microscope()
    assert (scope.pattern.angles, scope.pattern.phases, scope.pattern.harmonics) == (3, 3, 1)
    assert scope.pattern.order is SeriesOrder.ANGLE_PHASE
    assert scope.pattern.frames == 9
    assert (scope.camera.offset_adu, scope.camera.gain_e_per_adu, scope.camera.read_noise_e) == (0, 1, 0)
    assert scope.channels[0].pattern == PatternGuess()
    assert scope.hardware is None


def test_cutoff() -> None:
    scope = microscope()
    assert scope.cutoff() == pytest.approx(2 * 1.3 / 0.525)
    assert scope.cutoff(scope.channel("red")) == pytest.approx(2 * 1.3 / 0.6)


def test_channels_by_name() -> None:
    scope = microscope()
    assert scope.channel().name == "green"
    assert scope.channel("red").emission_nm == 600
    with pytest.raises(ConfigError, match="no channel 'blue'; it has 'green', 'red'"):
        scope.channel("blue")


def test_frozen() -> None:
    scope = microscope()
    with pytest.raises(ValidationError, match="frozen"):
        scope.name = "other"
    with pytest.raises(ValidationError, match="frozen"):
        scope.optics.na = 1.0
    assert scope.replace(name="other").name == "other"
    assert scope.name == "m"


def test_a_change_is_validated() -> None:
    with pytest.raises(ValidationError, match="immersion index"):
        Optics(na=1.3, pixel_size_um=0.08).replace(immersion_index=1.0)
    assert Optics(na=1.3, pixel_size_um=0.08).replace(na=0.9).na == 0.9


def test_round_trip() -> None:
    scope = microscope(pattern={"angles": 5, "phases": 5, "harmonics": 2, "order": "phase-angle"})
    assert Microscope.model_validate(scope.model_dump(mode="json")) == scope


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optics": {"na": 1.6, "pixel_size_um": 0.08}}, ["na 1.6", "immersion index 1.518", "correct na"]),
        ({"optics": {"na": 1.1, "pixel_size_um": 0.08, "immersion_index": 1.0}}, ["na 1.1", "index 1"]),
        ({"optics": {"na": 0, "pixel_size_um": 0.08}}, ["optics.na", "greater than 0"]),
        ({"optics": {"na": 1.3, "pixel_size_um": 0}}, ["pixel_size_um", "greater than 0"]),
        ({"optics": {"na": 1.3, "pixel_size_um": -0.1}}, ["pixel_size_um", "greater than 0"]),
        ({"optics": {"na": float("nan"), "pixel_size_um": 0.1}}, ["optics.na", "finite"]),
        ({"optics": {"na": 1.3}}, ["pixel_size_um", "required"]),
        ({"optics": {"na": 1.3, "pixel_size_um": 0.08, "NA": 1.3}}, ["optics.NA", "Extra inputs"]),
        ({"channels": []}, ["channels", "at least 1"]),
        ({"channels": [GREEN, GREEN]}, ["channel names must differ", "green"]),
        ({"channels": [{**GREEN, "emission_nm": 480}]}, ["480", "488", "redder", "swap"]),
        ({"channels": [{**GREEN, "excitation_nm": 0.488}]}, ["excitation_nm", "greater than 100"]),
        ({"channels": [{**GREEN, "pattern": {"angles_deg": [0, 90]}}]}, ["lists 2 angles", "pattern.angles is 3"]),
        ({"channels": [{**GREEN, "pattern": {"period_um": 0}}]}, ["period_um"]),
        ({"pattern": {"phases": 2}}, ["phases"]),
        ({"pattern": {"phases": 4, "harmonics": 2}}, ["4 phases cannot separate 2", "at least 5"]),
        ({"pattern": {"angles": 0}}, ["angles"]),
        ({"pattern": {"order": "phase-first"}}, ["order", "angle-phase"]),
        ({"camera": {"gain_e_per_adu": 0}}, ["gain_e_per_adu"]),
        ({"camera": {"offset_adu": -1}}, ["offset_adu"]),
        ({"camera": {"read_noise_e": float("inf")}}, ["read_noise_e", "finite"]),
        ({"camera": {"saturation_adu": 0}}, ["saturation_adu"]),
        ({"name": ""}, ["name"]),
        ({"nmae": "m"}, ["nmae"]),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        microscope(**changes)
    for word in words:
        assert word in str(caught.value)


def test_measured_otf() -> None:
    assert RadialOtf(values=(2.0, 1.0), spacing=0.1).values == (2.0, 1.0)
    with pytest.raises(ValidationError, match="must be positive"):
        RadialOtf(values=(0.0, 1.0), spacing=0.1)
    with pytest.raises(ValidationError):
        RadialOtf(values=(1.0,), spacing=0.1)
    with pytest.raises(ValidationError):
        RadialOtf(values=(1.0, 0.5), spacing=0.0)


def test_parts_stand_alone() -> None:
    assert PatternGeometry(angles=5, phases=5, harmonics=2).frames == 25
    assert Camera(gain_e_per_adu=0.46).gain_e_per_adu == 0.46
    assert Channel(**GREEN).pattern.period_um is None
