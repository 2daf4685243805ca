"""`--patterns FROM` in the verbs that take it, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rdl_live.cli import app
from rdl_live.errors import RdlError
from rdl_live.optics import PatternGeometry
from tests.optics.estimate.test_joint import STEPS, light, recorded
from tests.raw_files import write_raw

SCOPE = """
name: known
optics: {na: 1.49, pixel_size_um: 0.065}
channels: [{name: "488", excitation_nm: 488, emission_nm: 525}]
camera: {offset_adu: 100, gain_e_per_adu: 1.0, read_noise_e: 1.0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    (folder / "M.yaml").write_text(SCOPE)
    expected = light(STEPS)
    for name, photons in (("bright", 300.0), ("dim", 0.3)):
        adu = recorded(expected, photons, 7) + 100
        write_raw(folder / f"{name}.tif", np.round(adu).clip(0).astype(np.uint16)[None], PatternGeometry(), 0.065)
    return folder


def run(*words: str) -> str:
    return CliRunner().invoke(app, list(words), catch_exceptions=False).stdout


def test_patterns_of_a_report_of_json_and_of_a_recording_are_the_same(folder: Path) -> None:
    scope, dim = str(folder / "M.yaml"), str(folder / "dim.tif")
    (folder / "estimate.json").write_text(run("estimate", str(folder / "bright.tif"), "-m", scope, "--json"))
    report = ("--report", str(folder / "report.json"), "--out", str(folder / "bright-sr.tif"))
    run("reconstruct", str(folder / "bright.tif"), "-m", scope, *report)
    assert json.loads((folder / "report.json").read_text())["fixed_pattern_e"] == 0
    alone = json.loads(run("estimate", dim, "-m", scope, "--json"))
    assert not all(pattern["trusted"] for pattern in alone["patterns"])
    found = []
    for source in ("estimate.json", "report.json", "bright.tif"):
        record = json.loads(run("estimate", dim, "-m", scope, "--json", "--patterns", str(folder / source)))
        assert record["patterns_from"]["file"] == source
        assert all("likelihood_phase_sigma_deg" in one for one in record["patterns_from"]["orientations"])
        assert all(pattern["trusted"] for pattern in record["patterns"])
        found.append([[pattern["period_um"], *pattern["phases_deg"]] for pattern in record["patterns"]])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-6)


def test_the_otf_comes_with_the_patterns(folder: Path, tmp_path: Path) -> None:
    scope, dim = str(folder / "M.yaml"), str(folder / "dim.tif")
    report = json.loads(run("estimate", str(folder / "bright.tif"), "-m", scope, "--json"))
    assert len(report["otf_damping_used"]) == 2
    report["otf_damping_used"] = [0.05, 0.001]
    (tmp_path / "damped.json").write_text(json.dumps(report))
    record = json.loads(run("estimate", dim, "-m", scope, "--json", "--patterns", str(tmp_path / "damped.json")))
    assert record["otf_damping_used"] == [0.05, 0.001]
    assert record["patterns_from"]["otf_damping"] == [0.05, 0.001]
    # Reports of before hold none: then the microscope file's counts.
    del report["otf_damping_used"]
    (tmp_path / "before.json").write_text(json.dumps(report))
    record = json.loads(run("estimate", dim, "-m", scope, "--json", "--patterns", str(tmp_path / "before.json")))
    assert record["otf_damping_used"] == [0, 0]
    assert record["patterns_from"]["otf_damping"] is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ('{"warnings": []}', "no list `patterns`"),
        (
            '{"patterns": [{"angle_deg": 3, "period_um": 0.2, "phases_deg": [0, 120, 240], "modulation": 1}], '
            '"otf_damping_used": [1]}',
            "otf_damping_used",
        ),
        ('{"patterns": [{"angle_deg": 3}]}', "patterns[0].period_um"),
        (
            '{"patterns": [{"angle_deg": 3, "period_um": 0.2, "phases_deg": [0, 120, 240], "modulation": 1}]}',
            "3 angles",
        ),
    ],
)
def test_what_is_no_report_is_refused(folder: Path, tmp_path: Path, content: str, words: str) -> None:
    source = tmp_path / "other.json"
    source.write_text(content)
    with pytest.raises(RdlError) as refused:
        run("estimate", str(folder / "dim.tif"), "-m", str(folder / "M.yaml"), "--patterns", str(source))
    assert str(source) in str(refused.value)
    assert words in str(refused.value)
