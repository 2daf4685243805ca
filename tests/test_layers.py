"""Imports go down the floors only (the contracts stand in pyproject.toml); no files import each other in circles."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import arrows, circles


def lint_imports(folder: Path, *import_path: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the contracts in `folder`, with its caches off."""
    code = (
        f"import sys; sys.path[:0] = {[str(p) for p in import_path]!r}\n"
        "from importlinter.cli import lint_imports\n"
        "sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True))"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_imports_go_down_the_floors_only(root: Path) -> None:
    result = lint_imports(root, root, root / "devices", root / "models")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("line", "kept"), [("", True), ("import house.roof", False)])
def test_an_import_that_goes_up_is_found(tmp_path: Path, line: str, kept: bool) -> None:
    """The linter that the test above trusts does see a broken floor."""
    house = tmp_path / "house"
    house.mkdir()
    for name, text in {"__init__": "", "roof": "import house.cellar", "cellar": line}.items():
        (house / f"{name}.py").write_text(text + "\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["house"]\n\n'
        '[[tool.importlinter.contracts]]\nname = "floors"\ntype = "layers"\n'
        'layers = ["house.roof", "house.cellar"]\n',
        encoding="utf-8",
    )
    result = lint_imports(tmp_path, tmp_path)
    assert (result.returncode == 0) is kept, result.stdout + result.stderr


def test_no_files_import_each_other_in_a_circle(root: Path) -> None:
    assert circles(arrows(root)) == []


def test_a_circle_is_found() -> None:
    """Also one of three, beside arrows that go down only."""
    graph = {"a": {"b", "d"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": set[str]()}
    assert circles(graph) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set[str]()}) == []
