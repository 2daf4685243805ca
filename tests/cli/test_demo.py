"""`rdl-live demo`: what a whole run leaves, and, in a process of its own, that it ends in order when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from rdl_live.cli import app
from rdl_live.cli._demo import free_folder
from rdl_live.files.recorder import open_recording
from tests.test_readme import first_cells

pytest.importorskip("pymmcore_plus")

if TYPE_CHECKING:
    from .conftest import Run


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    code = "import sys; from rdl_live.cli import main; sys.argv[0] = 'rdl-live'; main()"
    paths = os.pathsep.join(str(path) for path in (root, root / "devices", root / "models"))
    return subprocess.Popen(
        [sys.executable, "-c", code, "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a short demo at its defaults leaves, on a small frame; run in this process."""
    out = tmp_path_factory.mktemp("demo") / "demo-out"
    options = ["--headless", "--seconds", "4", "--size", "128", "--out", str(out)]
    outcome = CliRunner().invoke(app, ["demo", *options], prog_name="rdl-live")
    assert outcome.exit_code == 0, outcome.output
    assert "super-resolved images" in outcome.output
    return out


def test_the_demo_leaves_the_files_and_keys_of_the_readme(shown: Path) -> None:
    report = json.loads((shown / "report.json").read_text(encoding="utf-8"))
    keys = {f"{key}[]" if isinstance(value, list) else key for key, value in report.items()}
    files = {path.name for path in shown.iterdir()}
    assert files == {"raw.ome.zarr", "sr.ome.zarr", "preview.png", "report.json"}
    documented = set(first_cells("reference/demo.md"))
    assert documented - {"report.json", "illuminations"} == (keys | files) - {"report.json"}  # TIRF has the last one
    assert report["latency_ms"].keys() == {"p50", "p95"}


def test_the_report_of_the_demo_is_that_of_its_recordings(shown: Path) -> None:
    report = json.loads((shown / "report.json").read_text(encoding="utf-8"))
    assert (report["raw_frames_dropped"], report["denoiser"]) == (0, "rdl")
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"]
    assert report["photons_per_pixel"] == pytest.approx(5, rel=0.3)
    assert len(report["patterns"]) == 3
    assert all(pattern["trusted"] for pattern in report["patterns"])
    truth = report["truth"]
    if truth["series"]:  # the world remembers a moment: on a very busy machine no image is there in time
        assert 0 < truth["error_denoised"] < truth["error_sim"] < truth["error_widefield"] < 1
    raw, sr = open_recording(shown / "raw.ome.zarr"), open_recording(shown / "sr.ome.zarr")
    assert raw.valid.sum() == report["raw_frames"]
    assert raw.complete.sum() == report["series"]
    assert sr.valid.sum() == report["sr_frames"] >= 1
    with Image.open(shown / "preview.png") as picture:
        panels = 5 if truth["series"] else 4  # raw, widefield, without and with denoising, truth
        assert picture.width > panels * 256
        assert np.asarray(picture).std() > 20


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 0, marks=pytest.mark.slow)]
)
def test_a_demo_that_is_stopped_ends_in_order(root: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    options = ("--headless", "--seconds", "600", "--size", "128", "--denoise", "none", "--out", str(tmp_path))
    process = start(root, *options)
    images = tmp_path / "sr.ome.zarr" / "0" / "c"  # a demo without an image ends with exit code 1
    deadline = time.monotonic() + 240
    while not images.is_dir() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    raw = open_recording(tmp_path / "raw.ome.zarr")
    assert report["stopped"]
    assert (report["denoiser"], report["truth"]["error_denoised"]) == ("none", None)
    assert raw.valid.sum() == report["raw_frames"] > 0
    assert not any("was not closed" in note for note in raw.notes)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--denoise", "magic"], "--denoise none"),
        (["--size", "4096"], "--size 4096"),
        (["--photons", "0"], "--photons 0"),
        (["--seconds", "-1"], "--seconds -1"),
        (["--specimen", "unicorn"], "filaments"),
        (["--camera", "phone"], "scmos"),
    ],
)
def test_what_cannot_be_shown_is_refused(run: "Run", tmp_path: Path, arguments: list[str], words: str) -> None:
    outcome = run("demo", "--headless", "--out", tmp_path / "d", *arguments)
    assert outcome.code == 2
    assert words in outcome.words
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["report.json", "preview.png"])
def test_an_earlier_demo_is_not_replaced_unasked(run: "Run", tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    outcome = run("demo", "--headless", "--out", tmp_path)
    assert outcome.code == 2
    assert "--overwrite" in outcome.words
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.slow
def test_the_process_ends_cleanly_thirty_times(root: Path, tmp_path: Path) -> None:
    codes = []
    for turn in range(30):
        process = start(root, "--headless", "--seconds", "1", "--size", "64", "--out", str(tmp_path / str(turn)))
        process.communicate(timeout=120)
        codes.append(process.returncode)
    assert codes == [0] * 30


def test_a_demo_never_lands_in_the_folder_of_an_earlier_one(tmp_path: Path) -> None:
    wanted = tmp_path / "demo-out"
    assert free_folder(wanted) == wanted
    wanted.mkdir()
    (tmp_path / "demo-out-2").mkdir()
    assert free_folder(wanted) == tmp_path / "demo-out-3"
