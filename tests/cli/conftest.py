"""A small recording and its microscope file, and the command run as a user runs it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rdl_live import cli, specimen
from rdl_live.files import load_microscope

MICROSCOPE = """\
name: test scope
optics: {na: 1.3, pixel_size_um: 0.08}
channels:
  - {name: green, excitation_nm: 488, emission_nm: 525}
  - {name: red, excitation_nm: 561, emission_nm: 610}
camera: {offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.5}
"""
SHAPE = (72, 80)

Frames = np.ndarray[tuple[int, ...], np.dtype[np.uint16]]


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Everything it said, without line breaks."""
        return " ".join((self.out + self.err).split())


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `rdl-live ARGUMENTS` through its entry point, on the CPU."""

    def invoke(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["rdl-live", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        told = capsys.readouterr()
        return Outcome(code, told.out, told.err)

    return invoke


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Three time points (3, A, P, y, x) of filaments [ADU]."""
    path = tmp_path_factory.mktemp("scope") / "M.yaml"
    path.write_text(MICROSCOPE, encoding="utf-8")
    simulation = specimen.simulate(
        load_microscope(path),
        specimen.SpecimenSettings(kind="filaments", seed=5),
        photons=400.0,
        shape=SHAPE,
        time_points=3,
        seed=2,
        upsample=2,
    )
    return np.stack([series.adu.numpy() for series in simulation])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film: Frames) -> Path:
    """Work in a folder that holds M.yaml and one series, raw.tif."""
    monkeypatch.chdir(tmp_path)
    Path("M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    tifffile.imwrite("raw.tif", film[0].reshape(9, *SHAPE))
    return tmp_path


@pytest.fixture
def film_file(folder: Path, film: Frames) -> str:
    """Three time points as one stack of 27 frames."""
    tifffile.imwrite(folder / "film.tif", film.reshape(27, *SHAPE))
    return "film.tif"


def listing(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder and what it holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
