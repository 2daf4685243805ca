"""The README tells the truth: its blocks run in order; and tables of the reference name every key there is.

Blocks marked `bash` and `python` run; a `yaml` block is saved under the name in its first line.
Blocks of other languages (`bat`, or indented) are for reading.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel

from rdl_live.cli import app
from rdl_live.optics.hardware import Hardware
from rdl_live.optics.microscope import Camera, Channel, Microscope, Optics, PatternGeometry, PatternGuess
from tests.pages import ROOT, blocks_of, first_cells, run_page, text_of

README = ROOT / "README.md"

SOMETIMES = {
    "patterns[].periods_um",
    "patterns[].harmonics_trusted",
    "patterns[].harmonic_shifts_deg",
    "camera_measured",
    "patterns_from",
    "residual",
    "illumination",
    "guards",
}
"""Keys of the report that need an option, or a microscope file that lacks the gain."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all blocks of the README have run, one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    run_page(README, folder)
    return folder


@pytest.fixture(scope="module")
def began(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all blocks of the first page have run."""
    folder = tmp_path_factory.mktemp("start")
    run_page("start.md", folder)
    return folder


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_two_commands_come_first() -> None:
    commands = re.findall(r"^(?: {4}|```).*$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)[:2]
    assert [command.split("#")[0].strip() for command in commands] == ["make demo", "make test"]


def test_there_is_something_to_run() -> None:
    assert [language for language, _ in blocks_of(README)] == ["bat", "yaml", "bash", "python"]
    assert [language for language, _ in blocks_of("start.md")] == ["yaml", "bash", "python"]
    assert [language for language, _ in blocks_of("want/my-microscope.md")] == ["bash"]


def test_the_blocks_run_and_write_what_they_name(ran: Path) -> None:
    written = {path.name for path in ran.iterdir()}
    assert {"M.yaml", "series.tif", "sr.tif", "report.json", "preview.png"} <= written


def test_the_first_page_runs_and_writes_what_it_names(began: Path) -> None:
    written = {path.name for path in began.iterdir()}
    assert {"M.yaml", "series.tif", "truth.tif", "sr.tif", "report.json", "preview.png"} <= written


def test_the_page_of_the_microscope_runs_and_writes_what_it_names(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")  # "in the folder of the clone"
    run_page("want/my-microscope.md", tmp_path)
    assert {"cells.ome.zarr", "cells.ome.tif", "cells-sr.tif"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("page", ["want/my-file.md", "want/trust.md", "want/living-cells.md", "want/python.md"])
def test_a_page_runs_after_the_first_one(began: Path, tmp_path: Path, page: str) -> None:
    shutil.copytree(began, tmp_path, dirs_exist_ok=True)
    run_page(page, tmp_path)
    promised = {"want/my-file.md": {"denoised.tif"}, "want/living-cells.md": {"dim-sr.tif", "dim-sr-sigma.tif"}}
    assert promised.get(page, set()) <= {path.name for path in tmp_path.iterdir()}


def test_the_report_has_the_keys_of_the_table_and_no_others(began: Path) -> None:
    documented = set(re.findall(r"^\| `([^`]+)` \|", text_of("reference/report.md"), flags=re.MULTILINE))
    report = json.loads((began / "report.json").read_text(encoding="utf-8"))
    found = {f"{key}[]" if isinstance(value, list) else key for key, value in report.items()}
    found |= {f"patterns[].{key}" for pattern in report["patterns"] for key in pattern}
    found |= {f"series[].{key}" for series in report["series"] for key in series}
    assert documented - found == SOMETIMES
    assert found <= documented


@pytest.mark.parametrize(
    ("prefix", "part"),
    [
        ("", Microscope),
        ("optics.", Optics),
        ("channels[].", Channel),
        ("channels[].pattern.", PatternGuess),
        ("pattern.", PatternGeometry),
        ("camera.", Camera),
    ],
)
def test_the_table_names_every_key_of_the_microscope_file(prefix: str, part: type[BaseModel]) -> None:
    documented = set(re.findall(r"`([\w.\[\]]+)`", text_of("reference/microscope-file.md")))
    parts = {"optics", "channels", "pattern", "camera"}  # these have a row for each of their keys
    missing = {f"{prefix}{name}" for name in part.model_fields if name not in parts} - documented
    assert not missing


def test_the_table_names_every_part_of_the_hardware() -> None:
    assert set(first_cells("want/my-microscope.md")) - {"hardware", "configs/template.yaml"} == set(
        Hardware.model_fields
    )


def test_the_table_names_every_verb() -> None:
    documented = {name.split()[1] for name in first_cells("reference/command.md")}
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert documented == verbs | {str(group.name) for group in app.registered_groups}
