"""CARE as a live stage: a frame at once, a stack when it is whole; and what its package warns of."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from rdl_live.app.exchange.words import card_in_words, cited, counts_photons
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.errors import ConfigError
from rdl_live.optics import Camera, Channel, Microscope, Optics, PatternSet
from rdl_live.restore.stage import Context, Unit
from rdl_live.restore.stages import load_stage
from rdl_live.stream import PipelineRecipe
from rdl_models import Card, Care, CareConfig, save_weights
from tests.stream.conftest import tags

CHANNEL = Channel(name="green", excitation_nm=488, emission_nm=525)
SIDE = 24


def microscope(modality: str) -> Microscope:
    return Microscope(
        name="plain",
        modality=modality,
        optics=Optics(na=1.1, pixel_size_um=0.1),
        channels=(CHANNEL,),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
    )


def card(network: Care, loss: str) -> Card:
    trained_on = {"scheme": "pairs", "settings": {"loss": loss}}
    config = vars(network.config)
    return Card(name="care", architecture="care", config=config, trained_on=trained_on, steps=1, minutes=0.1)


def made(path: Path, **fields: object) -> Care:
    torch.manual_seed(4)
    network = Care(CareConfig(width=2, kernel=3, **fields)).eval()
    for member in network.members:  # a correction begins with none
        torch.nn.init.normal_(member.last.weight, std=0.1)
    save_weights(path, network, card(network, "laplace"))
    return network


def context(scope: Microscope, told: list[str] | None = None) -> Context:
    tell = (lambda _: None) if told is None else told.append
    return Context(scope, (CHANNEL,), (SIDE, SIDE), torch.device("cpu"), tell)


def unit(seed: int, plane: int = 0) -> Unit:
    photons = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 20
    return Unit(photons, PatternSet(), CHANNEL, (0, plane), lambda x: x[0, 0], "widefield")


def test_a_frame_is_restored_at_once_with_its_standard_error(tmp_path: Path) -> None:
    network = made(tmp_path / "w.safetensors", probabilistic=True, members=2, relative=True)
    stage = load_stage(str(tmp_path / "w.safetensors"), context(microscope("widefield")))
    one = unit(1)
    found = stage.restore(one)
    with torch.no_grad():
        said = network(one.photons)[0]
    assert (found.main, set(found.images)) == ("restored", {"widefield", "restored", "sigma", "disagreement"})
    torch.testing.assert_close(found.sr, said[0])
    torch.testing.assert_close(found.sigma, 2**0.5 * said[1])


def test_a_stack_is_shown_when_it_is_whole_and_what_is_recorded_is_the_camera(tmp_path: Path) -> None:
    network = made(tmp_path / "w.safetensors", dims=3)
    told: list[str] = []
    stage = load_stage(str(tmp_path / "w.safetensors"), context(microscope("widefield"), told))
    units = [unit(plane, plane) for plane in range(4)]
    for one in units:
        assert set(stage.restore(one).images) == {"widefield"}
    found = stage.restore(unit(9, 0))
    assert found.main == "widefield"
    values = torch.stack([one.photons[0, 0] for one in units]) / 0.5 + 100
    with torch.no_grad():
        whole = network(values[None, None])[0, 0]
    torch.testing.assert_close(found.images["last stack restored"], whole[0])
    assert "need not be photons" in told[0]


def test_the_last_stack_is_shown_with_its_last_plane(tmp_path: Path) -> None:
    network = made(tmp_path / "w.safetensors", dims=3)
    stage = load_stage(str(tmp_path / "w.safetensors"), context(microscope("widefield")))
    for plane in range(4):
        stage.restore(unit(plane, plane))
    units = [unit(10 + plane, plane) for plane in range(4)]
    found = [stage.restore(one).images for one in units][-1]
    values = torch.stack([one.photons[0, 0] for one in units]) / 0.5 + 100
    with torch.no_grad():
        whole = network(values[None, None])[0, 0]
    torch.testing.assert_close(found["last stack restored"], whole[3])


def test_after_a_lost_plane_no_other_plane_is_shown_in_its_place(tmp_path: Path) -> None:
    network = made(tmp_path / "w.safetensors", dims=3)
    stage = load_stage(str(tmp_path / "w.safetensors"), context(microscope("widefield")))
    units = {plane: unit(plane, plane) for plane in (0, 1, 3)}
    for one in units.values():
        stage.restore(one)
    found = [stage.restore(unit(10 + plane, plane)).images.get("last stack restored") for plane in range(3)]
    frames = {plane: one.photons[0, 0] for plane, one in units.items()}
    frames[2] = (frames[1] + frames[3]) / 2
    values = torch.stack([frames[plane] for plane in range(4)]) / 0.5 + 100
    with torch.no_grad():
        whole = network(values[None, None])[0, 0]
    assert found[2] is None
    for plane in (0, 1):
        torch.testing.assert_close(found[plane], whole[plane])


def test_series_of_stripes_are_refused_by_name(tmp_path: Path) -> None:
    made(tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match=r"restore single frames, .* gives 9 a series .*modality: widefield"):
        load_stage(str(tmp_path / "w.safetensors"), context(microscope("2d-sim")))


def test_the_card_warns_of_counting_photons_where_the_loss_says_so() -> None:
    network = Care(CareConfig(width=2))
    for loss, counts in (("mae", False), ("laplace", False), ("mse", True)):
        one = card(network, loss)
        assert counts_photons(one) is counts
        assert ("Do not count photons" in card_in_words(one)) is not counts
        assert cited(one)[0][1] == "10.1038/s41592-018-0216-7"


def test_a_plain_camera_is_restored_in_a_live_run_and_shaded(tmp_path: Path) -> None:
    made(tmp_path / "w.safetensors", probabilistic=True, relative=True)
    scope, side = microscope("widefield"), 64
    recipe = PipelineRecipe(scope, scope.channels[:1], (side, side), denoise=str(tmp_path / "w.safetensors"))
    recipe.check()
    adu = np.random.default_rng(1).poisson(20, (1, 1, side, side)).astype(np.uint16) + 100
    with ThreadPoolExecutor(1) as executor:
        pipeline = recipe.build(executor, lambda _: None)
        result = pipeline.push(adu[0, 0], tags(0)[0])
    assert result is not None
    assert (result.denoiser, result.main) == ("care", "restored")
    assert set(result.images) == {"widefield", "restored", "sigma"}
    mailbox = Mailbox()
    mailbox.open(scope, ("green",), 0.1)
    mailbox.put_result(result)
    images = mailbox.take()
    assert images is not None
    picture = images["restored"]
    assert picture is not None
    assert picture.sigma is not None
    assert picture.pixel_um == pytest.approx(0.1)
