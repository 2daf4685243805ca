"""The README tells the truth: its blocks run in order, and its tables name every key there is.

Blocks marked `bash` and `python` run; a `yaml` block is saved under the name in its first line.
Blocks of other languages (`bat`, or indented) are for reading.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from rdl_live.cli import app
from rdl_live.optics.hardware import Hardware
from rdl_live.optics.microscope import Camera, Channel, Microscope, Optics, PatternGeometry, PatternGuess

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)

SOMETIMES = {"camera_measured", "patterns_from", "residual", "guards"}
"""Keys of the report that need an option, or a microscope file that lacks the gain."""


def run_block(language: str, text: str, folder: Path) -> None:
    """Run one block in `folder` as a reader would, with this environment's `rdl-live` on the path."""
    if language == "yaml":
        name = text.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(text, encoding="utf-8")
        return
    commands = {"bash": ["bash", "-euo", "pipefail", "-c", text], "python": [sys.executable, "-c", text]}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        commands[language],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{text}\n{result.stdout}\n{result.stderr}"


def section(title: str) -> str:
    """Return the text below a heading, up to the next of its rank."""
    return README.partition(f"\n## {title}")[2].partition("\n## ")[0]


def first_cells(title: str) -> set[str]:
    """Return all names in the first column of a section's tables."""
    cells = re.findall(r"^\| ([^|]+) \|", section(title), flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all blocks have run, one after the other."""
    if shutil.which("bash") is None:
        pytest.skip("no bash on this system")
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "configs", folder / "configs")  # "in the folder of the clone"
    for language, text in BLOCKS:
        if language in ("yaml", "bash", "python"):
            run_block(language, text, folder)
    return folder


def test_the_two_commands_come_first() -> None:
    commands = re.findall(r"^(?: {4}|```).*$", README, flags=re.MULTILINE)[:2]
    assert [command.split("#")[0].strip() for command in commands] == ["make demo", "make test"]


def test_there_is_something_to_run() -> None:
    languages = [language for language, _ in BLOCKS]
    assert languages == ["bat", "yaml", "bash", "python", "bash"]


def test_the_blocks_run_and_write_what_they_name(ran: Path) -> None:
    written = {path.name for path in ran.iterdir()}
    assert {"M.yaml", "series.tif", "truth.tif", "sr.tif", "report.json", "preview.png"} <= written
    assert {"cells.ome.zarr", "cells.ome.tif", "cells-sr.tif"} <= written


def test_the_report_has_the_keys_of_the_table_and_no_others(ran: Path) -> None:
    documented = set(re.findall(r"^\| `([^`]+)` \|", section("The report"), flags=re.MULTILINE))
    report = json.loads((ran / "report.json").read_text(encoding="utf-8"))
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
    documented = set(re.findall(r"`([\w.\[\]]+)`", section("The microscope file")))
    parts = {"optics", "channels", "pattern", "camera"}  # these have a row for each of their keys
    missing = {f"{prefix}{name}" for name in part.model_fields if name not in parts} - documented
    assert not missing


def test_the_demo_leaves_the_files_and_keys_of_the_tables(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash on this system")
    run_block("bash", "rdl-live demo --headless --seconds 4 --size 128 --out demo-out", tmp_path)
    report = json.loads((tmp_path / "demo-out" / "report.json").read_text(encoding="utf-8"))
    keys = {f"{key}[]" if isinstance(value, list) else key for key, value in report.items()}
    files = {path.name for path in (tmp_path / "demo-out").iterdir()}
    documented = first_cells("The demo") - {"report.json"}
    assert documented == (keys | files) - {"report.json"}
    assert report["latency_ms"].keys() == {"p50", "p95"}


def test_the_table_names_every_part_of_the_hardware() -> None:
    assert first_cells("Acquisition") - {"hardware"} == set(Hardware.model_fields)


def test_the_table_names_every_verb() -> None:
    documented = {name.split()[1] for name in first_cells("The command")}
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert documented == verbs | {str(group.name) for group in app.registered_groups}
