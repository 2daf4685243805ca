"""Full, slow and forbidden disks: said loudly, memory bounded, what was written is kept."""

import errno
import gc
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdl_live.errors import DataError, OutputError
from rdl_live.files.recorder import (
    FolderSink,
    Limits,
    Recorder,
    check_recording_output,
    open_recording,
    recover,
    verify,
)

from .conftest import SlowSink, frame_at, layout_of, record, series, tag_at

SERIES_BYTES = 9 * 8 * 6 * 2


class FullSink(FolderSink):
    """A disk with room for some chunks only."""

    def __init__(self, root: Path, room: int) -> None:
        super().__init__(root)
        self.room = room

    def stage(self, chunk: str, content: memoryview) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().stage(chunk, content)


def append_until_refused(recorder: Recorder, times: int = 500) -> int:
    """Append whole series until one is refused; return how many frames were taken."""
    for taken, place in enumerate(series(*range(times))):
        try:
            recorder.append(frame_at(*place), tag_at(*place))
        except OutputError:
            return taken
        if place[1:] == (2, 2):
            time.sleep(0.001)
    raise AssertionError("nothing was refused")


def test_disk_full_is_raised_at_the_next_frame_and_at_close(path: Path) -> None:
    recorder = Recorder(path, layout_of(), sink=FullSink(path, 3))
    taken = append_until_refused(recorder)
    with pytest.raises(OutputError, match="No space left"):
        recorder.append(frame_at(499, 0, 0), tag_at(499, 0, 0))
    with pytest.raises(OutputError, match=r"cells.ome.zarr: writing failed \(No space left"):
        recorder.close()
    assert recorder.summary is not None
    assert recorder.summary.raw_frames == 27
    # The frame that was refused had been taken already if the disk failed while it was put down: it is lost, too.
    assert recorder.summary.lost_frames in (taken - 27, taken + 1 - 27)
    assert verify(path).ok
    with open_recording(path) as recording:
        assert len(recording) == 3
        assert recording.valid.all()


def test_the_error_of_the_block_goes_before_that_of_closing(path: Path) -> None:
    recorder = Recorder(path, layout_of(), sink=FullSink(path, 0))
    record(recorder, series(0))
    with pytest.raises(ZeroDivisionError) as caught, recorder:
        raise ZeroDivisionError
    assert "No space left" in caught.value.__notes__[0]


def test_defects_of_the_writer_are_raised_too(path: Path) -> None:
    class Defect(FolderSink):
        def commit(self, chunk: str) -> None:
            raise KeyError(chunk)

    recorder = Recorder(path, layout_of(), sink=Defect(path))
    record(recorder, series(0))
    with pytest.raises(RuntimeError, match="writing failed") as caught:
        recorder.close()
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_run_stops_before_the_disk_is_full_and_nothing_is_lost(path: Path) -> None:
    class Filling(FolderSink):
        left = 10**9

        def free_bytes(self) -> int:
            self.left -= 10**8
            return self.left

    recorder = Recorder(path, layout_of(), sink=Filling(path), limits=Limits(reserve_bytes=5 * 10**8))
    taken = append_until_refused(recorder)
    with pytest.raises(OutputError, match=r"only .* MB are left on the disk"):
        recorder.close()
    assert recorder.summary is not None
    assert recorder.summary.raw_frames == taken
    assert recorder.summary.lost_frames == 0


def test_a_recording_that_cannot_fit_is_refused_before_it_starts(path: Path) -> None:
    with pytest.raises(OutputError, match=r"takes up to .* GB.*the disk has"):
        Recorder(path, layout_of(time_points=10**9))
    with pytest.raises(OutputError, match="kept free"):
        Recorder(path, layout_of(), limits=Limits(reserve_bytes=10**18))
    assert not path.exists()


def test_a_slow_disk_is_warned_of_then_raised_with_bounded_memory(path: Path) -> None:
    told: list[str] = []
    gate = threading.Event()
    limits = Limits(queue_bytes=10 * SERIES_BYTES, patience_s=0.05)
    sink = SlowSink(path, lambda: gate.wait(20))
    recorder = Recorder(path, layout_of(), sink=sink, limits=limits, on_warning=told.append)
    with pytest.raises(OutputError, match="too slow"):
        record(recorder, series(*range(40)))
    assert len(told) == 1
    assert "falls behind" in told[0]
    assert recorder.status.queued_bytes <= 11 * SERIES_BYTES
    with pytest.raises(OutputError, match="too slow"):
        recorder.append(frame_at(39, 0, 0), tag_at(39, 0, 0))
    gate.set()
    with pytest.raises(OutputError, match="too slow"):
        recorder.close()
    assert recorder.summary is not None
    assert recorder.summary.raw_frames == 11 * 9  # what waited is still written
    assert recorder.summary.lost_frames == 0
    assert verify(path).ok


def test_closing_waits_until_all_is_written(path: Path) -> None:
    recorder = Recorder(path, layout_of(), sink=SlowSink(path, lambda: time.sleep(0.02)))
    record(recorder, series(*range(10)))
    assert recorder.close().raw_frames == 90
    assert len(list((path / "0" / "c").iterdir())) == 10


def test_a_disk_that_is_slow_for_a_moment_is_waited_for(path: Path) -> None:
    gate = threading.Event()
    threading.Timer(0.2, gate.set).start()
    limits = Limits(queue_bytes=SERIES_BYTES, patience_s=10)
    with Recorder(path, layout_of(), sink=SlowSink(path, lambda: gate.wait(20)), limits=limits) as recorder:
        record(recorder, series(0, 1, 2, 3))
    assert recorder.summary is not None
    assert recorder.summary.series == 4


def test_a_disk_that_loses_what_it_took_is_found_at_close(path: Path) -> None:
    class Forgetful(FolderSink):
        def commit(self, chunk: str) -> None:
            super().commit(chunk)
            if "/1/" in chunk:
                (path / chunk).write_bytes(b"")

    recorder = Recorder(path, layout_of(), sink=Forgetful(path))
    record(recorder, series(0, 1, 2))
    with pytest.raises(OutputError, match="27 frames were written, 18 read back"):
        recorder.close()
    with open_recording(path) as recording:
        assert recording.complete.tolist() == [True, False, True]


def test_a_file_size_limit_of_the_system(path: Path) -> None:
    """A refusal by the real system in the middle of a chunk, in a process of its own."""
    code = f"""
import resource, signal
from rdl_live.errors import OutputError
from rdl_live.files.recorder import FrameTag, Recorder, RecordingLayout, verify
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
layout = RecordingLayout(frame=(64, 64), pixel_size_um=0.1, compression="none")
recorder = Recorder({str(path)!r}, layout)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    for slot in range(9):
        recorder.append(np.ones((64, 64), np.uint16), FrameTag(0, slot // 3, slot % 3))
    recorder.close()
except OutputError as error:
    print(error, "|", recorder.summary.raw_frames, *verify({str(path)!r}).problems)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert "File too large" in done.stdout
    assert done.stdout.rstrip().endswith("| 0 holds no frame: the run ended before the first one was recorded")
    assert not list(path.rglob("*.part"))


def test_nothing_existing_is_replaced_silently(path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))
    with pytest.raises(OutputError, match="exists already"):
        Recorder(path, layout_of())
    assert verify(path).raw_frames == 9
    with Recorder(path, layout_of(), overwrite=True) as recorder:
        record(recorder, series(0, 1))
    assert verify(path).raw_frames == 18
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_another_run_made_meanwhile_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    theirs: list[Recorder] = []

    def late(*_: object) -> None:
        monkeypatch.undo()
        theirs.append(Recorder(path, layout_of()))
        record(theirs[0], series(0))

    monkeypatch.setattr("rdl_live.files.recorder.stream_recorder.check_space", late)
    with pytest.raises(OutputError, match="being recorded right now" if overwrite else "File exists"):
        Recorder(path, layout_of(), overwrite=overwrite)
    record(theirs[0], series(1))
    assert theirs[0].close().raw_frames == 18
    assert verify(path).raw_frames == 18
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_of_many_that_would_replace_it_one_records(path: Path) -> None:
    """Each either records, whole, or is told that somebody else does, and what is kept under another name."""
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))
    ended: list[int] = []
    told: list[str] = []

    def replace(times: int) -> None:
        for _ in range(times):
            try:
                with Recorder(path, layout_of(), overwrite=True) as own:
                    record(own, series(0, 1))
                    assert verify(path).raw_frames <= 18
            except OutputError as error:
                told.append(str(error))
            else:
                assert own.summary is not None
                ended.append(own.summary.raw_frames)

    threads = [threading.Thread(target=replace, args=(8,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) + len(told) == 24
    assert set(ended) == {18}
    assert verify(path).raw_frames == 18
    others = {child.name for child in path.parent.iterdir()} - {path.name}
    assert all(any(name in words for words in told) for name in others)


def test_a_listener_that_fails_costs_no_frame(path: Path) -> None:
    def broken(_: str) -> None:
        raise ZeroDivisionError

    gate = threading.Event()
    sink, limits = SlowSink(path, lambda: gate.wait(20)), Limits(queue_bytes=10 * SERIES_BYTES)
    with Recorder(path, layout_of(), sink=sink, limits=limits, on_warning=broken) as recorder:
        record(recorder, series(*range(8)))
        gate.set()
    assert recorder.summary is not None
    assert recorder.summary.raw_frames == 72


def test_only_zarr_folders_are_ever_replaced(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("four years")
    with pytest.raises(OutputError, match="no Zarr folder, so it is never replaced"):
        Recorder(path, layout_of(), overwrite=True)
    assert (path / "thesis.txt").read_text() == "four years"


def test_one_writer_a_recording(path: Path) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))
        with pytest.raises(OutputError, match="being recorded right now"):
            Recorder(path, layout_of(), overwrite=True)
        with pytest.raises(OutputError, match="being recorded right now"):
            recover(path)
        record(recorder, series(1))
    assert recover(path).raw_frames == 18


BAD_NAMES = {
    "no folder": ("nowhere/a.ome.zarr", "does not exist; make it first"),
    "a file as folder": ("file/a.ome.zarr", "is a file, not a folder"),
    "no zarr": ("a.tif", "ends in .ome.zarr"),
    "long name": ("n" * 300 + ".ome.zarr", "cannot be written"),
}


@pytest.mark.parametrize(("name", "says"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_bad_places_are_told_before_anything_is_made(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=says):
        Recorder(tmp_path / name, layout_of())
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="other limits")
def test_a_path_whose_chunks_would_be_too_long(tmp_path: Path) -> None:
    rest = 4080 - len(os.fsencode(tmp_path)) - len("/x.zarr")
    names = ["d" * 150] * ((rest - 2) // 151)
    names.append("e" * (rest - 151 * len(names) - 1))
    here = os.open(tmp_path, os.O_RDONLY)
    for name in names:  # step by step, as the whole path is longer than the system takes at once
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    target = tmp_path.joinpath(*names, "x.zarr")
    with pytest.raises(OutputError, match="File name too long"):
        check_recording_output(target, layout_of())


def test_unicode_and_spaces(tmp_path: Path) -> None:
    path = tmp_path / "Zellen µm 細胞 é.ome.zarr"
    with Recorder(path, layout_of(channels=("mÉGFP", "赤"), provenance={"who": "Zoë"})) as recorder:
        record(recorder, series(0))
    assert verify(path).ok
    assert open_recording(path).provenance == {"who": "Zoë"}
    assert open_recording(path, channel=1).channel_names == ["赤"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="no permission"):
            Recorder(tmp_path / "a.ome.zarr", layout_of())
    finally:
        tmp_path.chmod(0o700)


def test_a_failed_start_leaves_the_old_recording(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(0))

    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("rdl_live.files.recorder.stream_recorder.write_tree", refuse)
    with pytest.raises(OutputError, match="Input/output error"):
        Recorder(path, layout_of(), overwrite=True)
    assert verify(path).raw_frames == 9
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_no_handle_and_no_thread_is_left(tmp_path: Path) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no list of handles on this system")
    gc.collect()  # of what earlier tests have left
    before = held()
    for number in range(12):
        with Recorder(tmp_path / f"{number}.zarr", layout_of()) as recorder:
            record(recorder, series(0))
    # Not equal: a thread that an earlier test has left may end in the meantime.
    assert all(now <= then for now, then in zip(held(), before, strict=True))


def test_memory_is_bounded(path: Path) -> None:
    """120 series of 74 kB (9 MB) through a queue of 1 MB, faster than the disk."""
    frame = np.random.default_rng(0).integers(0, 60000, (64, 64)).astype(np.uint16)
    limits = Limits(queue_bytes=2**20, patience_s=60)
    tracemalloc.start()
    try:
        with Recorder(path, layout_of(frame=(64, 64)), limits=limits, on_warning=str) as recorder:
            for place in series(*range(120)):
                recorder.append(frame, tag_at(*place))
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * 2**20


def test_a_program_that_forgets_to_close(path: Path) -> None:
    code = f"""
from rdl_live.files.recorder import FrameTag, Recorder, RecordingLayout
import numpy as np
recorder = Recorder({str(path)!r}, RecordingLayout(frame=(8, 8), pixel_size_um=0.1))
recorder.append(np.ones((8, 8), np.uint16), FrameTag(0))
"""
    subprocess.run([sys.executable, "-c", code], timeout=240, check=True)
    assert verify(path).ok
    assert verify(path).raw_frames == 1


def test_a_foreign_folder_is_no_recording(tmp_path: Path) -> None:
    for action in (open_recording, verify, recover):
        with pytest.raises(DataError, match="no recording of rdl-live"):
            action(tmp_path)
    assert not list(tmp_path.iterdir())
