"""Our own recordings as films to learn from: whole series only, each place for itself, the right colour."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rdl_live.app.retrain.films import open_film, open_films
from rdl_live.app.retrain.recorded_films import longest_run
from rdl_live.errors import DataError
from rdl_live.files.recorder import FrameTag, Recorder, RecordingLayout
from rdl_live.files.recorder.series import recording_of
from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.specimen.simulation import Simulation

SIDE, TIMES = 64, 6
SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.08),
    channels=(
        Channel(name="green", excitation_nm=488, emission_nm=525),
        Channel(name="red", excitation_nm=560, emission_nm=600),
    ),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.0),
)
HOLES = {0: (), 1: (2,), 2: (1, 3, 5)}
"""Time points of each place that lack a frame: of the last place no two whole ones follow each other."""


@pytest.fixture(scope="module")
def cells() -> Simulation:
    return simulate(SCOPE, SpecimenSettings(seed=5), photons=200.0, shape=(SIDE, SIDE), time_points=TIMES, seed=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cells: Simulation) -> Path:
    """A run of three places in one colour, and its microscope file."""
    path = tmp_path_factory.mktemp("run")
    (path / "M.yaml").write_text(yaml.safe_dump(SCOPE.model_dump(mode="json", exclude_defaults=True)), "utf-8")
    layout = RecordingLayout(
        frame=(SIDE, SIDE), pixel_size_um=0.08, time_points=TIMES, channels=("green",), positions=len(HOLES)
    )
    with Recorder(path / "raw.ome.zarr", layout) as recorder:
        for time, series in enumerate(cells):
            for place, holes in HOLES.items():
                for angle in range(3):
                    for phase in range(3):
                        tag = FrameTag(time, angle, phase, position=place)
                        if time in holes and (angle, phase) == (1, 1):
                            recorder.mark_missing(tag)
                        else:
                            recorder.append(series.adu[angle, phase].numpy(), tag)
    return path


@pytest.mark.parametrize(
    ("complete", "run"),
    [
        ([], range(0)),
        ([False, False], range(0)),
        ([True, True, True], range(3)),
        ([True, False, True, True, False], range(2, 4)),
        ([True, True, False, True, True], range(2)),
    ],
)
def test_the_longest_run_of_whole_series_is_taken(complete: list[bool], run: range) -> None:
    found = longest_run(np.array(complete, bool))
    assert list(found) == list(run)


@pytest.mark.parametrize("name", ["", "raw.ome.zarr"])
def test_each_place_is_a_film_of_whole_series(folder: Path, cells: Simulation, name: str) -> None:
    told: list[str] = []
    films = open_films([folder / name], folder / "M.yaml", notify=told.append)
    place = folder.name
    assert [(film.name, len(film), film.first) for film in films] == [
        (f"{place}, place 1", 6, 0),
        (f"{place}, place 2", 3, 3),
    ]
    assert torch.equal(torch.from_numpy(films[1].frames[0].astype(np.int32)), list(cells)[3].adu.int())
    assert films[0].patterns.trusted
    assert f"{place}, place 2: time points 3 to 5 of 6 are used" in told


def test_memory_is_bounded(folder: Path) -> None:
    series = 9 * SIDE * SIDE * 2
    films = open_films([folder], folder / "M.yaml", most_bytes=3 * 4 * series)
    assert [len(film) for film in films] == [4, 3]


def test_a_colour_that_was_not_recorded_and_other_pixels_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'red'.* was asked for, but the file has 'green'"):
        open_film(folder, folder / "M.yaml", channel="red")
    other = SCOPE.replace(optics={**SCOPE.optics.model_dump(), "pixel_size_um": 0.16})
    (tmp_path / "M.yaml").write_text(yaml.safe_dump(other.model_dump(mode="json", exclude_defaults=True)), "utf-8")
    with pytest.raises(DataError, match=r"0\.08 um, the microscope file says 0\.16"):
        open_film(folder, tmp_path / "M.yaml")


def test_other_folders_are_none_of_ours(tmp_path: Path) -> None:
    assert recording_of(tmp_path) is None
