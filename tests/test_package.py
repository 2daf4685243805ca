"""The distribution: light imports, one version, a wheel with what belongs in it, and every need pinned."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import rdl_live
from tests.imports import imported_tops, modules

HEAVY = ("torch", "typer", "qtpy", "PyQt6", "PySide6", "pymmcore", "tifffile", "zarr", "scipy")


def run(command: list[str], folder: Path | None = None, **environment: str) -> str:
    """Run a command that must succeed, in `folder`, with `environment` added; return what it prints."""
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def modules_after(statement: str, root: Path) -> set[str]:
    """Names of the top-level modules that a fresh interpreter holds after `statement`."""
    paths = [str(root), str(root / "devices"), str(root / "models")]
    code = f"import sys; sys.path[:0] = {paths!r}; {statement}; print(*{{n.split('.')[0] for n in sys.modules}})"
    return set(run([sys.executable, "-c", code]).split())


@pytest.mark.parametrize("package", ["rdl_live", "rdl_devices", "rdl_models"])
def test_importing_a_package_is_light(package: str, root: Path) -> None:
    assert modules_after(f"import {package}", root).isdisjoint(HEAVY)


@pytest.mark.parametrize("package", ["rdl_live.cli", "rdl_live.optics", "rdl_live.files", "rdl_live.specimen"])
def test_headless_code_never_imports_a_window(package: str, root: Path) -> None:
    windows = {"qtpy", "PyQt5", "PyQt6", "PySide6", "superqt", "pyqtgraph", "tkinter"}
    assert modules_after(f"import {package}", root).isdisjoint(windows)


def test_the_names_promised_are_there() -> None:
    for name in rdl_live.__all__:
        assert getattr(rdl_live, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = rdl_live.nonsense


def test_one_version() -> None:
    assert metadata.version("rdl-live") == rdl_live.__version__


@pytest.fixture(scope="module")
def dist(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a source distribution, and the wheel that is built from it: so it lacks nothing."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(root)])
    assert len(list(folder.glob("*.tar.gz"))) == 1
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_of_the_source_distribution_installs_and_runs(dist: Path, tmp_path: Path) -> None:
    (path,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    run([*pip, "--target", str(tmp_path), str(path)])
    where = run(
        [sys.executable, "-c", "import rdl_live; print(rdl_live.__file__)"],
        tmp_path,
        PYTHONPATH=str(tmp_path),
    )
    assert Path(where.strip()).is_relative_to(tmp_path), "the installed copy is the one that is tried"
    script = [str(tmp_path / "bin" / "rdl-live"), "doctor", "--json"]
    report = json.loads(run(script, tmp_path, PYTHONPATH=str(tmp_path)))
    assert report["ok"] is True


def test_the_wheel_installs_three_packages_and_no_others(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    info = f"rdl_live-{rdl_live.__version__}"
    assert tops == {"rdl_live", "rdl_devices", "rdl_models", f"{info}.data", f"{info}.dist-info"}


def test_the_wheel_is_typed_licensed_and_brings_the_configs(wheel: zipfile.ZipFile, root: Path) -> None:
    names = set(wheel.namelist())
    info = f"rdl_live-{rdl_live.__version__}"
    assert {f"{package}/py.typed" for package in ("rdl_live", "rdl_devices", "rdl_models")} <= names
    assert f"{info}.dist-info/licenses/LICENSE" in names
    configs = {f"{info}.data/data/share/rdl-live/configs/{path.name}" for path in (root / "configs").iterdir()}
    assert configs
    assert configs <= names


def pins(root: Path) -> dict[str, str]:
    """Read constraints.txt as {name: version}."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([\w.-]+)==(\S+)( ;.*)?", line) for line in lines if not line.startswith("#")]
    assert all(found), "every line of constraints.txt is NAME==VERSION"
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def project_of(root: Path) -> dict[str, Any]:
    """Return what pyproject.toml says."""
    with (root / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def needs(lines: list[str]) -> Iterator[Requirement]:
    """Everything that some requirements bring here, directly and through others."""
    queue = [Requirement(line) for line in lines]
    seen: set[tuple[str, str]] = set()
    while queue:
        need = queue.pop()
        key = (canonicalize_name(need.name), ",".join(sorted(need.extras)))
        if key in seen:
            continue
        seen.add(key)
        yield need
        extras = sorted(need.extras) or [""]
        try:
            children = metadata.requires(need.name) or []
        except metadata.PackageNotFoundError:  # an extra that is not installed here
            children = []
        for child in map(Requirement, children):
            marker = child.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                queue.append(child)


def test_whatever_is_imported_is_installed_with_the_package(root: Path) -> None:
    """Tools of the developers bring more; a user has what the dependencies and the extras bring."""
    project = project_of(root)["project"]
    lines = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    brought = {canonicalize_name(need.name) for need in needs(lines)}
    giving = metadata.packages_distributions()
    ours = {"rdl_live", "rdl_devices", "rdl_models"}
    lacking = {
        f"{file.relative_to(root)}: {top}"
        for file in modules(root).values()
        for top in imported_tops(file) - ours - sys.stdlib_module_names
        if not {canonicalize_name(one) for one in giving.get(top, [])} & brought
    }
    assert not lacking


def test_every_need_is_pinned_and_the_pin_is_what_is_tested(root: Path) -> None:
    pinned, project = pins(root), project_of(root)
    direct = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    for need in needs(direct + project["build-system"]["requires"]):
        name = canonicalize_name(need.name)
        if any(part.operator == "==" for part in need.specifier):
            continue  # whoever needs it pins it: the CUDA libraries of torch
        assert name in pinned, f"constraints.txt lacks {name}=={metadata.version(name)}"
        assert need.specifier.contains(pinned[name]), f"{need} does not allow the pin {pinned[name]}"
        assert metadata.version(name).split("+")[0] == pinned[name], f"{name}: run make install"
