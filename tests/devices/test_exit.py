"""A process that used the simulated microscope ends cleanly, again and again."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pymmcore_plus")

SCRIPT = """
import sys, time
sys.path[:0] = [{root!r}, {devices!r}]
import pymmcore
from pymmcore_plus.experimental.unicore import UniMMCore
core = UniMMCore()
core.loadSystemConfiguration({config!r})
core.setProperty("Camera", "SensorSize_px", 64)
core.setShutterOpen(True)
core.startContinuousSequenceAcquisition()
time.sleep(0.05)
if {stop}:
    core.stopSequenceAcquisition()
core.reset()
pymmcore.CMMCore.registerCallback(core, None)
"""


def run(root: Path, *, stop: bool) -> subprocess.CompletedProcess[str]:
    """Run a script that acquires and ends."""
    script = SCRIPT.format(
        root=str(root), devices=str(root / "devices"), config=str(root / "configs" / "demo.cfg"), stop=stop
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("stop", [True, False], ids=["stopped", "running"])
def test_the_process_ends_cleanly(root: Path, stop: bool) -> None:
    result = run(root, stop=stop)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
def test_the_process_ends_cleanly_ten_times(root: Path) -> None:
    assert [run(root, stop=bool(turn % 2)).returncode for turn in range(10)] == [0] * 10


def test_importing_the_package_is_cheap(root: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'devices')!r}]\n"
        "import rdl_devices, rdl_devices.sim\n"
        "print(sorted({'torch', 'numpy', 'pymmcore_plus', 'qtpy', 'typer'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert result.stdout.strip() == "[]"
