"""The real recorder as the sink of a real acquisition, when its disk fails it (rows 9, 10 and 21 of the faults)."""

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from rdl_live.acquire import Acquisition, Region, recording_layout
from rdl_live.cli._acquire import _record
from rdl_live.errors import OutputError
from rdl_live.files.recorder import FolderSink, Limits, Recorder, verify
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import is_dark, plan_of

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=0, y=0, width=32, height=32)
SERIES_BYTES = 9 * 32 * 32 * 2


class FullSink(FolderSink):
    """A disk with room for four series."""

    room, refused_at = 4, 0.0

    def stage(self, chunk: str, content: memoryview) -> None:
        self.room -= 1
        if self.room < 0:
            self.refused_at = self.refused_at or time.perf_counter()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().stage(chunk, content)


class SlowSink(FolderSink):
    """A disk that takes a fifth of a second for each series."""

    def sync(self, chunk: str) -> None:
        time.sleep(0.2)
        super().sync(chunk)


def recorded(core: "UniMMCore", microscope: Microscope, sink: FolderSink, path: Path, limits: Limits) -> str:
    """Record until the recorder ends the run; return what it says."""
    run = Acquisition(core, microscope, plan_of(None, roi=SMALL), check_patterns=False)
    recorder = Recorder(path, recording_layout(run), limits=limits, sink=sink, on_warning=run.warn)
    run.record_to(recorder)
    with pytest.raises(OutputError) as caught:
        run.run()
    with pytest.raises(OutputError):
        recorder.close()
    summary = recorder.summary
    assert summary is not None
    assert summary.raw_frames + summary.lost_frames == recorder.status.frames_taken
    assert verify(path).raw_frames == summary.raw_frames
    return str(caught.value)


def test_row_9_a_full_disk(core: "UniMMCore", world: "World", microscope: Microscope, tmp_path: Path) -> None:
    sink = FullSink(tmp_path / "a.ome.zarr")
    message = recorded(core, microscope, sink, tmp_path / "a.ome.zarr", Limits())
    assert is_dark(core, world)
    assert "a.ome.zarr: writing failed (No space left on device)" in message
    assert verify(tmp_path / "a.ome.zarr").raw_frames == 36


def test_row_10_a_slow_disk(core: "UniMMCore", world: "World", microscope: Microscope, tmp_path: Path) -> None:
    limits = Limits(queue_bytes=6 * SERIES_BYTES)
    message = recorded(core, microscope, SlowSink(tmp_path / "a.ome.zarr"), tmp_path / "a.ome.zarr", limits)
    assert is_dark(core, world)
    assert "a.ome.zarr: the disk is too slow" in message
    assert verify(tmp_path / "a.ome.zarr").ok  # closing has waited until all was written


PLACES = {
    "exists": ("there.ome.zarr", "exists already; replacing it needs --overwrite"),
    "is no recording": ("thesis.ome.zarr", "is never replaced"),
    "no folder": ("nowhere/a.ome.zarr", "does not exist; make it first"),
    "too long": ("n" * 300 + ".ome.zarr", "File name too long"),
    "no name of a recording": ("a.tif", "ends in .ome.zarr"),
}


@pytest.mark.parametrize(("name", "says"), PLACES.values(), ids=PLACES)
def test_row_21_places_are_checked_before_any_light(
    core: "UniMMCore", world: "World", microscope: Microscope, tmp_path: Path, name: str, says: str
) -> None:
    run = Acquisition(core, microscope, plan_of(1, roi=SMALL), check_patterns=False)
    Recorder(tmp_path / "there.ome.zarr", recording_layout(run)).close()
    (tmp_path / "thesis.ome.zarr").write_text("four years")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(OutputError, match=says):
        _record(Console(stderr=True), run, tmp_path / name, overwrite=name == "thesis.ome.zarr")
    assert not world.exposures
    assert is_dark(core, world)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_row_21_unicode_is_a_name_like_any_other(
    core: "UniMMCore", world: "World", microscope: Microscope, tmp_path: Path
) -> None:
    run = Acquisition(core, microscope, plan_of(1, roi=SMALL), check_patterns=False)
    path = tmp_path / "Zellen µm 細胞 é.ome.zarr"
    assert _record(Console(stderr=True), run, path, overwrite=False) == 0
    assert verify(path).raw_frames == 9
    assert world.exposures
    assert is_dark(core, world)
