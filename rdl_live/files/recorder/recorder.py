"""The recorder of raw series: the sink of the acquisition, which never waits for any processing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from rdl_live.files.recorder.drain import Limits
from rdl_live.files.recorder.layout import RecordingLayout
from rdl_live.files.recorder.sink import ChunkSink
from rdl_live.files.recorder.stream_recorder import StreamRecorder
from rdl_live.files.recorder.tags import FrameFlag, FrameTag, plain_metadata


class Recorder(StreamRecorder):
    """Records raw frames to OME-Zarr (t, angle, phase, y, x), a series a chunk, with a journal beside it.

    Frames of a series may come in any order; their tags alone say where they belong. What did not come is a
    hole: zeros, marked in the journal, never a shift. After kill -9 all series but the open ones are there.
    A context manager that closes at the end of the block.
    """

    def __init__(
        self,
        path: str | Path,
        layout: RecordingLayout,
        overwrite: bool = False,
        *,
        limits: Limits | None = None,
        on_warning: Callable[[str], None] | None = None,
        sink: ChunkSink | None = None,
    ) -> None:
        """Check place and space, and start an empty recording; see `StreamRecorder`.

        Raises:
            OutputError: the place cannot be written, or the recording will not fit on the disk.
        """
        super().__init__(path, layout, overwrite, limits=limits, on_warning=on_warning, sink=sink)

    def append(self, frame: npt.NDArray[Any], tag: FrameTag) -> None:
        """Take a frame (y, x) [ADU] of the layout's size and number type; it is copied.

        A tag that says MISSING marks the slot, and the pixels are not stored.

        Raises:
            OutputError: an earlier write failed, the disk is full or too slow; stop the acquisition.
            DataError: a frame that does not fit the layout, or whose place is taken; the recording goes on.
            TypeError, ValueError: metadata that JSON cannot hold.
        """
        missing = bool(tag.flags & FrameFlag.MISSING)
        self._put(_plain(tag), None if missing else frame)

    def mark_missing(self, tag: FrameTag) -> None:
        """Mark a frame that will not come, so that its series can be written.

        Raises:
            OutputError, DataError: as `append`.
        """
        self._put(_plain(tag), None)

    def amend(self, tag: FrameTag) -> None:
        """Take the flags of a frame that came before, while its series is open; they are added to those it has.

        Raises:
            OutputError: as `append`.
        """
        if not self._amend(tag):
            self._warn(f"frame at {tag}: its flags came after its series was written, and are not in the recording")


def _plain(tag: FrameTag) -> FrameTag:
    """Copy the metadata now: what cannot be stored shall fail here, not in the writer thread."""
    return replace(tag, metadata=plain_metadata(tag.metadata)) if tag.metadata else tag
