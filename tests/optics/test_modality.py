"""What a unit is: its frames in the order in which they are taken, and the modality that its microscope file names."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from rdl_live.errors import ConfigError
from rdl_live.optics import Channel, Microscope, Optics, PatternGeometry, PatternSet, evenly_spaced
from rdl_live.optics.geometry import SingleFrame, UnitGeometry
from rdl_live.optics.modality import modality_of
from rdl_live.optics.modality_kinds import MODALITIES, ModalityKind

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.08),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
)
WIDEFIELD = Microscope.model_validate({**SCOPE.model_dump(), "modality": "widefield", "pattern": {}})


def test_frames_are_counted_in_the_order_in_which_they_are_taken() -> None:
    by_angle = PatternGeometry(angles=3, phases=5)
    by_phase = by_angle.replace(order="phase-angle")
    assert by_angle.slots == tuple(itertools.product(range(3), range(5)))
    assert by_phase.slots == tuple((a, p) for p, a in itertools.product(range(5), range(3)))
    assert (by_angle.counts, by_angle.frames, by_angle.sr_shape((10, 12))) == ((3, 5), 15, (20, 24))
    single = SingleFrame()
    assert (single.counts, single.slots, single.sr_shape((10, 12))) == ((1, 1), ((0, 0),), (10, 12))


def test_a_microscope_that_says_nothing_is_of_stripes() -> None:
    assert SCOPE.modality == "2d-sim"
    assert isinstance(SCOPE.pattern, PatternGeometry)
    assert modality_of(SCOPE).searches
    assert Microscope.model_validate_json(SCOPE.model_dump_json()) == SCOPE


def test_the_section_of_patterns_is_the_modality_s() -> None:
    assert WIDEFIELD.pattern == SingleFrame()
    assert Microscope.model_validate_json(WIDEFIELD.model_dump_json()) == WIDEFIELD
    assert WIDEFIELD.replace(name="other").pattern == SingleFrame()
    with pytest.raises(ValidationError, match="each frame is an image of its own"):
        WIDEFIELD.replace(pattern={"phases": 3})
    with pytest.raises(ValidationError, match="there is no modality 'sim'; there are 2d-sim, hexagonal, widefield"):
        SCOPE.replace(modality="sim")


def test_even_light_has_no_patterns_and_nothing_to_doubt() -> None:
    modality = modality_of(WIDEFIELD)
    patterns = modality.nominal(WIDEFIELD)
    assert patterns == PatternSet()
    assert patterns.trusted
    torch.testing.assert_close(modality.light(patterns, WIDEFIELD.pattern, (4, 6), 0.08), torch.ones(1, 1, 4, 6))
    verdict = modality.judge(patterns, WIDEFIELD, WIDEFIELD.channels[0], (4, 6)).judge(torch.ones(1, 1, 4, 6))
    assert verdict.trusted
    with pytest.raises(ConfigError, match="not searched for"):
        modality.refit(np.ones((1, 1, 4, 6)), WIDEFIELD, patterns)


def test_a_flat_field_of_n_photons_gives_n() -> None:
    image = modality_of(WIDEFIELD).reconstruction(WIDEFIELD, PatternSet(), (8, 10))
    torch.testing.assert_close(image(np.full((1, 1, 8, 10), 7, np.uint16)), torch.full((8, 10), 7.0))


def test_what_cannot_be_loaded_is_named() -> None:
    MODALITIES.register(ModalityKind("broken", "nothing", UnitGeometry, "rdl_live.nowhere:IT"))
    try:
        with pytest.raises(ConfigError, match=r"modality 'broken': rdl_live\.nowhere:IT cannot be loaded"):
            modality_of(SCOPE.replace(modality="broken", pattern={}))
    finally:
        MODALITIES.forget("broken")


def test_too_few_orientations_say_what_is_missing() -> None:
    stripes = modality_of(SCOPE)
    (one,) = stripes.doubts(evenly_spaced(0.2, 1, 5, first_angle_deg=17))
    assert "super-resolved along 17 degrees only" in one
    (two,) = stripes.doubts(evenly_spaced(0.2, 2, 4, first_angle_deg=17))
    assert "along 17 and 107 degrees" in two
    assert stripes.doubts(evenly_spaced(0.2)) == []
