"""Unkind scenes: everything that goes wrong is drawn, and the kind ones stay what they were."""

import numpy as np
import pytest
import torch

from rdl_live.train import SceneSettings
from rdl_live.train.simulated.draw import draw_conditions, draw_microscope, draw_specimen
from rdl_live.train.simulated.scene import make_scene
from rdl_live.train.simulated.unkind import KIND, Drawn, UnkindSettings

ALWAYS = SceneSettings(size=48, exposures=1, unkind=UnkindSettings(share=1.0))


def test_what_is_drawn_lies_in_its_range() -> None:
    rng = np.random.default_rng(0)
    drawn = Drawn(chance=0.25, low=0.05, high=1.0, logarithmic=True)
    values = np.array([drawn.draw(rng, -1.0) for _ in range(4000)])
    there = values[values != -1]
    assert len(there) / len(values) == pytest.approx(0.25, abs=0.03)
    assert there.min() >= 0.05
    assert there.max() <= 1.0
    assert np.median(there) == pytest.approx(0.05**0.5, rel=0.1)
    with pytest.raises(ValueError, match="cannot be drawn from"):
        Drawn(chance=1.0, low=2.0, high=1.0)


def test_microscopes_reach_as_far_as_is_said_and_none_aliases() -> None:
    rng = np.random.default_rng(1)
    scopes = [draw_microscope(rng, ALWAYS, unkind=True) for _ in range(600)]
    pixels = [scope.optics.pixel_size_um for scope in scopes]
    assert min(pixels) < 0.04
    assert max(pixels) > 0.13
    assert min(scope.optics.na for scope in scopes) < 0.75
    assert {scope.pattern.harmonics for scope in scopes} == {1, 2}
    assert all(scope.cutoff() < 0.5 / scope.optics.pixel_size_um for scope in scopes)


def test_every_cause_is_drawn() -> None:
    rng = np.random.default_rng(2)
    scopes = [draw_microscope(rng, ALWAYS, unkind=True) for _ in range(300)]
    specimens = [draw_specimen(rng, ALWAYS, unkind=True) for _ in range(300)]
    found = [draw_conditions(rng, ALWAYS, scope.camera, unkind=True) for scope in scopes]
    for part in ("light", "optics", "sensor"):
        settings = [one.recorded[part] for one in found]
        for name, field in type(settings[0]).model_fields.items():
            if name not in ("bits", "binning", "hot_e", "telegraph_e"):
                assert any(getattr(one, name) != field.default for one in settings), f"{part}.{name}"
    for name in ("also", "aggregates", "cell", "glow"):
        assert len({getattr(one, name) for one in specimens}) > 2, name
    assert max(one.density for one in specimens) > 5
    assert any(one.kind == "empty" for one in specimens)
    assert {one.blind > 0 for one in found} == {True, False}


@pytest.mark.parametrize("index", range(4))
def test_unkind_scenes_can_be_trained_on(index: int) -> None:
    scene = make_scene(7, index, ALWAYS)
    assert all(torch.isfinite(part).all() for part in scene.evidence.tensors())
    assert torch.isfinite(scene.truth).all()
    # The light that was set is the light of the frames and of the truth.
    assert float(scene.truth.mean()) == pytest.approx(1.0, rel=0.2)


def test_kind_scenes_have_nothing_wrong() -> None:
    rng = np.random.default_rng(3)
    kind = ALWAYS.replace(unkind=KIND)
    scope = draw_microscope(rng, kind)
    conditions = draw_conditions(rng, kind, scope.camera, unkind=False)
    assert set(conditions.recorded) == {"modulation", "phase_jitter_deg", "flicker"}
    assert conditions.blind == conditions.damping_um == 0
