"""`rdl-live train tis|split|auto` and `compare`, as a user runs them.

Of the two ways to learn from z-stacks the second is slow: it trains as long as the first, ten seconds.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live.files import VolumeWriter, load_microscope
from rdl_live.specimen import SpecimenSettings, simulate, simulate_volume
from tests.cli.conftest import MICROSCOPE, Run, listing


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds M.yaml and film.tif: 10 time points of 4 photons; made once."""
    folder = tmp_path_factory.mktemp("dim")
    (folder / "M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    recorded = simulate(
        load_microscope(folder / "M.yaml"), SpecimenSettings(kind="reticulum", seed=5), photons=4.0, shape=(80, 80),
        time_points=10, seed=2,
    )  # fmt: skip
    frames = np.concatenate([series.adu.numpy().reshape(9, 80, 80) for series in recorded])
    tifffile.imwrite(folder / "film.tif", frames)
    return folder


@pytest.fixture
def dim(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of that folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
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
    assert any("another field of view" in text for text in report["warnings"]) == (done.code == 0)
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


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds M.yaml and stacks.tif: 6 time points of 8 planes at 5 photons."""
    monkeypatch.chdir(tmp_path)
    Path("M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    scope = load_microscope(Path("M.yaml"))
    with VolumeWriter("stacks.tif", (6, 8, 40, 40), 0.08, "green", dtype=np.uint16) as writer:
        for volume in simulate_volume(scope, shape=(8, 40, 40), time_points=6, seed=5):
            writer.write(volume.adu.numpy())
    return tmp_path


@pytest.mark.parametrize("scheme", [("sis",), pytest.param(("auto", "--volume"), marks=pytest.mark.slow)])
@pytest.mark.usefixtures("stacks")
def test_z_stacks_are_learnt_from_and_denoised(run: Run, scheme: tuple[str, ...]) -> None:
    common = ("stacks.tif", "--microscope", "M.yaml")
    done = run("train", *scheme, *common, "--out", "W.safetensors", "--steps", 12, "--threads", 1)
    assert done.code == 0, done.words
    assert "of the contrast changes" in done.words
    assert run("restore", *common, "--weights", "W.safetensors", "--out", "out.tif").code == 0
    found = tifffile.imread("out.tif")
    raw = tifffile.imread("stacks.tif")
    assert found.shape == raw.shape
    assert found.dtype == np.float32
    scope = load_microscope(Path("M.yaml"))
    photons = (raw.astype(float) - scope.camera.offset_adu) * scope.camera.gain_e_per_adu
    assert found.mean() == pytest.approx(photons.mean(), rel=0.03)
    again = run("restore", *common, "--weights", "W.safetensors", "--out", "out.tif")
    assert again.code == 2
    assert "exists already" in again.words
    wrong = run("reconstruct", *common, "--denoise", "W.safetensors", "--out", "sr.tif")
    assert wrong.code == 2, wrong.words


def test_wrong_requests_on_z_stacks_are_refused(stacks: Path, run: Run) -> None:
    before = listing(stacks)
    common = ("stacks.tif", "--microscope", "M.yaml")
    for arguments, words in (
        (("train", "sis", *common, "--out", "W.safetensors", "--planes", 7), "leave --planes out"),
        (("train", "split", *common, "--out", "W.safetensors", "--volume"), "tis or sis"),
        (("train", "sis", *common, "--out", "W.safetensors", "--tiles", "3x3"), "not for z-stacks"),
        (("train", "tis", *common, "--out", "W.safetensors", "--planes", 8), "add --volume"),
        (("train", "sis", *common, "--out", "W.safetensors", "--from", "rdl"), "do not denoise z-stacks"),
        (
            ("restore", *common, "--weights", "rdl", "--out", "o.tif", "--planes", 8),
            "48 frames",
        ),
        (("restore", *common, "--weights", "rdl", "--out", "o.tif"), "48 frames"),
        (("restore", *common, "--weights", "gone.safetensors", "--out", "o.tif"), "gone.safetensors"),
    ):
        refused = run(*arguments)
        assert refused.code == 2, (arguments, refused.words)
        assert words in refused.words
    assert listing(stacks) == before
