"""The doctor tells the truth, in words and in JSON, and finds what is broken."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from rdl_live import __version__
from rdl_live.cli import _doctor
from rdl_live.cli._doctor import Check, Mark

APP = typer.Typer()
APP.command()(_doctor.doctor)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(APP, list(arguments))


def named(name: str) -> Check:
    (check,) = (check for check in _doctor.gather() if check.name == name)
    return check


def test_a_complete_installation_is_healthy() -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert __version__ in result.output
    assert "broken" not in result.output


def test_json_is_json_and_nothing_else() -> None:
    report = json.loads(run("--json").output)
    assert report["ok"] is True
    values = {check["name"]: check["value"] for check in report["checks"]}
    assert values["rdl-live"] == __version__
    assert values["torch"] == metadata.version("torch")
    assert {"numpy", "processor cores", "memory", "display", "disk", "network weights"} <= set(values)
    assert {check["mark"] for check in report["checks"]} <= {"ok", "warn", "fail"}


def test_a_missing_package_is_broken_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_doctor, "_required_packages", lambda: ["numpy", "no-such-package"])
    result = run("--json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["ok"] is False
    failed = [check for check in report["checks"] if check["mark"] == "fail"]
    assert {check["name"] for check in failed} == {"no-such-package", "packages"}
    assert all("no-such-package" in check["remedy"] for check in failed)
    words = run()
    assert words.exit_code == 1
    assert "broken" in words.output


def test_a_processor_that_computes_wrongly_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.fft, "irfft2", lambda _, s: torch.full(s, 7.0))
    assert named("cpu").mark is Mark.FAIL
    assert "wrong" in named("cpu").value


def test_a_gpu_that_fails_is_a_warning_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int, **__: str) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available\nmore lines")

    monkeypatch.setattr(torch, "rand", refuse)
    check = _doctor._computes("cuda:0", "Some GPU, 8.0 GiB", Mark.WARN)
    assert check.mark is Mark.WARN
    assert "no kernel image" in check.value
    assert "more lines" not in check.value
    assert "--device cpu" in check.remedy


def test_without_a_gpu_a_plain_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert named("GPU").mark is Mark.OK
    assert "processor" in named("GPU").value


@pytest.mark.parametrize(("bytes_free", "mark"), [(1 << 30, Mark.WARN), (1 << 40, Mark.OK)])
def test_little_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bytes_free: int, mark: Mark) -> None:
    usage = type(_doctor.shutil.disk_usage(tmp_path))(bytes_free, 0, bytes_free)
    monkeypatch.setattr(_doctor.shutil, "disk_usage", lambda _: usage)
    check = _doctor._disk(tmp_path)
    assert check.mark is mark
    assert bool(check.remedy) is (mark is Mark.WARN)


@pytest.mark.parametrize(("memory", "mark"), [(1 << 30, Mark.WARN), (1 << 36, Mark.OK), (None, Mark.OK)])
def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, memory: int | None, mark: Mark) -> None:
    monkeypatch.setattr(_doctor, "_memory_bytes", lambda: memory)
    assert named("memory").mark is mark


@pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc/meminfo")
def test_memory_is_that_of_the_system() -> None:
    first = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()[0]
    assert _doctor._memory_bytes() == int(first.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="screens are told by the environment on Linux only")
@pytest.mark.parametrize(
    ("environment", "value"),
    [
        ({}, "none"),
        ({"DISPLAY": ":3"}, "DISPLAY=:3"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":3"}, "WAYLAND_DISPLAY=wayland-0"),
        ({"QT_QPA_PLATFORM": "offscreen", "DISPLAY": ":3"}, "offscreen"),
    ],
)
def test_the_display(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], value: str) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, setting in environment.items():
        monkeypatch.setenv(name, setting)
    assert _doctor._display().value.startswith(value)


def test_the_doctor_loads_no_window_and_no_micro_manager(root: Path) -> None:
    code = (
        "import sys; from rdl_live.cli._doctor import gather; gather();"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root, root / "models")))}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    loaded = set(result.stdout.split())
    assert "torch" in loaded
    assert loaded.isdisjoint({"qtpy", "PyQt6", "PySide6", "tkinter", "pymmcore", "pymmcore_plus"})
