"""After kill -9, torn files and lost lines: all but the last series, an honest shape, nothing deleted."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from rdl_live.errors import DataError
from rdl_live.files.recorder import (
    FolderSink,
    Recorder,
    RecordingLayout,
    SrLayout,
    open_recording,
    recover,
    verify,
)
from rdl_live.files.recorder.journal import BlockRecord, decode_line, encode_line
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.files.recorder.tags import FrameFlag, FrameRecord

from .conftest import frame_at, is_in_order, layout_of, record, series

RUN = """
import sys, numpy as np
from rdl_live.files.recorder import FrameTag, Recorder, RecordingLayout
layout = RecordingLayout(frame=(32, 32), pixel_size_um=0.1)
recorder = Recorder(sys.argv[1], layout)
print("ready", flush=True)
for number in range(9 * 100000):
    t, slot = divmod(number, 9)
    recorder.append(np.full((32, 32), number % 60000 + 1, np.uint16), FrameTag(t, slot // 3, slot % 3, slot))
    if slot == 8:
        while recorder.status.frames_written < number + 1:  # at most one series is open
            recorder.check()
        print(t, flush=True)
"""


def files_of(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file()}


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
@pytest.mark.parametrize("delay", [0.0, 0.013, 0.05, 0.111, 0.2])
def test_kill_9_loses_at_most_the_last_series(path: Path, delay: float) -> None:
    with subprocess.Popen([sys.executable, "-c", RUN, str(path)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        time.sleep(delay + random.random() * 0.01)
        os.kill(run.pid, signal.SIGKILL)
        told = run.stdout.read().split("\n")[:-1]  # the last line may be torn
    finished = len(told)
    report = recover(path)
    assert report.changed
    assert finished <= report.series <= finished + 1
    assert (report.incomplete, report.missing, report.problems) == (0, 0, ())
    values = zarr.open_array(str(path / "0"), mode="r")[:]
    assert len(values) == report.series
    expected = np.arange(9 * report.series) % 60000 + 1
    np.testing.assert_array_equal(values.reshape(-1, 32 * 32), np.repeat(expected[:, None], 32 * 32, axis=1))
    yaozarrs.validate_zarr_store(path)
    left = files_of(path)
    assert not recover(path).changed
    assert files_of(path) == left
    assert is_in_order(path)


def recorded(path: Path, times: int = 4) -> Path:
    with Recorder(path, layout_of()) as recorder:
        record(recorder, series(*range(times)))
    return path


def test_a_closed_recording_is_not_touched(path: Path) -> None:
    before = files_of(recorded(path))
    report = recover(path)
    assert not report.changed
    assert (report.series, report.raw_frames, report.missing) == (4, 36, 0)
    assert files_of(path) == before


@settings(max_examples=15)
@given(cut=st.integers(1, 10_000))
def test_a_journal_cut_anywhere_keeps_what_stands_before(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = recorded(tmp_path_factory.mktemp("cut") / "a.zarr")
    journal = path / "journal.jsonl"
    content = journal.read_bytes()
    start = content.index(b"\n") + 1
    size = start + cut % (len(content) - start)
    os.truncate(journal, size)
    whole = sum(b'"entry":{"series"' in line for line in content[:size].split(b"\n")[:-1])
    torn_but_whole = content[size : size + 1] == b"\n" and b'"series"' in content[:size].split(b"\n")[-1]
    report = recover(path)
    assert report.series == min(whole + torn_but_whole, 4)
    with open_recording(path) as recording:
        assert len(recording) == 4  # the chunks are there, and are shown
        assert recording.complete.sum() == report.series
        np.testing.assert_array_equal(recording[3][2, 2], frame_at(3, 2, 2))
    assert not recover(path).changed


class Snapshots(FolderSink):
    """Copies the whole recording before and after every step of writing a chunk: all states of a crash."""

    def __init__(self, root: Path, shelf: Path) -> None:
        super().__init__(root)
        self._root_path, self._shelf = root, shelf
        self.taken: list[Path] = []

    def stage(self, chunk: str, content: memoryview) -> None:
        self._copy()
        super().stage(chunk, content)
        self._copy()

    def commit(self, chunk: str) -> None:
        self._copy()
        super().commit(chunk)
        self._copy()

    def _copy(self) -> None:
        self.taken.append(self._shelf / f"{len(self.taken)}.zarr")
        try:
            shutil.copytree(self._root_path, self.taken[-1])
        except shutil.Error:
            # A file was given its final name meanwhile: no state of the disk. Taken again, it is one.
            shutil.rmtree(self.taken[-1])
            shutil.copytree(self._root_path, self.taken[-1])


def test_a_crash_between_any_two_steps(path: Path, tmp_path: Path) -> None:
    sink = Snapshots(path, tmp_path)
    with Recorder(path, layout_of(), sink=sink) as recorder:
        for time_point in range(3):  # one by one, for two threads would take pictures at the same time
            record(recorder, series(time_point))
            while recorder.status.frames_written < 9 * (time_point + 1):
                recorder.check()
    assert len(sink.taken) == 12
    for number, crashed in enumerate(sink.taken):
        report = recover(crashed)
        chunk, step = divmod(number, 4)
        assert report.series == chunk + (step >= 2)  # from its journal line on, a series is safe
        assert (report.problems, report.missing) == ((), 0)
        assert len(report.leftovers) == (step == 1)
        assert report.adopted == (step == 2)
        assert zarr.open_array(str(crashed / "0"), mode="r").shape[0] == report.series
        assert not recover(crashed).changed


def test_lost_damaged_and_torn_chunks_are_marked(path: Path) -> None:
    recorded(path, 6)
    chunks = path / "0" / "c"
    (chunks / "1" / "0" / "0" / "0" / "0").unlink()
    damaged = chunks / "2" / "0" / "0" / "0" / "0"
    damaged.write_bytes(bytes([damaged.read_bytes()[0]]) + b"\x55" + damaged.read_bytes()[2:])
    torn = chunks / "4" / "0" / "0" / "0" / "0"
    os.truncate(torn, 50)
    with open_recording(path) as recording:
        np.testing.assert_array_equal(recording[0][0, 0], frame_at(0, 0, 0))
        for time_point in (1, 2, 4):
            with pytest.raises(DataError, match=f"time {time_point} is damaged or lost.*rdl-live recover"):
                recording.read(time_point, time_point + 1)
    assert len(verify(path).problems) == 3
    before = {name for name in files_of(path) if "/c/" in name}
    report = recover(path)
    assert (report.series, report.incomplete, report.missing, report.raw_frames) == (3, 3, 27, 27)
    assert len(report.problems) == 3
    assert {name for name in files_of(path) if "/c/" in name} == before
    with open_recording(path) as recording:
        assert recording.complete.tolist() == [True, False, False, True, False, True]
        assert not recording[2].any()
        np.testing.assert_array_equal(recording[5][0, 0], frame_at(5, 0, 0))
    node = json.loads((path / "zarr.json").read_text())["attributes"]["rdl_live"]
    assert node["incomplete_time_points"] == [1, 2, 4]
    assert not recover(path).changed


def test_a_chunk_caught_before_its_renaming_is_put_in_place(path: Path) -> None:
    recorded(path)
    chunk = path / "0" / "c" / "3" / "0" / "0" / "0" / "0"
    chunk.rename(chunk.with_name("0.part"))
    report = recover(path)
    assert (report.adopted, report.series, report.problems) == (1, 4, ())
    assert verify(path).ok


def test_a_chunk_caught_before_its_journal_line_is_left_and_told(path: Path) -> None:
    recorded(path, 3)
    part = path / "0" / "c" / "3" / "0" / "0" / "0" / "0.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half a series")
    report = recover(path)
    assert report.leftovers == ("0/c/3/0/0/0/0.part",)
    assert report.series == 3
    assert part.read_bytes() == b"half a series"


@pytest.mark.parametrize("lost", ["zarr.json", "0/zarr.json", "0", "empty"])
def test_metadata_are_rebuilt_from_the_journal(path: Path, lost: str) -> None:
    recorded(path)
    reference = json.loads((path / "0" / "zarr.json").read_text())
    if lost == "empty":  # as a power cut may leave it
        (path / "zarr.json").write_bytes(b"")
        assert recover(path).series == 4
    elif lost == "0":  # killed before anything but the journal was made
        shutil.rmtree(path / "0")
        (path / "zarr.json").unlink()
        assert recover(path).missing == 36
    else:
        (path / lost).unlink()
        assert recover(path).series == 4
    assert json.loads((path / "0" / "zarr.json").read_text()) == reference
    yaozarrs.validate_zarr_store(path)


def test_damaged_lines_do_not_hide_the_others(path: Path) -> None:
    recorded(path)
    journal = path / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"time":1', b'"time":2')
    journal.write_bytes(b"\n".join(lines))
    report = recover(path)
    assert (report.damaged_lines, report.series, report.incomplete) == (1, 3, 1)
    assert "journal line is lost" in report.problems[0]


def test_a_lost_header_is_told(path: Path) -> None:
    recorded(path)
    (path / "journal.jsonl").write_bytes(b"\x00" * 100)
    with pytest.raises(DataError, match=r"first line is damaged.*plain OME-Zarr"):
        recover(path)


RECORDS = st.builds(
    FrameRecord,
    number=st.none() | st.integers(0, 2**40),
    crc=st.none() | st.integers(0, 2**32 - 1),
    flags=st.sampled_from([FrameFlag.NONE, FrameFlag.MISSING, FrameFlag.LATE | FrameFlag.SATURATED]),
    pattern_id=st.none() | st.integers(0, 100),
    timestamp_s=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    metadata=st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())),
)


@given(frames=st.lists(RECORDS, max_size=4), time_point=st.integers(0, 10**6), where=st.integers(0, 400))
def test_a_line_comes_back_or_is_known_to_be_damaged(frames: list[FrameRecord], time_point: int, where: int) -> None:
    block = BlockRecord(ImageAddress(1, 2, 3), time_point, tuple(frames), 7, 9)
    line = encode_line({"series": block.to_json()})
    assert line.count(b"\n") == 1
    entry = decode_line(line[:-1])
    assert entry is not None
    assert BlockRecord.from_json(entry["series"]) == block
    where %= len(line) - 1
    assert decode_line(line[:where]) is None
    assert decode_line(line[:where] + bytes([line[where] ^ 1]) + line[where + 1 : -1]) is None


@pytest.mark.parametrize(
    "layout",
    [layout_of(channels=("a", "b"), provenance={"x": [1]}), SrLayout(frame=(4, 4), pixel_size_um=0.03)],
)
def test_layouts_come_back_from_the_journal(path: Path, layout: RecordingLayout | SrLayout) -> None:
    if isinstance(layout, RecordingLayout):
        Recorder(path, layout).close()
        with open_recording(path) as recording:
            assert recording.layout == layout
