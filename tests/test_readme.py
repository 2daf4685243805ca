"""The README tells the truth: its blocks run in order, and its tables name every key there is.

Blocks marked `bash` and `python` run; a `yaml` block is saved under the name in its first line.
Blocks of other languages (`bat`, or indented) are for reading.
"""

import contextlib
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from rdl_live.cli import app
from rdl_live.optics.hardware import Hardware
from rdl_live.optics.microscope import Camera, Channel, Microscope, Optics, PatternGeometry, PatternGuess

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)

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


def run_block(language: str, text: str) -> None:
    """Run one block as a reader would, in the folder of now.

    Each line that calls `rdl-live` runs in this process: what a process of its own costs (torch is loaded each time)
    is not what the README promises, and that the installed command runs is tested with the wheel.
    """
    if language == "yaml":
        Path(text.splitlines()[0].removeprefix("# ")).write_text(text, encoding="utf-8")
    elif language == "python":
        exec(compile(text, "README.md", "exec"), {"__name__": "__main__"})
    else:
        for line in text.splitlines():
            command = shlex.split(line, comments=True)
            assert command[:1] == ["rdl-live"], f"{line!r} is no command of rdl-live: run it in a shell here"
            outcome = CliRunner().invoke(app, command[1:], prog_name="rdl-live")
            assert outcome.exit_code == 0, f"{line}\n{outcome.output}\n{outcome.exception!r}"


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
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "configs", folder / "configs")  # "in the folder of the clone"
    with contextlib.chdir(folder):
        for language, text in BLOCKS:
            if language in ("yaml", "bash", "python"):
                run_block(language, text)
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


def test_the_table_names_every_part_of_the_hardware() -> None:
    assert first_cells("Acquisition") - {"hardware"} == set(Hardware.model_fields)


def test_the_table_names_every_verb() -> None:
    documented = {name.split()[1] for name in first_cells("The command")}
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert documented == verbs | {str(group.name) for group in app.registered_groups}
