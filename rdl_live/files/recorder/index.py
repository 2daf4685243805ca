"""What a recording holds, frame by frame, as its journal tells."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files.recorder.journal import BlockKey, JournalContent
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.files.recorder.tags import FrameFlag, FrameRecord

UNRECORDED = "its journal line is lost"
"""Why a chunk without a journal line is unusable: pixels, but nothing known of them."""


class RecordingIndex:
    """Answers which frames there are. T is the length of an image: its last recorded time point and one."""

    def __init__(self, content: JournalContent) -> None:
        """Look up in this journal."""
        self._content, self._layout = content, content.layout
        self._times = dict.fromkeys(self._layout.images, 0)
        for image, time in [*content.blocks, *content.unusable]:
            self._times[image] = max(self._times[image], time + 1)

    def length(self, image: ImageAddress) -> int:
        """Return T."""
        return self._times[image]

    def records(self, image: ImageAddress, time: int) -> tuple[FrameRecord, ...]:
        """Return the records of a series; empty ones for what was lost or never came."""
        key = (image, time)
        block = self._content.blocks.get(key)
        if block is None or key in self._content.unusable:
            return (FrameRecord(None, None),) * self._layout.slots
        return block.frames

    def table(self, image: ImageAddress, what: str) -> npt.NDArray[Any]:
        """Return one thing for every frame of an image, (T, angle, phase) or (T,).

        Args:
            image: which.
            what: "valid" (bool), "timestamp_s" (float64, NaN: unknown), "pattern_id" and "number" (int64,
                -1: unknown) or "flags" (int64).
        """
        rows = [[_cell(r, what) for r in self.records(image, t)] for t in range(self.length(image))]
        dtype = {"valid": np.bool_, "timestamp_s": np.float64}.get(what, np.int64)
        sizes = [size for _, size in self._layout.inner]
        return np.array(rows, dtype).reshape(self.length(image), *sizes)

    def missing(self, image: ImageAddress) -> list[list[int]]:
        """Return the indices [t, angle, phase] or [t] of the frames that are not there."""
        found: list[list[int]] = np.argwhere(~self.table(image, "valid")).tolist()
        return found

    def incomplete(self, image: ImageAddress) -> list[int]:
        """Return the time points whose series lack a frame, or all of them."""
        return sorted({place[0] for place in self.missing(image)})

    def about(self, image: ImageAddress) -> dict[str, Any]:
        """Return what the image's attributes shall say when the recording is closed."""
        return {
            "closed": True,
            "time_points": self.length(image),
            "incomplete_time_points": self.incomplete(image),
            "missing_frames": self.missing(image),
        }

    def keys(self) -> Iterator[BlockKey]:
        """Yield image and time of every series, holes included."""
        for image in self._layout.images:
            for time in range(self.length(image)):
                yield image, time


def _cell(record: FrameRecord, what: str) -> float | int | bool:
    if what == "timestamp_s":
        return np.nan if record.timestamp_s is None else record.timestamp_s
    if what == "flags":
        return int(record.flags | (FrameFlag.NONE if record.valid else FrameFlag.MISSING))
    value: int | bool | None = getattr(record, what)
    return -1 if value is None else value
