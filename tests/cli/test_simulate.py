"""`rdl-live simulate` from the command line: files, contents, refusals."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner, Result

from rdl_live import specimen
from rdl_live.cli._simulate import simulate
from rdl_live.errors import ConfigError, OutputError, RdlError
from rdl_live.files import load_microscope, open_raw, read_provenance

MICROSCOPE = """
name: test
optics: {na: 1.3, pixel_size_um: 0.08}
channels:
  - {name: green, excitation_nm: 488, emission_nm: 525}
  - {name: red, excitation_nm: 561, emission_nm: 610, pattern: {period_um: 0.3, angles_deg: [10, 70, 130]}}
camera: {offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.5}
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the verb in a folder that holds M.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("M.yaml").write_text(MICROSCOPE, encoding="utf-8")
    app = typer.Typer()
    app.command()(simulate)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["raw.tif", "--microscope", "M.yaml", "--size", "24", *arguments])

    return invoke


def refused(result: Result, error: type[RdlError], *words: str) -> None:
    assert isinstance(result.exception, error), result.output
    for word in words:
        assert word in str(result.exception)
    assert sorted(path.name for path in Path().iterdir()) == ["M.yaml"]


def test_a_series_with_its_truth(run: Run) -> None:
    result = run("--size", "24x32", "--photons", "200", "--truth", "truth.tif", "--json", "patterns.json")
    assert result.exit_code == 0, result.output
    raw, truth = tifffile.imread("raw.tif"), tifffile.imread("truth.tif")
    assert raw.reshape(-1, 24, 32).shape == (9, 24, 32)
    assert raw.dtype == np.uint16
    assert truth.shape == (48, 64)
    assert truth.dtype == np.float32
    assert (raw.mean() - 100) * 0.5 == pytest.approx(200, rel=0.05)
    assert truth.mean() == pytest.approx(200, rel=0.05)


def test_true_patterns(run: Run) -> None:
    assert run("--channel", "red", "--json", "patterns.json", "--modulation", "0.6").exit_code == 0
    records = json.loads(Path("patterns.json").read_text(encoding="utf-8"))["patterns"]
    assert [record["angle_deg"] for record in records] == pytest.approx([10, 70, 130])
    for record in records:
        assert record["period_um"] == pytest.approx(0.3)
        assert record["modulation"] == pytest.approx(0.6)
        assert len(record["phases_deg"]) == 3
        assert all(0 <= phase < 360 for phase in record["phases_deg"])
    made_by = read_provenance("raw.tif")
    assert made_by["patterns"] == records
    assert made_by["specimen"]["kind"] == "filaments"


def test_time_lapse_that_bleaches(run: Run) -> None:
    result = run(
        "--time-points", "3", "--interval", "10", "--bleach-time", "10", "--speed", "0.1",
        "--haze", "0.3", "--specimen", "rings", "--truth", "truth.tif",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    raw, truth = tifffile.imread("raw.tif"), tifffile.imread("truth.tif")
    assert raw.reshape(-1, 24, 24).shape == (27, 24, 24)
    assert truth.shape == (3, 48, 48)
    assert truth[2].mean() < 0.3 * truth[0].mean()


@pytest.mark.parametrize("order", ["angle-phase", "phase-angle"])
def test_what_is_written_is_read_back(run: Run, order: str) -> None:
    """The frames come back as the series that was simulated, whatever their order in the file."""
    with Path("M.yaml").open("a", encoding="utf-8") as file:
        file.write(f"pattern: {{angles: 3, phases: 5, order: {order}}}\n")
    assert run("--photons", "1000", "--seed", "3").exit_code == 0
    scope = load_microscope("M.yaml")
    settings = {"photons": 1000.0, "shape": (24, 24), "seed": 3}
    series = specimen.simulate(scope, specimen.SpecimenSettings(seed=3), **settings).series(0)
    with open_raw("raw.tif", scope.pattern) as recording:
        assert recording.shape == (1, 3, 5, 24, 24)
        assert recording.pixel_size_um == pytest.approx(0.08)
        assert np.array_equal(recording[0], series.adu.numpy())


def test_camera_maps_are_used(run: Run) -> None:
    tifffile.imwrite("offset.tif", np.full((24, 24), 700, np.float32))
    text = MICROSCOPE.replace("offset_adu: 100", "offset_adu: 100, offset_file: offset.tif")
    Path("M.yaml").write_text(text, encoding="utf-8")
    result = run("--photons", "100")
    assert result.exit_code == 0, result.output
    assert tifffile.imread("raw.tif").mean() == pytest.approx(700 + 200, rel=0.05)


def test_a_real_camera_in_poor_light(run: Run) -> None:
    more = ("--glow", "0.5", "--also", "rings", "--aggregates", "0.2", "--cell", "0.6")
    result = run("--camera", "emccd", "--light", "poor", "--optics", "usual", "--photons", "200", *more)
    assert result.exit_code == 0, result.output
    record = read_provenance(Path("raw.tif"))
    assert record["simulation"]["sensor"]["multiplying"] is True
    assert record["simulation"]["light"]["dark_frame"] == 0.15
    assert record["specimen"]["also"] == "rings"
    adu = tifffile.imread("raw.tif")
    assert (adu.astype(float).mean() - 100) * 0.5 == pytest.approx(200, rel=0.08)


def test_seed(run: Run) -> None:
    images = []
    for seed in ("1", "1", "2"):
        assert run("--seed", seed, "--overwrite").exit_code == 0
        images.append(tifffile.imread("raw.tif"))
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_too_much_light_is_said(run: Run) -> None:
    result = run("--photons", "100000")
    assert result.exit_code == 0
    assert "saturated" in result.output


def test_outputs_are_not_overwritten(run: Run) -> None:
    Path("truth.tif").write_bytes(b"precious")
    result = run("--truth", "truth.tif")
    assert isinstance(result.exception, OutputError)
    assert "--overwrite" in str(result.exception)
    assert Path("truth.tif").read_bytes() == b"precious"
    assert not Path("raw.tif").exists()
    assert run("--truth", "truth.tif", "--overwrite").exit_code == 0
    assert tifffile.imread("truth.tif").shape == (48, 48)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--specimen", "unicorns"], ["--specimen", "unicorns", "filaments"]),
        (["--photons", "0"], ["--photons"]),
        (["--haze", "1.5"], ["--haze", "1.5"]),
        (["--density", "-1"], ["--density"]),
        (["--size", "big"], ["--size", "big"]),
        (["--size", "4"], ["--size", "8"]),
        (["--bleach-time", "0"], ["--bleach-time"]),
        (["--channel", "blue"], ["blue", "green"]),
    ],
)
def test_bad_values(run: Run, arguments: list[str], words: list[str]) -> None:
    refused(run(*arguments, "--truth", "truth.tif", "--json", "p.json"), ConfigError, *words)


@pytest.mark.parametrize(("option", "known"), [("--camera", "scmos"), ("--light", "usual"), ("--optics", "poor")])
def test_unknown_names_are_refused_with_those_there_are(run: Run, option: str, known: str) -> None:
    refused(run(option, "nothing-like-it"), ConfigError, option, "nothing-like-it", known)


def test_bad_files(run: Run) -> None:
    refused(run("--truth", "raw.tif"), OutputError, "two different outputs")
    refused(run("--truth", "nowhere/truth.tif"), OutputError, "nowhere")
    refused(run("--json", "M.yaml", "--overwrite"), OutputError, "M.yaml")
    refused(run("--microscope", "absent.yaml"), RdlError, "absent.yaml")


def test_help_has_examples(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "--specimen rings" in " ".join(result.output.split())
