"""`rdl-live calibrate camera`: files in, a camera block that a microscope file can hold out."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from rdl_live.files import load_camera_maps, load_microscope
from rdl_live.optics import Camera, expose
from tests.cli.conftest import MICROSCOPE, Run

CAMERA = Camera(offset_adu=90, gain_e_per_adu=0.5, read_noise_e=2.0)


def series(path: Path, photons: float, seed: int, shape: tuple[int, int] = (48, 40)) -> None:
    generator = torch.Generator().manual_seed(seed)
    tifffile.imwrite(path, expose(torch.full((60, *shape), photons), CAMERA, generator=generator).numpy())


def test_the_block_can_be_put_into_a_microscope_file(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    series(Path("dark.tif"), 0.0, 1)
    series(Path("flat1.tif"), 100.0, 2)
    series(Path("flat2.tif"), 1000.0, 3)
    done = run(
        "calibrate", "camera", "--dark", "dark.tif", "--flat", "flat1.tif", "--flat", "flat2.tif", "--out", "cam"
    )
    assert done.code == 0, done.words
    text = MICROSCOPE.split("camera:")[0] + Path("cam/camera.yaml").read_text(encoding="utf-8")
    Path("cam/M.yaml").write_text(text, encoding="utf-8")
    camera = load_microscope(Path("cam/M.yaml")).camera
    assert camera.offset_adu == pytest.approx(90, abs=0.5)
    assert camera.gain_e_per_adu == pytest.approx(0.5, rel=0.02)
    assert camera.read_noise_e == pytest.approx(2.0, rel=0.05)
    maps = load_camera_maps(camera, (48, 40))
    assert maps is not None
    assert float(maps.gain_e_per_adu.mean()) == pytest.approx(0.5, rel=0.02)
    assert float(maps.read_noise_e.square().mean().sqrt()) == pytest.approx(2.0, rel=0.05)
    report = json.loads(Path("cam/report.json").read_text(encoding="utf-8"))
    assert report["sources"] == ["dark.tif", "flat1.tif", "flat2.tif"]
    assert report["hot_pixels"] == int(tifffile.imread("cam/hot.tif").sum()) <= 3
    assert Path("cam/photon-transfer.png").stat().st_size > 1000
    again = run("calibrate", "camera", "--dark", "dark.tif", "--flat", "flat1.tif", "--out", "cam")
    assert (again.code, "exists already" in again.words) == (2, True)


def test_series_that_do_not_fit_are_refused_and_nothing_is_written(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    series(Path("dark.tif"), 0.0, 1)
    series(Path("flat.tif"), 100.0, 2, shape=(32, 40))
    done = run("calibrate", "camera", "--dark", "dark.tif", "--flat", "flat.tif", "--out", "cam")
    assert done.code == 2
    assert "flat.tif" in done.words
    assert "use one region" in done.words
    assert not Path("cam").exists()
    tifffile.imwrite("nan.tif", np.full((20, 48, 40), np.nan, np.float32))
    done = run("calibrate", "camera", "--dark", "nan.tif", "--flat", "flat.tif", "--out", "cam")
    assert (done.code, "NaN" in done.words) == (2, True)
