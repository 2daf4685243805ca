"""Small recordings whose every frame is different and known."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdl_live.files.recorder import FolderSink, FrameTag, Recorder, RecordingLayout, verify

FRAME = (8, 6)
Frames = np.ndarray[Any, np.dtype[np.uint16]]


def layout_of(**changes: Any) -> RecordingLayout:
    """A 3 x 3 layout of 8 x 6 pixels."""
    return RecordingLayout(**{"frame": FRAME, "pixel_size_um": 0.065, **changes})


def frame_at(time: int, angle: int, phase: int, channel: int = 0, z: int = 0, position: int = 0) -> Frames:
    """A frame that tells where it belongs: never zero, different at every index."""
    seed = [time, angle, phase, channel, z, position]
    return np.random.default_rng(seed).integers(1, 60000, FRAME).astype(np.uint16)


def tag_at(time: int, angle: int, phase: int, **more: Any) -> FrameTag:
    """A tag with a pattern id and a time stamp that follow from the indices."""
    return FrameTag(time, angle, phase, pattern_id=3 * angle + phase, timestamp_s=time + 0.01 * angle, **more)


def record(recorder: Recorder, places: Iterable[tuple[int, int, int]]) -> None:
    """Append frames in the order of `places` (t, angle, phase)."""
    for place in places:
        recorder.append(frame_at(*place), tag_at(*place))


def series(*times: int) -> list[tuple[int, int, int]]:
    """All places of whole series, phase fastest."""
    return [(t, a, p) for t in times for a in range(3) for p in range(3)]


class SlowSink(FolderSink):
    """A disk that takes its time with every chunk: `pause` is called in the writer thread."""

    def __init__(self, root: Path, pause: Callable[[], object]) -> None:
        super().__init__(root)
        self._pause = pause

    def stage(self, chunk: str, content: memoryview) -> None:
        self._pause()
        super().stage(chunk, content)


def is_in_order(path: Path) -> bool:
    """Whether `verify` finds no fault; of a recording that ended before its first frame it must say just that."""
    report = verify(path)
    return report.intact and report.ok == (report.raw_frames > 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a recording goes."""
    return tmp_path / "cells.ome.zarr"
