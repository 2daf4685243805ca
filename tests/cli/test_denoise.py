"""`--denoise`, `rdl-live models` and `rdl-live train` as a user runs them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, Span, save_weights, shipped

from .conftest import Run, listing

SMALL = ObjectPlaneConfig(width=8, blocks=1)


def weights(path: Path, **valid: Span) -> Path:
    """Write a small network that changes little, with a card."""
    torch.manual_seed(1)
    network = ObjectPlane(SMALL)
    torch.nn.init.normal_(network.head.weight, std=0.01)
    card = Card(
        name="mine", architecture="object-plane", config=vars(SMALL), trained_on={}, steps=7, minutes=0.1, valid=valid
    )
    save_weights(path, network, card)
    return path


def test_a_weight_file_denoises_and_says_so_in_what_is_written(run: Run, folder: Path) -> None:
    file = weights(folder / "mine.safetensors")
    arguments = ("reconstruct", "raw.tif", "-m", "M.yaml", "--device", "cpu")
    assert run(*arguments, "--out", "plain.tif").code == 0
    result = run(*arguments, "--out", "SR.tif", "--report", "R.json", "--preview", "P.png", "--denoise", file)
    assert result.code == 0, result.words
    plain, denoised = tifffile.imread("plain.tif"), tifffile.imread("SR.tif")
    assert denoised.shape == plain.shape
    assert 0 < np.abs(denoised - plain).mean() < 0.2 * plain.std()
    assert float(denoised.mean()) == pytest.approx(float(plain.mean()), rel=0.01)
    report = json.loads(Path("R.json").read_text(encoding="utf-8"))
    assert report["denoiser"] == str(file)
    with Image.open("P.png") as picture:
        assert picture.width > 4 * 400
    assert 0.5 < report["residual"]["variance"] < 1.2
    assert len(report["residual"]["pattern"]) == 3


def test_weights_for_another_microscope_are_refused_with_both_values(run: Run, folder: Path) -> None:
    file = weights(folder / "mine.safetensors", pixel_size_um=Span(low=0.02, high=0.03))
    before = listing(folder)
    result = run("reconstruct", "raw.tif", "-m", "M.yaml", "--device", "cpu", "--denoise", file)
    assert result.code == 2
    for word in ("'mine'", "0.02 to 0.03", "0.08", "--denoise none"):
        assert word in result.words
    assert listing(folder) == before


def test_a_damaged_weight_file_is_refused_before_anything_is_read(run: Run, folder: Path) -> None:
    file = weights(folder / "mine.safetensors")
    file.write_bytes(file.read_bytes()[:500])
    result = run("reconstruct", "missing.tif", "-m", "M.yaml", "--denoise", file)
    assert result.code == 2
    assert "mine.safetensors: not a whole safetensors file" in result.words


@pytest.mark.parametrize("option", [("--wiener", 0.1), ("--apodization", "none"), ("--attenuation", 0.9)])
def test_settings_that_a_denoiser_does_not_heed_are_refused(run: Run, folder: Path, option: tuple[str, object]) -> None:
    file = weights(folder / "mine.safetensors")
    result = run("reconstruct", "raw.tif", "-m", "M.yaml", "--denoise", file, *option)
    assert result.code == 2
    assert option[0] in result.words


def test_an_unknown_denoiser_lists_those_there_are(run: Run, folder: Path) -> None:  # noqa: ARG001
    result = run("reconstruct", "raw.tif", "-m", "M.yaml", "--denoise", "magic")
    assert result.code == 2
    for word in ("'magic'", "--denoise none", *(f"--denoise {name}" for name in shipped())):
        assert word in result.words


def test_models_shows_where_weights_lie_and_what_they_say(run: Run, folder: Path) -> None:
    file = weights(folder / "mine.safetensors", na=Span(low=1.2, high=1.4))
    assert run("models", "path", file).out.strip() == str(file)
    shown = run("models", "show", file)
    assert shown.code == 0
    assert json.loads(shown.out)["valid"] == {"na": {"low": 1.2, "high": 1.4}}
    listed = run("models", "list")
    assert listed.code == 0
    for name in shipped():
        assert name in listed.out
    missing = run("models", "show", "magic")
    assert missing.code == 2
    assert "'magic'" in missing.words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "w.pt"], ["w.pt", ".safetensors"]),
        (["--out", "no/w.safetensors"], ["no", "make it first"]),
        (["--out", "w.safetensors", "--resume"], ["w.safetensors.checkpoint", "without --resume"]),
        (["--out", "w.safetensors", "--minutes", "0"], ["--minutes", "0"]),
    ],
)
def test_a_training_that_cannot_be_is_refused(run: Run, folder: Path, arguments: list[str], words: list[str]) -> None:
    before = listing(folder)
    result = run("train", "denoise", *arguments)
    assert result.code == 2, result.words
    for word in words:
        assert word in result.words
    assert listing(folder) == before
