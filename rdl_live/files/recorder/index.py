"""What a recording holds, frame by frame, as its journal says."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files.recorder.journal import BlockRecord, JournalContent
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.files.recorder.tags import FrameFlag, FrameRecord

UNRECORDED = "its journal line is lost"
"""Why a chunk without a journal line is unusable: pixels, but nothing known of them."""
MAX_LISTED = 10**5
"""Missing frames that the attributes list one by one; of more, the time points alone are listed."""
_UNKNOWN: dict[str, tuple[Any, Any]] = {
    "valid": (False, np.bool_),
    "timestamp_s": (np.nan, np.float64),
    "pattern_id": (-1, np.int64),
    "number": (-1, np.int64),
    "flags": (int(FrameFlag.MISSING), np.int64),
}
"""What stands in a table where nothing was recorded, and the table's number type."""


class RecordingIndex:
    """Answers which frames there are. T is the length of an image: its last recorded time point and one."""

    def __init__(self, content: JournalContent) -> None:
        """Look up in this journal."""
        self._layout = content.layout
        self._times = dict.fromkeys(self._layout.images, 0)
        self._usable: dict[ImageAddress, dict[int, BlockRecord]] = {image: {} for image in self._layout.images}
        for image, time in [*content.blocks, *content.unusable]:
            self._times[image] = max(self._times[image], time + 1)
        for key, block in content.blocks.items():
            if key not in content.unusable:
                self._usable[block.image][block.time] = block
        self._valid = cache(lambda image: self.table(image, "valid").reshape(-1, self._layout.slots))

    def length(self, image: ImageAddress) -> int:
        """Return T."""
        return self._times[image]

    def records(self, image: ImageAddress, time: int) -> tuple[FrameRecord, ...]:
        """Return the records of a series; empty ones for what was lost or never came."""
        block = self._usable[image].get(time)
        return (FrameRecord(None, None),) * self._layout.slots if block is None else block.frames

    def table(self, image: ImageAddress, what: str) -> npt.NDArray[Any]:
        """Return one thing for every frame of an image, (T, angle, phase) or (T,).

        Args:
            image: which.
            what: "valid" (bool), "timestamp_s" (float64, NaN: unknown), "pattern_id" and "number" (int64,
                -1: unknown) or "flags" (int64).
        """
        unknown, dtype = _UNKNOWN[what]
        table = np.full((self.length(image), self._layout.slots), unknown, dtype)
        for time, block in self._usable[image].items():
            table[time] = [_cell(record, what, unknown) for record in block.frames]
        return table.reshape(self.length(image), *(size for _, size in self._layout.inner))

    def missing(self, image: ImageAddress) -> int:
        """Return the number of frames that are not there."""
        return int(np.count_nonzero(~self._valid(image)))

    def incomplete(self, image: ImageAddress) -> list[int]:
        """Return the time points whose series lack a frame, or all of them."""
        times: list[int] = np.flatnonzero(~self._valid(image).all(axis=1)).tolist()
        return times

    def about(self, image: ImageAddress) -> dict[str, Any]:
        """Return what the image's attributes shall say when the recording is closed."""
        told = {
            "closed": True,
            "time_points": self.length(image),
            "incomplete_time_points": self.incomplete(image),
            "missing_frames": None,
        }
        if self.missing(image) <= MAX_LISTED:
            told["missing_frames"] = np.argwhere(~self.table(image, "valid")).tolist()
        return told


def _cell(record: FrameRecord, what: str, unknown: Any) -> Any:
    if what == "flags":
        return int(record.flags | (FrameFlag.NONE if record.valid else FrameFlag.MISSING))
    value = getattr(record, what)
    return unknown if value is None else value
