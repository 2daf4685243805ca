"""Networks that super-resolve, trained on pairs: BioSR's folders, folders of files, and one's own SIM recordings."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
import torch
from torch import Tensor

from rdl_live.app.retrain.own_pairs import SHARES, own_pairs
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import load_microscope
from rdl_live.optics.microscope import Camera
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.loop.loop import Training
from rdl_live.train.pairs.field import PairField, divided, matched, moved
from rdl_live.train.pairs.folders import open_pairs, pixel_size
from rdl_live.train.pairs.run import train_on_pairs
from rdl_live.train.pairs.settings import PairSettings
from rdl_live.train.pairs.task import PairTask
from rdl_models import build, find_architecture, load_weights
from tests.cli.conftest import MICROSCOPE

SIDE = 48
CAMERA = Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.0)


def blobs(side: int, seed: int) -> Tensor:
    """Return a smooth field of spots, (side, side), at a mean of 1."""
    torch.manual_seed(seed)
    spots = (torch.rand(1, 1, side, side) > 0.97).float()
    kernel = torch.outer(*[torch.exp(-0.5 * torch.linspace(-2, 2, 9) ** 2)] * 2)[None, None]
    image = torch.nn.functional.conv2d(spots, kernel, padding=4)[0, 0] + 0.05
    return image / image.mean()


def write_mrc(path: Path, images: np.ndarray, pixel_um: float) -> None:
    with mrcfile.new(path) as file:
        file.set_data(images)
        file.voxel_size = pixel_um * 1e4


@pytest.fixture(scope="module")
def biosr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as BioSR has them: four cells at two light levels."""
    folder = tmp_path_factory.mktemp("BioSR") / "CCPs"
    rng = np.random.default_rng(3)
    for cell in range(4):
        here = folder / f"Cell_{cell + 1:03d}"
        here.mkdir(parents=True)
        fine = blobs(2 * SIDE, cell)
        coarse = torch.nn.functional.avg_pool2d(fine[None, None], 2)[0, 0].numpy()
        for level, photons in ((1, 5), (2, 40)):
            frames = 2 * rng.poisson(photons * np.stack([coarse] * 9)) + 100
            write_mrc(here / f"RawSIMData_level_{level:02d}.mrc", frames.astype(np.uint16), 0.0626)
        write_mrc(here / "RawSIMData_gt.mrc", np.stack([coarse] * 9).astype(np.float32), 0.0626)
        write_mrc(here / "SIM_gt.mrc", (7 * fine.numpy()[None]).astype(np.float32), 0.0313)
    return folder


def test_biosr_is_read_as_it_lies_on_disk(biosr: Path) -> None:
    fields = open_pairs(biosr, 1, 2, CAMERA)
    assert [one.name for one in fields] == [f"Cell_{number:03d}" for number in (1, 2, 3, 4)]
    assert pixel_size(biosr) == pytest.approx(0.0626, rel=1e-3)
    for one in fields:
        assert one.levels == 2
        assert one.photons == (pytest.approx(45, rel=0.1), pytest.approx(360, rel=0.1))  # of nine frames together
        frames, target = one.load(0)
        assert frames.shape == (1, SIDE, SIDE)
        assert float(frames.mean()) == pytest.approx(5, rel=0.1)
        assert float(target.mean()) == pytest.approx(float(frames.mean()), rel=0.02)  # photons, whatever the unit
    nine = open_pairs(biosr / "Cell_001", 9, 2, CAMERA)
    assert [one.load(1)[0].shape for one in nine] == [(9, SIDE, SIDE)]
    learnt, held = divided(fields)
    assert [one.name for one in held] == ["Cell_004"]
    assert len(learnt) == 3


def test_of_fifty_cells_fifteen_are_held_out() -> None:
    def nothing(_level: int) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    fields = [PairField(f"Cell_{number:03d}", (8, 8), 1, nothing, (1.0,)) for number in range(50)]
    learnt, held = divided(fields)
    assert (len(learnt), len(held)) == (35, 15)
    same = [PairField(f"film {number}", (8, 100), 1, nothing, (1.0,), place="film") for number in range(3)]
    learnt, held = divided(same)
    assert [one.columns for one in learnt] == [(0.0, 0.7)] * 3
    assert [one.shape for one in held] == [(8, 30)] * 3


@pytest.mark.parametrize(
    ("frames", "scale", "words"),
    [(1, 3, "96 x 96 pixels; 3 times its input of 48 x 48 would be 144 x 144"), (25, 2, "holds 9 images, --frames 25")],
)
def test_pairs_that_do_not_fit_are_refused_with_both_values(biosr: Path, frames: int, scale: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_pairs(biosr, frames, scale)


def test_folders_of_files_with_the_same_names(tmp_path: Path) -> None:
    for name in ("input", "target"):
        (tmp_path / name).mkdir()
    for number in range(2):
        fine = blobs(60, number)
        coarse = torch.nn.functional.avg_pool2d(fine[None, None], 2)[0, 0]
        tifffile.imwrite(tmp_path / "input" / f"{number}.tif", (30 * coarse).numpy())
        tifffile.imwrite(tmp_path / "target" / f"{number}.tif", fine.numpy())
    fields = open_pairs(tmp_path, 1, 2)
    assert [one.name for one in fields] == ["0", "1"]
    assert [float(one.load(0)[1].mean()) for one in fields] == [pytest.approx(30, rel=1e-3)] * 2
    (tmp_path / "target" / "1.tif").unlink()
    with pytest.raises(DataError, match=r"1: has no fellow of the same name in 'target'"):
        open_pairs(tmp_path, 1, 2)
    with pytest.raises(DataError, match="neither cells"):
        open_pairs(tmp_path / "input", 1, 2)


def test_a_target_is_moved_onto_its_input() -> None:
    fine = blobs(128, 1)
    coarse = torch.nn.functional.avg_pool2d(fine[None, None], 2)[0, 0]
    torch.manual_seed(0)
    noisy = torch.poisson(50 * coarse)[None]
    away = moved(fine, 3.0, -5.0)
    torch.testing.assert_close(away[20:100, 20:100], fine[17:97, 25:105], rtol=0.05, atol=0.3)
    found = matched(noisy, away, "one") / 50
    inner = (slice(16, -16), slice(16, -16))
    assert float((found - fine)[inner].square().mean()) < 0.02 * float((away - fine)[inner].square().mean())
    with pytest.raises(DataError, match="one: the mean is 0 in the input"):
        matched(torch.zeros(1, 64, 64), fine, "one")


def settings(**changes: object) -> PairSettings:
    fields = {
        "architecture": "srcnn",
        "network": {"width": 8, "waist": 4},
        "steps": 4,
        "patch": 32,
        "batch": 2,
        "learning_rate": 1e-3,
        "warmup": 0.0,
        "half_precision": False,
        "validate_every": 2,
    }
    return PairSettings.model_validate({**fields, **changes})


def test_a_training_on_pairs_writes_weights_with_what_they_are_for(biosr: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    card = train_on_pairs(open_pairs(biosr, 1, 2, CAMERA), out, settings(steps=30), source="CCPs", valid={})
    assert load_weights(out).card == card
    assert [one["name"] for one in card.trained_on["held_out"]] == ["Cell_004"]
    assert card.valid["photons"].low == pytest.approx(15, rel=0.1)
    assert card.valid["photons"].high == pytest.approx(1080, rel=0.1)
    assert card.scores["held_out"] < card.scores["held_out_before"]
    assert (tmp_path / "w-preview.png").stat().st_size > 500
    with pytest.raises(ConfigError, match=r"rdl-sim.*does not super-resolve"):
        train_on_pairs(open_pairs(biosr, 1, 2), tmp_path / "n.safetensors", settings(architecture="rdl-sim"), source="",
                       valid={})  # fmt: skip


def test_an_interrupted_training_against_an_opponent_goes_on_as_if_it_had_not_been(biosr: Path, tmp_path: Path) -> None:
    sizes = {"width": 4, "groups": 1, "blocks": 1, "window": 16, "critic_width": 2, "critic_blocks": 1}
    wanted = settings(architecture="dfgan", network=sizes, steps=6)
    learnt, held = divided(open_pairs(biosr, 1, 2, CAMERA))

    def training(**more: object) -> Training:
        kind = find_architecture("dfgan")
        task = PairTask(lambda: build("dfgan", {**sizes, "residual": True}), kind, learnt, held, wanted)
        return Training(task, **more)

    straight = [step.loss for step in training().run()]
    file, first = tmp_path / "w.checkpoint", []
    for step in training(checkpoint=file).run():
        first.append(step.loss)
        if len(first) == 2:
            break
    again = training(checkpoint=file, resume=True)
    assert first + [step.loss for step in again.run()] == straight
    critics = {id(one) for one in again.state.networks["critic"].parameters()}
    steps = {
        float(value["step"]) for one, value in again.state.optimizers["critic"].state.items() if id(one) in critics
    }
    assert steps == {2.0}  # of six batches the first and the fourth


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a microscope file and a recording of three series, the second without stripes."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    scope = load_microscope(folder / "M.yaml")
    specimen = SpecimenSettings(kind="filaments", seed=5)
    film = simulate(scope, specimen, photons=300.0, shape=(64, 72), time_points=3, seed=2, upsample=2)
    frames = np.stack([one.adu.numpy() for one in film])
    frames[1] = frames[1].mean(axis=(0, 1), keepdims=True)
    tifffile.imwrite(folder / "film.tif", frames.reshape(-1, 64, 72))
    return folder / "M.yaml", folder / "film.tif"


def test_own_recordings_are_divided_and_series_that_do_not_fit_are_left_out(
    recorded: tuple[Path, Path],
) -> None:
    scope, film = recorded
    found = own_pairs([film], scope, 1, 2)
    assert [one.name for one in found.fields] == ["film.tif 0", "film.tif 2"]
    assert any("series 1 (counted from 0) is left out" in note for note in found.notes)
    assert not any("share noise" in note for note in found.notes)
    assert found.valid["pixel_size_um"].holds(0.08)
    one = found.fields[0]
    for level, share in enumerate(SHARES):
        frames, target = one.load(level)
        assert frames.shape == (1, 64, 72)
        assert target.shape == (128, 144)
        assert float(frames.mean()) == pytest.approx(300 * share, rel=0.05)
        assert float(target.mean()) == pytest.approx(float(frames.mean()), rel=0.01)
        assert one.photons[level] == pytest.approx(9 * 300 * share, rel=0.05)
        again, same = one.load(level)
        assert torch.equal(again, frames)
        assert torch.equal(same, target)
    assert own_pairs([film], scope, 9, 2).fields[0].load(0)[0].shape == (9, 64, 72)


def test_without_a_gain_it_is_said_that_the_parts_of_a_series_share_noise(shared_data: Path, tmp_path: Path) -> None:
    text = "name: there\noptics: {na: 1.3, pixel_size_um: 0.0626}\n"
    (tmp_path / "M.yaml").write_text(
        text + "channels: [{name: g, excitation_nm: 488, emission_nm: 525}]\n", encoding="utf-8"
    )
    found = own_pairs([shared_data / "rdl-sim-microtubules" / "MT.mrc"], tmp_path / "M.yaml", 1, 2)
    assert len(found.fields) == 1
    assert any("share noise" in note for note in found.notes)


@pytest.mark.parametrize(
    ("frames", "scale", "words"), [(25, 2, "--frames 25.*have 9"), (1, 3, "--factor 3.*are 2 times")]
)
def test_own_recordings_of_another_kind_are_refused(
    recorded: tuple[Path, Path], frames: int, scale: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        own_pairs([recorded[1]], recorded[0], frames, scale)
