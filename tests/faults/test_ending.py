"""Rows 12, 13, 23 and 24 of docs/faults.md: signals, cancelling, runs again and again, and a teardown that fails.

Signals to a demo are slow here: `cli/test_demo.py` sends it SIGINT, and `acquire/test_process.py` both to a plan.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rdl_live.acquire import Acquisition, ManyProblemsError
from rdl_live.errors import DeviceError
from rdl_live.files.recorder import open_recording, verify
from tests.faults.conftest import Bench, until

PROC = Path("/proc/self/fd")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_12_the_demo_is_ended_by_a_signal(root: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Sent to the whole group, as a terminal does: files closed, no core dump, and no process left."""
    out = tmp_path / "out"
    command = "from rdl_live.cli import app; app()"
    path = os.pathsep.join(str(root / folder) for folder in (".", "devices", "models"))
    process = subprocess.Popen(
        [sys.executable, "-c", command, "demo", "--headless", "--seconds", "300", "--size", "64", "--out", str(out)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    frames = out / "raw.ome.zarr"
    images = out / "sr.ome.zarr"  # a demo without an image ends with exit code 1
    until(lambda: images.is_dir() and any(images.rglob("c/*/*")), 240.0)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, messages = process.communicate(timeout=240)
    assert process.returncode == code, messages
    assert "Traceback" not in messages
    report = verify(frames)
    assert report.ok, report.problems
    assert report.verified > 0
    assert not any("was not closed" in note for note in open_recording(frames).notes)
    until(lambda: not _group(process.pid))


def _group(leader: int) -> list[int]:
    """Return the processes that are left of a session (Linux)."""
    left = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            left.append(int(status.parent.name))
    return left


def test_13_cancelled_with_the_shutter_kept_open(bench: Bench) -> None:
    """As somebody does who cancels the core's own runner: the shutter is closed, the autoshutter as it was."""
    bench.core.setAutoShutter(True)
    run = bench.run(None)
    with run:
        run.start()
        until(lambda: run.status.raw_frames > 5)
        assert bench.core.getShutterOpen("Shutter")
        assert not bench.core.getAutoShutter()
        bench.core.mda.cancel()
        outcome = run.finish()
    assert bench.dark
    assert bench.core.getAutoShutter()
    assert bench.verified() == outcome.raw.raw_frames


def test_23_a_second_run_is_refused(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(None)
    with run:
        run.start()
        until(lambda: run.status.raw_frames > 0)
        bench.out = tmp_path / "second"
        bench.out.mkdir()
        with pytest.raises(DeviceError, match="running already"):
            bench.done(bench.run(1))
        assert run.running
        run.stop()
        run.finish()
    assert bench.dark


@pytest.mark.parametrize(
    ("processing", "times"), [("thread", 12), ("process", 4), pytest.param("process", 100, marks=pytest.mark.slow)]
)
def test_23_started_and_stopped_again_and_again(bench: Bench, tmp_path: Path, processing: str, times: int) -> None:
    def once(number: int) -> tuple[int, int]:
        bench.out = tmp_path / f"{processing}-{number}"
        bench.out.mkdir()
        bench.done(bench.run(1, processing=processing))
        assert bench.dark
        until(lambda: not [t for t in threading.enumerate() if t.name.startswith(("rdl-", "safe-"))])
        return threading.active_count(), len(os.listdir(PROC)) if PROC.is_dir() else 0

    for number in range(2):  # what is made once for all
        before = once(number)
    after = [once(number) for number in range(2, times)]
    assert after[-1][0] <= before[0]
    assert min(handles for _, handles in after[-2:]) <= before[1]


def test_24_a_step_of_the_teardown_raises(bench: Bench) -> None:
    """The laser bench refuses to go dark while the camera is unplugged: both are told, and the rest is done."""
    run = bench.run(None)
    with pytest.raises(ManyProblemsError) as caught, run:  # noqa: PT012
        run.start()
        until(lambda: run.status.raw_frames > 5)
        bench.world.faults.refuse("Lasers", "Enable_488", 0)
        bench.world.faults.unplug("Camera")
        run.finish()
    words = str(caught.value)
    assert "Camera" in words
    assert "Lasers: Enable_488 = 0" in words
    assert not bench.core.getShutterOpen("Shutter")
    assert float(bench.core.getProperty("AOTF", "Power_488_pct")) == 0
    assert not any(bench.world.light.share(nm, exposing=True) for nm in bench.world.light.lines)
    bench.world.faults.clear()
    assert bench.verified() > 5


def test_the_safe_state_is_forced_at_the_start(bench: Bench) -> None:
    """Somebody left the light on: it goes off before anything else, also where the plan is refused later."""
    bench.core.setShutterOpen("Shutter", True)
    bench.core.setProperty("Lasers", "Enable_560", 1)
    bench.core.setProperty("AOTF", "Power_560_pct", 50)
    Acquisition(bench.core, bench.scope, bench.run(1).plan).run()
    assert bench.dark
