"""Every network that super-resolves, by one table: trained, taken up again, exported, used on an image, and live."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from rdl_live.app.exchange.export import export_package
from rdl_live.stream import PipelineRecipe
from rdl_live.train.loop.checkpoint import read_checkpoint
from rdl_live.train.simulated import evaluate
from rdl_live.train.simulated import run as running
from rdl_models import ARCHITECTURES, Card, Span, Task, build, load_weights, save_weights
from tests.cli.conftest import MICROSCOPE, Run
from tests.stream.conftest import frames_of, scene_of

QUICK = ("--size", 32, "--batch", 1, "--workers", 0, "--threads", 1, "--seed", 2, "--device", "cpu")
NAMES = [
    "cmgan",
    "densenet",
    "densenet-fca",
    "densenet-sca",
    "dfcan",
    "dfgan",
    "dscan",
    "edsr",
    "pix2pix",
    "rcan",
    "resnet",
    "srcnn",
    "unet",
    "unet-fca",
    "unet-sca",
]
OPPOSED = {"cmgan", "dfgan", "pix2pix"}


@pytest.fixture(autouse=True)
def _quick_scores(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Scores are tested elsewhere, and take as long as all the rest."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(running, "held_out_scores", lambda *_, **__: {"none": 1.0})
    else:
        small = {"levels": (5.0,), "count": 1, "device": "cpu"}
        monkeypatch.setattr(evaluate.held_out_scores, "__kwdefaults__", small)


def trained(run: Run, folder: Path, name: str, *more: object) -> Path:
    out = folder / f"{name}.safetensors"
    done = run("train", "sr", "--architecture", name, "--out", out, *QUICK, *more)
    assert done.code == 0, done.words
    return out


def untrained(folder: Path, **fields: int) -> Path:
    network = build("srcnn", {"residual": True, **fields})
    path = folder / f"{'-'.join(f'{name}{value}' for name, value in fields.items()) or 'plain'}.safetensors"
    card = Card(
        name=path.stem,
        architecture="srcnn",
        config=vars(network.config),
        trained_on={},
        steps=0,
        minutes=0,
        valid={"pixel_size_um": Span(low=0.055, high=0.085)},
    )
    save_weights(path, network, card)
    return path


def test_no_name_is_missing() -> None:
    found = {name: ARCHITECTURES.find(name) for name in ARCHITECTURES.names()}
    assert [name for name, one in found.items() if one is not None and one.task == Task.SUPER_RESOLUTION] == NAMES
    for one in found.values():
        if one is not None and one.task == Task.SUPER_RESOLUTION:
            assert one.small is not None
            assert one.recipe is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_trained_at_its_defaults(run: Run, tmp_path: Path, name: str) -> None:
    out = trained(run, tmp_path, name, "--steps", 1)
    card = load_weights(out).card
    kind = ARCHITECTURES.find(name)
    assert kind is not None
    assert kind.small is not None
    assert {field: card.config[field] for field in kind.small.fields} == dict(kind.small.fields)  # the default size
    assert card.config["residual"]
    assert set(card.trained_on["scenes"]["kinds"]) == {"rings", "reticulum", "filaments", "actin"}
    text, tensors = read_checkpoint(Path(f"{out}.checkpoint"), "training")
    assert ('"critic"' in text) == (name in OPPOSED)
    assert any(one.startswith("exp_avg.critic.") for one in tensors) == (name in OPPOSED)


def test_a_network_and_its_opponent_are_taken_up_again(run: Run, tmp_path: Path) -> None:
    out = trained(run, tmp_path, "dfgan", "--steps", 1)
    assert load_weights(trained(run, tmp_path, "dfgan", "--steps", 4, "--resume")).card.steps == 4
    text, _ = read_checkpoint(Path(f"{out}.checkpoint"), "training")
    turns = json.loads(text)["turns"]
    assert set(turns["network"].values()) == {4.0}
    assert set(turns["critic"].values()) == {2.0}  # of the batches 0 and 3: three steps for one


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_taken_up_again_and_used(run: Run, tmp_path: Path, name: str) -> None:
    out = trained(run, tmp_path, name, "--steps", 1)
    assert load_weights(trained(run, tmp_path, name, "--steps", 2, "--resume")).card.steps == 2
    used(run, tmp_path, out, name)


def used(run: Run, folder: Path, weights: Path, name: str) -> None:
    """Export the weights, restore an image, and run them live."""
    pytest.importorskip("bioimageio.spec", reason="python -m pip install 'rdl-live[bioimageio]'")
    export_package(weights, folder / "p.zip", author="A. Tester", license_id="CC-BY-4.0")
    (folder / "M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    rng = np.random.default_rng(0)
    tifffile.imwrite(folder / "image.tif", (2 * rng.poisson(40, (45, 50)) + 100).astype(np.uint16))
    done = run(
        "restore", folder / "image.tif", "-m", folder / "M.yaml", "--weights", weights, "--out", folder / "o.tif"
    )
    assert done.code == 0, done.words
    assert "inferred" in done.words
    image = tifffile.imread(folder / "o.tif")
    assert image.shape == (90, 100)
    assert float(image.mean()) == pytest.approx(40, rel=0.15)  # photons in, photons out
    scene = scene_of(64)
    channels = scene.scope.channels[:1]
    recipe = PipelineRecipe(scene.scope, channels, (64, 64), denoise=str(weights), patterns=(scene.patterns,))
    recipe.check()
    with ThreadPoolExecutor(1) as executor:
        pipeline = recipe.build(executor, lambda _: None)
        result = [pipeline.push(frame, tag) for frame, tag in frames_of(scene.series(1), 0)][-1]
    assert result is not None
    assert (result.denoiser, result.main) == (name, "sr")
    assert result.images["sr"].shape == (128, 128)
    assert bool(torch.isfinite(torch.as_tensor(result.images["sr"])).all())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--frames", 4), "1 (widefield), 9 (3 x 3) or 25 (5 x 5)"),
        (("--factor", 4), "2 or 3 times"),
        (("--architecture", "rdl-sim"), "dfcan"),
        (("--architecture", "vdsr"), "no such network"),
        (("--microscope", "M.yaml"), "add RAW or --pairs"),
        (("raw.tif",), "need --microscope"),
        (("raw.tif", "--pairs", "folder"), "not both"),
    ],
)
def test_what_cannot_be_trained_is_said(run: Run, tmp_path: Path, more: tuple[object, ...], words: str) -> None:
    done = run("train", "sr", "--out", tmp_path / "w.safetensors", *more)
    assert done.code == 2
    assert words in done.words
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize(("factor", "frames"), [(2, 9), (3, 25), pytest.param(3, 1, marks=pytest.mark.slow)])
def test_factors_and_numbers_of_frames(run: Run, tmp_path: Path, factor: int, frames: int) -> None:
    out = trained(run, tmp_path, "srcnn", "--factor", factor, "--frames", frames, "--published", "--steps", 1)
    card = load_weights(out).card
    assert (card.config["scale"], card.config["channels"], card.config["width"]) == (factor, frames, 64)
    other = 5 - factor
    done = run("train", "sr", "--architecture", "srcnn", "--out", tmp_path / "n.safetensors", "--from", out, "--factor",
               other, "--frames", frames)  # fmt: skip
    assert done.code == 2
    assert f"--factor {factor}, --factor {other}" in done.words


def test_wrong_inputs_are_refused_with_both_values(run: Run, tmp_path: Path) -> None:
    (tmp_path / "M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    rng = np.random.default_rng(0)
    grey, colours = rng.poisson(40, (40, 44)).astype(np.uint16), rng.poisson(40, (40, 44, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "grey.tif", grey)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    tifffile.imwrite(
        tmp_path / "coarse.ome.tif", grey, metadata={"axes": "YX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3}
    )
    nine, three, one = (untrained(tmp_path, **more) for more in ({"channels": 9}, {"scale": 3}, {}))
    coarse = MICROSCOPE.replace("pixel_size_um: 0.08", "pixel_size_um: 0.3").replace("na: 1.3", "na: 0.8")
    (tmp_path / "coarse.yaml").write_text(coarse, encoding="utf-8")
    cases = [
        ("grey.tif", "M.yaml", nine, ("take the 9 frames", "grey.tif has 1")),
        ("rgb.tif", "M.yaml", one, ("3 values a pixel",)),
        ("grey.tif", "M.yaml", three, ("3 times as fine", "2 times as fine")),
        ("grey.tif", "coarse.yaml", one, ("0.085", "has 0.3")),
        ("coarse.ome.tif", "M.yaml", one, ("0.085", "coarse.ome.tif has 0.3")),
    ]
    for image, scope, weights, words in cases:
        done = run(
            "restore", tmp_path / image, "-m", tmp_path / scope, "--weights", weights, "--out", tmp_path / "o.tif"
        )
        assert done.code == 2, (image, done.words)
        for word in words:
            assert word in done.words, done.words
        assert not (tmp_path / "o.tif").exists()


def test_a_series_is_restored_by_a_network_for_its_frames_and_an_image_without_a_microscope_file(
    run: Run, tmp_path: Path, film: np.ndarray
) -> None:
    (tmp_path / "M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    tifffile.imwrite(tmp_path / "raw.tif", film.reshape(-1, *film.shape[-2:]))
    nine, one = untrained(tmp_path, channels=9), untrained(tmp_path)
    done = run(
        "restore", tmp_path / "raw.tif", "-m", tmp_path / "M.yaml", "--weights", nine, "--out", tmp_path / "o.tif"
    )
    assert done.code == 0, done.words
    image = tifffile.imread(tmp_path / "o.tif")
    assert image.shape == (3, 144, 160)
    assert float(image.mean()) == pytest.approx(0.5 * (float(film.mean()) - 100), rel=0.05)
    tifffile.imwrite(tmp_path / "photons.tif", np.full((40, 40), 25.0, np.float32))
    done = run("restore", tmp_path / "photons.tif", "--weights", one, "--out", tmp_path / "p.tif")
    assert done.code == 0, done.words
    assert "taken as photons" in done.words
    assert tifffile.imread(tmp_path / "p.tif").mean() == pytest.approx(25, rel=0.02)


def test_the_expected_error_goes_beside_the_image_and_replaces_nothing(run: Run, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cell.tif", np.random.default_rng(1).poisson(40, (20, 24)).astype(np.uint16))
    asked = ("restore", tmp_path / "cell.tif", "--weights", untrained(tmp_path, spread=4), "--out", tmp_path / "sr.tif")
    done = run(*asked)
    assert done.code == 0, done.words
    image, error = tifffile.imread(tmp_path / "sr.tif"), tifffile.imread(tmp_path / "sr-sigma.tif")
    assert image.shape == error.shape == (40, 48)
    assert error.min() > 0
    (tmp_path / "sr.tif").unlink()
    again = run(*asked)
    assert again.code == 2
    assert "sr-sigma.tif" in again.words
    assert not (tmp_path / "sr.tif").exists()
    assert run(*asked, "--overwrite").code == 0
