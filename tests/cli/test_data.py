"""`rdl-live data`: what was recorded, measured and noted down."""

import json
from pathlib import Path

import numpy as np
import tifffile

from tests.cli.conftest import SHAPE, Frames, Run


def test_recordings_are_measured_listed_and_shown(folder: Path, film: Frames, run: Run) -> None:
    faded = np.concatenate(
        [100 + (series.astype(float) - 100) * light for series, light in zip(film, (0.9, 0.7, 0.45), strict=True)]
    )
    tifffile.imwrite("film.tif", faded.round().astype(np.uint16).reshape(27, *SHAPE))
    common = ("--microscope", "M.yaml")
    done = run("data", "add", "film.tif", "raw.tif", *common)
    assert done.code == 0, done.words
    entry = json.loads(run("data", "show", "film.tif").out)
    assert entry["time_points"] == 3
    assert 0.45 < entry["bleached"] < 0.55
    assert 250 < entry["photons_per_pixel"] < 350
    assert entry["motion_nm"] < 10
    assert entry["scheme"] is None  # 3 time points are too few
    assert entry["patterns_trusted"]
    assert len(entry["contrast"]) == 3
    assert min(entry["contrast"]) > 0.2
    assert entry["series_out_of_step"] == []
    assert entry["retraining"] == "no"
    assert "3 time points" in entry["outlook"]
    assert "retraining: no: too little to learn from" in done.words
    listed = run("data", "list").words
    assert "film.tif" in listed
    assert "raw.tif" in listed
    assert run("data", "add", "film.tif", *common).code == 0
    assert len(json.loads(Path("catalogue.json").read_text(encoding="utf-8"))["recordings"]) == 2
    assert folder.joinpath("catalogue.json").is_file()


def test_a_damaged_catalogue_and_unknown_names_are_told(folder: Path, run: Run) -> None:
    unknown = run("data", "show", "nothing.tif")
    assert (unknown.code, "holds nothing" in unknown.words) == (2, True)
    damaged = folder / "catalogue.json"
    damaged.write_text("{", encoding="utf-8")
    done = run("data", "add", "raw.tif", "--microscope", "M.yaml")
    assert (done.code, "not a whole catalogue" in done.words) == (2, True)
    assert damaged.read_text(encoding="utf-8") == "{"
