"""`rdl-live train tis|split|auto` and `compare`, as a user runs them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live.files import load_microscope
from rdl_live.specimen import SpecimenSettings, simulate
from tests.cli.conftest import MICROSCOPE, Run, listing


@pytest.fixture
def dim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds M.yaml and film.tif: 10 time points of 4 photons."""
    monkeypatch.chdir(tmp_path)
    Path("M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    recorded = simulate(
        load_microscope(Path("M.yaml")), SpecimenSettings(kind="reticulum", seed=5), photons=4.0, shape=(80, 80),
        time_points=10, seed=2,
    )  # fmt: skip
    tifffile.imwrite("film.tif", np.concatenate([series.adu.numpy().reshape(9, 80, 80) for series in recorded]))
    return tmp_path


@pytest.mark.usefixtures("dim")
def test_retrained_weights_denoise_and_are_compared(run: Run) -> None:
    common = ("film.tif", "--microscope", "M.yaml")
    done = run("train", "tis", *common, "--out", "W.safetensors", "--steps", 6, "--workers", 0, "--threads", 1)
    assert done.code in (0, 3), done.words
    assert "neighbours show the same" in done.words
    assert Path("W.safetensors").exists() == (done.code == 0)
    assert ("nothing is changed" in done.words) == (done.code == 3)
    assert not Path("W.safetensors.checkpoint").exists()
    other = "W.safetensors" if done.code == 0 else "none"
    judged = run("compare", *common, "--models", f"rdl,{other}", "--json", "c.json", "--threads", 1)
    assert judged.code == 0, judged.words
    report = json.loads(Path("c.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in report["models"]] == ["rdl", other]
    assert report["trained_time_points_left_out"] == (done.code == 0)
    assert report["verdict"] in judged.words
    assert Path("film-compare.html").stat().st_size > 10_000
    if done.code == 0:
        assert run("reconstruct", *common, "--denoise", "W.safetensors", "--out", "sr.tif").code == 0


def test_wrong_requests_are_refused_before_anything_is_done(dim: Path, run: Run) -> None:
    before = listing(dim)
    common = ("film.tif", "--microscope", "M.yaml")
    for arguments, words in (
        (("train", "tis", *common, "--out", "W.pt"), ".safetensors files"),
        (("train", "split", *common, "--out", "W.safetensors", "--minutes", 0), "--minutes"),
        (("train", "tis", *common, "--out", "W.safetensors", "--from", "nothing"), "nothing"),
        (("train", "auto", "gone.tif", "--microscope", "M.yaml", "--out", "W.safetensors"), "gone.tif"),
        (("train", "tis", *common, "--out", "W.safetensors", "--resume"), "no checkpoint"),
        (("compare", *common, "--models", "rdl"), "two or more"),
        (("compare", *common, "--models", "rdl,none", "--out", "film.tif", "--overwrite"), "input"),
    ):
        done = run(*arguments)
        assert (done.code, words in done.words) == (2, True), done.words
    assert listing(dim) == before


@pytest.mark.usefixtures("dim")
def test_too_few_time_points_are_told(run: Run) -> None:
    tifffile.imwrite("short.tif", tifffile.imread("film.tif").reshape(-1, 80, 80)[:27])
    done = run("train", "tis", "short.tif", "--microscope", "M.yaml", "--out", "W.safetensors")
    assert done.code == 2
    assert "3 time points, 8 are needed" in done.words
