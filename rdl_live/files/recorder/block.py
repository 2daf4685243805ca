"""A series in the making, and how it is written."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from rdl_live.errors import DataError
from rdl_live.files.recorder.codec import Block, encode_block, frame_crc
from rdl_live.files.recorder.journal import BlockRecord, Journal
from rdl_live.files.recorder.layout import ImageAddress, StreamLayout
from rdl_live.files.recorder.sink import ChunkSink
from rdl_live.files.recorder.tags import FrameFlag, FrameRecord, FrameTag
from rdl_live.files.recorder.zarr_tree import write_shape


class OpenBlock:
    """One time point of one image: slots that are filled by index, in any order."""

    def __init__(self, layout: StreamLayout, image: ImageAddress, time_point: int, memory: Block | None = None) -> None:
        """Start with all slots empty.

        Args:
            layout: what is recorded.
            image: address of the image.
            time_point: index of the series.
            memory: array to be filled, of the layout's block; whatever it holds.
        """
        self.image, self.time = image, time_point
        self.values: Block = np.empty(layout.block_shape, layout.dtype) if memory is None else memory
        self._inner = tuple(size for _, size in layout.inner)
        self._tags: list[FrameTag | None] = [None] * layout.slots
        self._numbers: list[int | None] = [None] * layout.slots

    @property
    def frames(self) -> int:
        """Frames that came."""
        return sum(number is not None for number in self._numbers)

    @property
    def full(self) -> bool:
        """Whether every slot has a frame, or is marked missing."""
        return None not in self._tags

    def put(self, tag: FrameTag, frame: Block | None, number: int) -> None:
        """Fill a slot; `frame` None marks it missing. The frame is copied.

        Raises:
            DataError: the slot is filled already, or marked.
        """
        indices, slot = self._place(tag)
        if self._tags[slot] is not None:
            raise DataError(f"frame at {tag}: came twice; the first one is kept. Check the plan's indices")
        if frame is not None:
            self.values[indices] = frame
            self._numbers[slot] = number
        self._tags[slot] = tag

    def amend(self, tag: FrameTag) -> bool:
        """Add flags to those of a frame that came; return whether it did."""
        slot = self._place(tag)[1]
        before = self._tags[slot]
        if before is None:
            return False
        self._tags[slot] = replace(before, flags=before.flags | tag.flags)
        return True

    def blank(self) -> None:
        """Put zeros where no frame came."""
        frames = self.values.reshape(-1, *self.values.shape[-2:])
        for slot, number in enumerate(self._numbers):
            if number is None:
                frames[slot] = 0

    def _place(self, tag: FrameTag) -> tuple[tuple[int, ...], int]:
        """Return the indices of a frame within its series, and the slot that it has."""
        indices = (tag.angle, tag.phase)[: len(self._inner)]
        return indices, int(np.ravel_multi_index(indices, self._inner)) if indices else 0

    def records(self) -> tuple[FrameRecord, ...]:
        """Return what the journal shall keep, checksums computed."""
        frames = self.values.reshape(-1, *self.values.shape[-2:])
        return tuple(map(_record, self._tags, self._numbers, frames))


def _record(tag: FrameTag | None, number: int | None, frame: Block) -> FrameRecord:
    if tag is None:
        return FrameRecord(None, None)
    if number is None:
        flags = tag.flags | FrameFlag.MISSING
        return FrameRecord(None, None, flags, tag.pattern_id, tag.timestamp_s, tag.metadata)
    return FrameRecord(number, frame_crc(frame), tag.flags, tag.pattern_id, tag.timestamp_s, tag.metadata)


@dataclass
class Written:
    """What has reached the disk so far."""

    series: int = 0
    frames: int = 0
    stored_bytes: int = 0


@dataclass(frozen=True)
class Saved:
    """A block that the system has: its chunk lies beside its place, its journal line is written."""

    image: ImageAddress
    time: int
    frames: int
    chunk: str
    stored: int
    """Bytes of the chunk; 0 where no frame came, and there is none."""


class BlockWriter:
    """Writes blocks in two steps: saved, so that no crash of the program can harm them; then settled on the disk.

    Saved: the chunk is written beside its place, then its journal line. Settled: chunks and journal are synced, then
    the chunks are put in their places and the shape is written. So a chunk in its place always has its journal line
    on the disk, and a crash of program or computer between any two steps leaves nothing that recovery cannot put
    right. A disk waits for its platters in the second step, and never keeps the first one waiting.
    `save` belongs to one thread, `settle` to another.
    """

    def __init__(self, root: Path, layout: StreamLayout, journal: Journal, sink: ChunkSink) -> None:
        """Write below `root`."""
        self._root, self._layout, self._journal, self._sink = root, layout, journal, sink
        self._lengths = dict.fromkeys(layout.images, 0)
        self.written = Written()

    def save(self, block: OpenBlock) -> Saved:
        """Give a block to the system.

        Raises:
            OSError: the disk refuses; the block is lost, and nothing says otherwise.
        """
        frames = block.frames
        block.blank()
        content = encode_block(self._layout, block.values) if frames else memoryview(b"")
        chunk = self._layout.chunk(block.image, block.time)
        record = BlockRecord(block.image, block.time, block.records(), content.nbytes, zlib.crc32(content))
        if frames:
            self._sink.stage(chunk, content)
        try:
            self._journal.write({"series": record.to_json()})
        except OSError:
            self._sink.discard(chunk)
            raise
        return Saved(block.image, block.time, frames, chunk, content.nbytes)

    def settle(self, batch: Sequence[Saved]) -> None:
        """Return when the disk has saved blocks, all of one batch at the cost of one journal sync.

        Raises:
            OSError: the disk refuses; the first of several errors, after all else was tried. `written` says what
                is safe.
        """
        errors: list[OSError] = []
        safe = [saved for saved in batch if _tried(errors, partial(self._sync, saved))]
        if _tried(errors, self._journal.sync):
            safe = [saved for saved in safe if _tried(errors, partial(self._commit, saved))]
            for image in {saved.image for saved in safe}:
                times = max(saved.time for saved in safe if saved.image == image) + 1
                _tried(errors, partial(self._grow, image, times))
        if errors:
            raise errors[0]

    def _sync(self, saved: Saved) -> None:
        if saved.stored:
            self._sink.sync(saved.chunk)

    def _commit(self, saved: Saved) -> None:
        if saved.stored:
            self._sink.commit(saved.chunk)
        self.written.series += 1
        self.written.frames += saved.frames
        self.written.stored_bytes += saved.stored

    def _grow(self, image: ImageAddress, times: int) -> None:
        if times > self._lengths[image]:
            write_shape(self._root, self._layout, image, times, durable=False)
            self._lengths[image] = times


def _tried(errors: list[OSError], step: Callable[[], None]) -> bool:
    """Do a step; return whether it went well, and keep its error."""
    try:
        step()
    except OSError as error:
        errors.append(error)
        return False
    return True
