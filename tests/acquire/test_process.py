"""Whole processes: the command, signals, an exit in the middle of a run, Micro-Manager's own C++ devices."""

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rdl_live.acquire import Acquisition, Plan, PlanChannel, TimePlan, ZPlan, hardware_of, open_core, shutdown
from rdl_live.cli import app
from rdl_live.files import load_microscope
from rdl_live.files.recorder import open_recording
from tests.acquire.conftest import Keeper

COMMAND = "import typer; from rdl_live.cli._acquire import acquire; a = typer.Typer(); a.command()(acquire); a()"
BUSY = """
import sys
from rdl_live.acquire import Acquisition, Plan, PlanChannel, TimePlan, open_core
from rdl_live.files import load_microscope
from rdl_devices.sim import world_of
scope = load_microscope(sys.argv[1])
core = open_core(scope)
world = world_of(core)
plan = Plan(channels=(PlanChannel(name="488", power_percent=5, exposure_ms=10),), time=TimePlan(points=None))
run = Acquisition(core, scope, plan, check_patterns=False)
run.start()
import time
while not world.exposures: time.sleep(0.01)
lit = world.light.share(488, exposing=True)
print("lit", lit > 0, flush=True)
sys.exit(7)
"""


def run_python(code: str, *args: str, cwd: Path) -> "subprocess.Popen[str]":
    """Start a Python process that finds the packages."""
    path = os.pathsep.join(str(cwd / folder) for folder in (".", "devices", "models"))
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def small_demo(root: Path, folder: Path) -> Path:
    """Write a demo microscope with a small camera and a still specimen, as fast as the computer can."""
    cfg = (root / "configs" / "demo.cfg").read_text(encoding="utf-8").replace("Realtime,1", "Realtime,0")
    extra = "#py Property,Camera,SensorSize_px,64\n#py Property,World,Refresh_ms,1000000\n"
    (folder / "demo.cfg").write_text(cfg + extra, encoding="utf-8")
    (folder / "demo.yaml").write_text((root / "configs" / "demo.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return folder / "demo.yaml"


def plan_file(folder: Path, points: str) -> Path:
    """Write a plan."""
    plan = {"channels": [{"name": "488", "power_percent": 20, "exposure_ms": 5}], "time": {"points": "P"}}
    (folder / "plan.yaml").write_text(json.dumps(plan).replace('"P"', points), encoding="utf-8")
    return folder / "plan.yaml"


def test_the_command_records_a_plan(root: Path, tmp_path: Path) -> None:
    scope, plan, out = small_demo(root, tmp_path), plan_file(tmp_path, "4"), tmp_path / "raw.ome.zarr"
    outcome = CliRunner().invoke(app, ["acquire", str(plan), "--microscope", str(scope), "--out", str(out)])
    assert outcome.exit_code == 0, outcome.output
    assert "4 whole series, 36 raw frames" in outcome.output
    with open_recording(out) as recording:
        assert recording.shape == (4, 3, 3, 64, 64)
        assert recording.complete.all()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 0, marks=pytest.mark.slow)]
)
def test_signals_stop_it_in_order(root: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    scope, plan, out = small_demo(root, tmp_path), plan_file(tmp_path, "null"), tmp_path / "raw.ome.zarr"
    process = run_python(COMMAND, str(plan), "--microscope", str(scope), "--out", str(out), cwd=root)
    deadline = time.monotonic() + 120
    while not (out / "0" / "c" / "2").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == code, messages
    assert "the light is off" in messages
    with open_recording(out) as recording:
        assert recording.shape[0] >= 3
        assert recording.complete[:-1].all()


def test_an_exit_in_the_middle_of_a_run_is_clean(root: Path, tmp_path: Path) -> None:
    scope = small_demo(root, tmp_path)
    process = run_python(BUSY, str(scope), cwd=root)
    said, messages = process.communicate(timeout=120)
    assert (process.returncode, said.strip()) == (7, "lit True"), messages
    assert "at exit" not in messages


def test_a_core_is_let_go_after_its_runs(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It holds its buffer and a log file, which a program that loads devices again must not pile up."""
    caplog.set_level(logging.CRITICAL, logger="pymmcore-plus")  # records that are kept hold the core
    scope = load_microscope(small_demo(root, tmp_path))
    core = open_core(scope)
    channel = PlanChannel(name="488", power_percent=50, exposure_ms=5)
    Acquisition(core, scope, Plan(channels=(channel,)), check_patterns=False).run()
    shutdown(core, hardware_of(scope))
    gone = weakref.ref(core)
    del core
    gc.collect()
    assert gone() is None


def test_micro_managers_own_devices(root: Path) -> None:
    scope = load_microscope(root / "configs" / "mm-demo.yaml")
    core = open_core(scope)
    try:
        plan = Plan(
            channels=(
                PlanChannel(name="488", power_percent=10, exposure_ms=1),
                PlanChannel(name="561", power_percent=40, exposure_ms=1),
            ),
            time=TimePlan(points=1),
            z=ZPlan(planes=2, step_um=1.0),
        )
        keeper = Keeper()
        powers: list[tuple[float, float, bool]] = []

        def look(*_: object) -> None:
            powers.append(
                (
                    float(core.getProperty("DA488", "Voltage")),
                    float(core.getProperty("DA561", "Voltage")),
                    core.getShutterOpen("Shutter"),
                )
            )

        run = Acquisition(core, scope, plan, keeper, on_frame=look, check_patterns=False)
        report = run.run()
        assert report.status.stepped
        assert report.processing_error is None
        assert (report.status.frames, report.status.missing) == (36, 0)
        assert keeper.frames[0] is not None
        assert (keeper.frames[0].shape, keeper.frames[0].dtype) == ((512, 512), "uint16")
        assert powers[::9] == [(0.5, 0, True), (0, 2.0, True), (0.5, 0, True), (0, 2.0, True)]
        assert float(core.getProperty("DA561", "Voltage")) == 0
        assert not core.getShutterOpen("Shutter")
    finally:
        shutdown(core, hardware_of(scope))
