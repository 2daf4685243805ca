"""Reading a recording, with what the journal knows of every frame; also while it is being made."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import FrameSource, RawFile
from rdl_live.files.raw_recording import RawRecording
from rdl_live.files.recorder.codec import Block
from rdl_live.files.recorder.index import UNRECORDED, RecordingIndex
from rdl_live.files.recorder.journal import JournalContent, read_journal
from rdl_live.files.recorder.layout import ImageAddress, StreamLayout
from rdl_live.files.recorder.readback import describe, load_block, load_unrecorded
from rdl_live.files.recorder.tags import FrameRecord
from rdl_live.files.stack import Axis, Stack


class Recording(RawRecording):
    """One image of a recording: `RawRecording`, and the tags of its frames.

    A recording of super-resolved images has one angle and one phase. Missing frames read as zeros.
    """

    def __init__(self, path: Path, content: JournalContent, image: ImageAddress) -> None:
        """Wrap an image of a recording whose journal has been read."""
        self.layout: StreamLayout = content.layout
        self.image = image
        self._remarks = content.remarks
        self._index = RecordingIndex(content)
        source = _JournaledFrames(path, content, image)
        times, slots = self._index.length(image), self.layout.slots
        sizes = [size for _, size in self.layout.inner] or [1, 1]
        numbers = np.arange(times * slots, dtype=np.int64).reshape(times, *sizes)
        stack = Stack((Axis.TIME, Axis.ANGLE, Axis.PHASE), numbers)
        colour = self.layout.channels[image.channel]
        labels = (ChannelLabel(colour.name, colour.excitation_nm, colour.emission_nm),)
        super().__init__(path, RawFile(source, stack, self.layout.pixel_size_um, labels), numbers, self._notes(content))

    @property
    def source(self) -> FrameSource:
        """The frames of the image, numbered along time, angle and phase."""
        return self._source

    @property
    def kind(self) -> str:
        """ "raw", or "sr" for super-resolved images."""
        return self.layout.kind

    @property
    def corner(self) -> tuple[int, int] | None:
        """(y, x) of a frame's first pixel on the camera's chip; None for binned frames, and where it was not noted."""
        return corner_of(self.layout)

    @property
    def provenance(self) -> dict[str, Any]:
        """How the recording was made, and what was remarked during it."""
        return {**self.layout.provenance, **self._remarks}

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Which frames (T, A, P) are there."""
        return self._table("valid")

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Which series (T,) lack no frame, and may be reconstructed."""
        return np.asarray(self.valid.all(axis=(1, 2)), np.bool_)

    @property
    def timestamps_s(self) -> npt.NDArray[np.float64]:
        """Time stamps (T, A, P) [s]; NaN where unknown."""
        return self._table("timestamp_s")

    @property
    def pattern_ids(self) -> npt.NDArray[np.int64]:
        """Numbers of the displayed patterns (T, A, P); -1 where unknown."""
        return self._table("pattern_id")

    @property
    def flags(self) -> npt.NDArray[np.int64]:
        """`FrameFlag`s (T, A, P)."""
        return self._table("flags")

    def records(self, time: int) -> tuple[FrameRecord, ...]:
        """Return all that is known of the frames of a series, phase fastest."""
        return self._index.records(self.image, time)

    def _table(self, what: str) -> npt.NDArray[Any]:
        return self._index.table(self.image, what).reshape(self._frames.shape)

    def _notes(self, content: JournalContent) -> list[str]:
        notes = [
            f"{describe(self.layout, key)}: {why}; it reads as zeros"
            for key, why in sorted(content.unusable.items())
            if key[0] == self.image and why != UNRECORDED
        ]
        if not content.ended:
            notes.append("was not closed (still running, or crashed: then rdl-live recover brings it in order)")
        if missing := self._index.missing(self.image):
            notes.append(f"{missing} frame(s) are missing and read as zeros")
        return notes


def corner_of(layout: StreamLayout) -> tuple[int, int] | None:
    """Return the (y, x) of a frame's first pixel on the camera's chip, if a recording's layout says so."""
    noted = layout.provenance.get("corner_px")
    if not isinstance(noted, list | tuple) or len(noted) != 2:
        return None
    y, x = noted
    return (y, x) if type(y) is int and type(x) is int and min(y, x) >= 0 else None


def open_recording(path: str | Path, *, channel: int = 0, position: int = 0, z: int = 0) -> Recording:
    """Open one image of a recording made by `Recorder` or `SrRecorder`; every series is checked when read.

    Works while it is being recorded, for what has been written so far, and after a crash.

    Raises:
        DataError: no recording, or no such image in it.
    """
    path = Path(path)
    content = read_journal(path)
    image = ImageAddress(position, channel, z)
    if image not in content.layout.images:
        layout = content.layout
        raise DataError(
            f"{path}: has no position {position}, channel {channel}, z {z}; it has {layout.positions} "
            f"position(s), {len(layout.channels)} channel(s) and {layout.z_planes} plane(s), counted from 0"
        )
    return Recording(path, content, image)


class _JournaledFrames:
    """Frames of one image, numbered along time, angle and phase."""

    def __init__(self, path: Path, content: JournalContent, image: ImageAddress) -> None:
        self._path, self._content, self._image = path, content, image
        self._layout = content.layout

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return self._layout.frame

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames."""
        return np.dtype(self._layout.dtype)

    def read(self, frames: npt.NDArray[np.int64], out: npt.NDArray[Any]) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        times, slots = np.divmod(frames, self._layout.slots)
        for time in np.unique(times).tolist():
            wanted = times == time
            block = self._block(time)
            if block is None:
                out[wanted] = 0
            else:
                out[wanted] = block.reshape(-1, *self.shape)[slots[wanted]]

    def close(self) -> None:
        """Nothing is held open between reads."""

    def _block(self, time: int) -> Block | None:
        key = (self._image, time)
        record, why = self._content.blocks.get(key), self._content.unusable.get(key)
        file = self._path / self._layout.chunk(self._image, time)
        try:
            if why == UNRECORDED:
                return load_unrecorded(file, self._layout)
            if why is not None or record is None or not record.stored:
                return None
            return load_block(file, self._layout, record)
        except (OSError, DataError) as error:
            raise DataError(
                f"{file}: time {time} is damaged or lost ({error}); copy the recording again, or mark what is "
                f"lost and keep the rest with: rdl-live recover {self._path}"
            ) from error
