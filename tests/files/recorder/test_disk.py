"""A full disk and a disk ten times too slow (rows 9 and 10 of the table of faults), at a camera's pace.

`python -m tests.files.recorder.test_disk` tells the figures.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from rdl_live.errors import OutputError
from rdl_live.files import check_output
from rdl_live.files.recorder import (
    FolderSink,
    FrameTag,
    Limits,
    Recorder,
    RecordingLayout,
    check_recording_output,
    open_recording,
    recover,
    verify,
)
from tests.busy import BUSY

LAYOUT = RecordingLayout(frame=(128, 128), pixel_size_um=0.1, compression="none")
FRAME_S = 0.002
CAMERA_BYTES_S = 128 * 128 * 2 / FRAME_S
LIMITS = Limits(queue_bytes=8 * LAYOUT.block_bytes, reserve_bytes=0)


class WatchedSink(FolderSink):
    """A disk that writes `bytes_s`, and remembers when it first refused."""

    def __init__(self, root: Path, bytes_s: float | None = None) -> None:
        super().__init__(root)
        self._bytes_s = bytes_s
        self.refused_at: float | None = None

    def stage(self, chunk: str, content: memoryview) -> None:
        try:
            super().stage(chunk, content)
        except OSError:
            self.refused_at = self.refused_at or time.perf_counter()
            raise

    def sync(self, chunk: str) -> None:
        if self._bytes_s is not None:
            time.sleep(LAYOUT.block_bytes / self._bytes_s)
        super().sync(chunk)


@dataclass(frozen=True)
class Fault:
    """What a recording did when its disk failed it."""

    error: str
    late_s: float
    """From the fact (the disk refuses; the queue is full) to the error at `append`."""
    warnings: int
    peak_bytes: int
    """Most memory that the frames took."""
    bound_bytes: int
    """The stated bound on it."""
    taken: int
    """Frames that were given to the recorder."""
    raw_frames: int
    """Frames on the disk, as the summary says."""
    lost_frames: int
    verified: int
    """Frames that `verify` finds, checksums right."""
    close_s: float


def run(path: Path, sink: WatchedSink, limits: Limits = LIMITS) -> Fault:
    """Record at the camera's pace until the recorder ends it."""
    told: list[str] = []
    noise = np.random.default_rng(0).integers(0, 2**16, (128, 128)).astype(np.uint16)
    tracemalloc.start()
    recorder = Recorder(path, LAYOUT, limits=limits, on_warning=told.append, sink=sink)
    before = tracemalloc.get_traced_memory()[0]
    start, full_at, error = time.perf_counter(), None, ""
    for number in range(20_000):
        time.sleep(max(start + number * FRAME_S - time.perf_counter(), 0))
        if full_at is None and recorder.status.queued_bytes + LAYOUT.block_bytes > limits.queue_bytes:
            full_at = time.perf_counter()
        time_point, slot = divmod(number, 9)
        try:
            recorder.append(noise, FrameTag(time_point, slot // 3, slot % 3))
        except OutputError as refusal:
            error = str(refusal)
            break
    failed_at = time.perf_counter()
    with pytest.raises(OutputError):
        recorder.close()
    close_s, peak = time.perf_counter() - failed_at, tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    summary, fact = recorder.summary, sink.refused_at or full_at or failed_at
    assert summary is not None
    return Fault(
        error=error,
        late_s=failed_at - fact,
        warnings=len(told),
        peak_bytes=peak,
        bound_bytes=limits.memory_bytes(LAYOUT),
        taken=recorder.status.frames_taken,
        raw_frames=summary.raw_frames,
        lost_frames=summary.lost_frames,
        verified=verify(path).verified,
        close_s=close_s,
    )


def slow_disk(path: Path) -> Fault:
    """A disk that takes a tenth of what the camera gives."""
    return run(path, WatchedSink(path, CAMERA_BYTES_S / 10))


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own; needs the right to mount."""
    folder = tempfile.mkdtemp()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip("no right to mount a small disk")
    try:
        yield Path(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def full_disk(folder: Path) -> Fault:
    """A disk that is full after a few dozen series, though the recorder was told to keep nothing free."""
    path = folder / "a.ome.zarr"
    return run(path, WatchedSink(path))


def test_a_disk_ten_times_too_slow(tmp_path: Path) -> None:
    fault = slow_disk(tmp_path / "a.ome.zarr")
    assert "the disk is too slow" in fault.error
    assert "Write to a faster disk" in fault.error
    assert fault.warnings == 1
    assert fault.peak_bytes < fault.bound_bytes
    assert fault.late_s < 1 * BUSY
    assert (fault.raw_frames, fault.lost_frames) == (fault.taken, 0)
    assert fault.verified == fault.raw_frames
    assert verify(tmp_path / "a.ome.zarr").ok


@pytest.mark.skipif(sys.platform == "win32", reason="needs a small disk")
def test_a_disk_that_is_full() -> None:
    with small_disk("6m") as folder:
        fault = full_disk(folder)
        assert "No space left" in fault.error
        assert fault.late_s < 1 * BUSY
        assert fault.raw_frames > 0
        assert fault.raw_frames + fault.lost_frames == fault.taken
        assert fault.verified == fault.raw_frames
        path = folder / "a.ome.zarr"
        with open_recording(path) as recording:
            assert int(recording.valid.sum()) == fault.raw_frames
        (path / "0" / "c" / "0" / "0" / "0" / "0" / "0").unlink()  # the user makes room
        report = recover(path)
        assert report.raw_frames == fault.raw_frames - 9
        assert not recover(path).changed


@pytest.mark.skipif(sys.platform == "win32", reason="needs a small disk")
def test_the_reserve_ends_the_run_before_the_disk_is_full() -> None:
    with small_disk("12m") as folder:
        path = folder / "a.ome.zarr"
        fault = run(path, WatchedSink(path), Limits(queue_bytes=LIMITS.queue_bytes, reserve_bytes=4 * 2**20))
        assert "MB are left on the disk" in fault.error
        assert "every frame taken so far is written" in fault.error
        assert (fault.raw_frames, fault.lost_frames) == (fault.taken, 0)
        assert verify(path).ok


@pytest.mark.skipif(sys.platform == "win32", reason="needs a small disk")
def test_a_disk_that_may_only_be_read() -> None:
    with small_disk("1m") as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(OutputError, match="no permission to write in"):
            check_recording_output(folder / "a.ome.zarr", LAYOUT)
        with pytest.raises(OutputError, match="no permission to write in"):
            check_output(folder / "a.tif")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps({"slow disk": asdict(slow_disk(Path(name) / "a.ome.zarr"))}, indent=1))
    with small_disk("6m") as disk:
        print(json.dumps({"full disk": asdict(full_disk(disk))}, indent=1))
