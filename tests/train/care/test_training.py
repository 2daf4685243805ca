"""CARE is trained: light is kept by the simulated microscopes, and a killed training goes on to the bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rdl_live.optics import Otf
from rdl_live.train.care import simulated
from rdl_live.train.care.certainty import measured
from rdl_live.train.care.drawn import DrawnPairs, exposed
from rdl_live.train.care.instruments import Instrument, Optics, pupil_psf, seen
from rdl_live.train.care.isotropic import Axial, as_along_z, measured_blur
from rdl_live.train.care.run import train_care
from rdl_live.train.care.settings import CareLoss, CareSettings
from rdl_live.train.care.simulated import SimulatedPairs
from rdl_live.train.care.source import Pair
from rdl_live.train.care.structures import Box, drawn, uneven
from rdl_live.train.care.task import CareTask
from rdl_live.train.loop.processes import Processes
from rdl_models import load_weights

SHEET = Optics(Instrument.LIGHT_SHEET, na=0.8, index=1.33, emission_nm=520, pixel_um=0.13, step_um=0.3)


def test_simulated_microscopes_keep_the_light() -> None:
    flat = torch.full((8, 32, 32), 5.0)
    assert float((seen(flat, SHEET) - 5).abs().max()) < 1e-3
    labels = np.random.default_rng(1).uniform(1, 3, (500, 3))
    assert float(drawn(labels, np.ones(500), Box((16, 40, 40), 0.3, 0.13)).sum()) == pytest.approx(500, rel=1e-5)
    glow = uneven(np.random.default_rng(2), (64, 48))
    assert float(glow.mean()) == pytest.approx(1, rel=1e-4)
    assert float(glow.min()) >= 0


def test_the_psf_in_focus_has_the_transfer_of_the_textbook() -> None:
    psf = pupil_psf((1, 64, 64), SHEET, SHEET.emission_nm)[0]
    found = torch.fft.rfft2(psf).real
    ky, kx = torch.fft.fftfreq(64, SHEET.pixel_um)[:, None], torch.fft.rfftfreq(64, SHEET.pixel_um)[None]
    ideal = Otf(2 * SHEET.na / (SHEET.emission_nm * 1e-3), SHEET.pixel_um, integrates=False)(kx, ky)
    assert float((found - ideal).abs().max()) < 0.06  # of a pupil of some hundred samples


def test_planes_are_degraded_as_along_z_and_the_blur_is_measured() -> None:
    rng = torch.Generator().manual_seed(5)
    plane = torch.rand(60, 40, generator=rng)
    assert torch.allclose(as_along_z(torch.full((60, 40), 3.0), Axial(4.0, 2.0)), torch.full((60, 40), 3.0))
    degraded = as_along_z(plane, Axial(4.0, 2.0))
    assert degraded.shape == plane.shape
    assert float(degraded.diff(dim=0).std()) < 0.2 * float(plane.diff(dim=0).std())
    # White light, blurred by 1 pixel in the plane, and by 3 more along z, which is sampled every 4th.
    spectrum = torch.fft.fftn(torch.randn(96, 64, 64, generator=rng))
    k = [torch.fft.fftfreq(n) for n in (96, 64, 64)]
    gauss = [torch.exp(-2 * (torch.pi * s) ** 2 * q**2) for s, q in zip((10**0.5, 1, 1), k, strict=True)]
    blurred = torch.fft.ifftn(spectrum * gauss[0][:, None, None] * gauss[1][:, None] * gauss[2]).real
    assert measured_blur([blurred[::4]], 4.0) == pytest.approx(3.0, abs=0.6)


def settings(**more: object) -> CareSettings:
    fields = {"width": 2, "kernel": 3, "depth": 1}
    return CareSettings(network=fields, patch=16, batch=1, validate_every=2, **more)


def trained(out: Path, how: CareSettings, *, resume: bool = False) -> dict[str, torch.Tensor]:
    assert train_care(SimulatedPairs(how), out, how, trained_on={}, resume=resume, overwrite=True) is not None
    return dict(load_weights(out).network.state_dict())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


def test_a_training_that_was_stopped_goes_on_to_the_bit(whole: Path, tmp_path: Path) -> None:
    how = settings(steps=4, members=2, loss=CareLoss.LAPLACE)
    expected = trained(whole / "w.safetensors", how)
    out = tmp_path / "w.safetensors"
    assert train_care(SimulatedPairs(how), out, how, trained_on={}, watch=lambda step: step.number >= 2) is None
    assert not out.exists()
    found = trained(out, how, resume=True)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_members_of_an_ensemble_differ_and_the_card_says_what_counts_as_unusual(whole: Path) -> None:
    how = settings(steps=2, members=2, loss=CareLoss.LAPLACE)
    result = train_care(SimulatedPairs(how), whole / "e.safetensors", how, trained_on={}, overwrite=True)
    assert result is not None
    assert {"sigma_limit", "disagreement_limit", "coverage_90_uncalibrated"} <= result.card.scores.keys()
    state = load_weights(whole / "e.safetensors").network.state_dict()
    assert not torch.equal(state["members.0.last.weight"], state["members.1.last.weight"])
    assert "no photon count" in " ".join(result.words)


@pytest.mark.parametrize("wrong", [0.5, 1.0, 2.0])
def test_the_scale_is_calibrated_so_that_nine_tenths_lie_within_the_interval(wrong: float) -> None:
    rng = torch.Generator().manual_seed(1)
    sign = torch.where(torch.rand(200, 200, generator=rng) < 0.5, -1.0, 1.0)
    target = 0.3 * sign * -torch.log1p(-torch.rand(200, 200, generator=rng))
    said = torch.stack([torch.zeros_like(target), torch.full_like(target, 0.3 * wrong)])
    found = measured([(said, target)])
    assert found.factor == pytest.approx(1 / wrong, rel=0.03)
    # Of a Laplace distribution, 1 - 10 ** -wrong lies within ln(10) x wrong scales.
    assert found.coverage == pytest.approx(1 - 10**-wrong, abs=0.005)


def test_light_is_that_of_the_structure_whatever_is_empty_around_it() -> None:
    field = torch.zeros(64, 64)
    field[10:20, 10:20] = 7.0
    for image in (field, field[:24, :24]):
        expected, unit = exposed(np.random.default_rng(1), image, (20.0, 20.0), (1e-9, 1e-9))
        assert float(expected[10:20, 10:20].mean()) == pytest.approx(20, rel=1e-3)
        assert float(unit) == pytest.approx(20 / 7, rel=1e-3)


def test_a_kept_scene_is_shown_in_other_light_each_time_and_the_same_after_a_restart() -> None:
    how = settings()
    first, again = (SimulatedPairs(how).patch(np.random.default_rng([1, 5])) for _ in range(2))
    assert torch.equal(first[0], again[0])
    other = SimulatedPairs(how).patch(np.random.default_rng([1, 6]))
    assert not torch.equal(first[1], other[1])


def test_kept_scenes_are_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With patches of 1024 pixels, 512 scenes would be 8 GiB."""
    how = settings()
    room = 5 * 4 * (simulated.WIDER * how.patch) ** 2
    monkeypatch.setattr(simulated, "KEPT_BYTES", room)
    monkeypatch.setattr(SimulatedPairs, "_seen", lambda _self, rng, shape: torch.full((1, *shape), rng.random()))
    source = SimulatedPairs(how)
    for seed in range(60):
        source.patch(np.random.default_rng(seed))
    assert sum(one.nbytes for one in source._kept.values()) == room


class _Numbers(DrawnPairs):
    """Scenes of one pixel, which show the random number that a scene begins with."""

    def patch(self, rng: np.random.Generator) -> Pair:
        number = torch.tensor([[rng.random()]], dtype=torch.float64)
        return number, number

    def identity(self) -> Mapping[str, Any]:
        return {}


def test_no_step_of_a_long_training_draws_a_held_out_scene() -> None:
    settings = CareSettings(batch=1)
    source = _Numbers(settings)
    held = {float(low) for low, _ in source.held}
    task = CareTask(lambda: pytest.fail("no network is needed"), source, settings)
    with task.batches(Processes.alone()) as draw:
        learnt = {float(draw(step).low) for step in range(20_000)}
    assert len(held) == len(source.held)
    assert not held & learnt
