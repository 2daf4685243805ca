"""kill -9 at random moments of a recording at a camera's pace: never more than the last series is lost.

`python -m tests.files.recorder.test_kill 50` tells the figures; the suite kills three times, `make test-slow` 50 times.
"""

import json
import mmap
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest
import zarr

from rdl_live.errors import OutputError
from rdl_live.files.recorder import Recorder, RecordingLayout, open_recording, recover
from tests.files.recorder.conftest import is_in_order

SEED = 20261125
SIDE = 128
FRAME_MS = 5.0
"""200 frames a second, as in configs/plan-demo.yaml; 22 series a second."""

CAMERA = f"""
import mmap, sys, time
import numpy as np
from rdl_live.files.recorder import FrameTag, Recorder, RecordingLayout
file = open(sys.argv[2], "r+b")
counter = mmap.mmap(file.fileno(), 8)  # outlives this process
recorder = Recorder(sys.argv[1], RecordingLayout(frame=({SIDE}, {SIDE}), pixel_size_um=0.1))
noise = np.random.default_rng(0).poisson(20, ({SIDE}, {SIDE})).astype(np.uint16)
due = time.perf_counter()
for number in range(10**7):
    time.sleep(max(due - time.perf_counter(), 0))
    # Where the computer was late, the next frame is: a camera does not catch up either.
    due = max(due, time.perf_counter() - {FRAME_MS / 1e3}) + {FRAME_MS / 1e3}
    t, slot = divmod(number, 9)
    noise[0, 0], noise[0, 1] = divmod(number, 2**16)
    recorder.append(noise, FrameTag(t, slot // 3, slot % 3, pattern_id=slot, timestamp_s=number * 1e-3))
    counter[:] = (number + 1).to_bytes(8, "little")
"""
LAYOUT = RecordingLayout(frame=(SIDE, SIDE), pixel_size_um=0.1)


@dataclass(frozen=True)
class Killed:
    """What a killed recording was found to hold."""

    taken: int
    """Frames whose `append` had returned."""
    series: int
    """Complete series after recovery."""
    lost_series: int
    """Complete series that were taken and are not there; the one that had just begun is not counted."""


def kill_once(folder: Path, after_s: float) -> Killed:
    """Record, kill, recover; assert all that must hold but the number of lost series."""
    path, count = folder / "a.ome.zarr", folder / "count"
    count.write_bytes(bytes(8))
    with (
        subprocess.Popen([sys.executable, "-c", CAMERA, str(path), str(count)]) as run,
        count.open("r+b") as file,
        mmap.mmap(file.fileno(), 8) as counter,
    ):
        while not any(counter[:]) and run.poll() is None:
            time.sleep(0.001)
        time.sleep(after_s)
        run.kill()
        run.wait()
        taken = int.from_bytes(counter[:], "little")
    assert run.returncode == -signal.SIGKILL
    report = recover(path)
    assert report.changed
    assert (report.incomplete, report.missing, report.problems) == (0, 0, ())
    files = _contents(path)
    assert not recover(path).changed
    assert _contents(path) == files
    assert is_in_order(path)
    _check_content(path, report.series)
    return Killed(taken, report.series, taken // 9 - report.series)


def _check_content(path: Path, series: int) -> None:
    """The shape is that of what is there, and each frame stands where its own number says."""
    values = np.asarray(zarr.open_array(str(path / "0"), mode="r")[..., 0, :2]).astype(int)
    assert values.shape == (series, 3, 3, 2)
    np.testing.assert_array_equal(values[..., 0] * 2**16 + values[..., 1], np.arange(9 * series).reshape(-1, 3, 3))
    with open_recording(path) as recording:
        assert recording.shape == (series, 3, 3, SIDE, SIDE)
        np.testing.assert_array_equal(
            recording.pattern_ids, np.broadcast_to(np.arange(9).reshape(3, 3), (series, 3, 3))
        )
        np.testing.assert_allclose(recording.timestamps_s.ravel(), np.arange(9 * series) * 1e-3)


def _contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def kills(count: int) -> list[Killed]:
    """Kill `count` recordings, each at a moment drawn from the first 1.5 s."""
    random, found = Random(SEED), []
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            found.append(kill_once(Path(folder), random.uniform(0, 1.5)))
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_never_more_than_the_last_series_is_lost(count: int) -> None:
    assert max(killed.lost_series for killed in kills(count)) <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_the_lock_holds_while_another_process_records_and_ends_with_it(tmp_path: Path) -> None:
    path, count = tmp_path / "a.ome.zarr", tmp_path / "count"
    count.write_bytes(bytes(8))
    with subprocess.Popen([sys.executable, "-c", CAMERA, str(path), str(count)]) as run:
        while not any(count.read_bytes()):
            assert run.poll() is None
            time.sleep(0.01)
        for attempt in (recover, lambda place: Recorder(place, LAYOUT, overwrite=True)):
            with pytest.raises(OutputError, match="is being recorded right now"):
                attempt(path)
        run.kill()
    with Recorder(path, LAYOUT, overwrite=True):
        pass
    assert is_in_order(path)


if __name__ == "__main__":
    for one in kills(int(sys.argv[1])):
        print(json.dumps(asdict(one)), flush=True)
