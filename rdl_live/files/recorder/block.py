"""A series in the making, and how it is written."""

import time
import zlib
from dataclasses import dataclass
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

    def __init__(self, layout: StreamLayout, image: ImageAddress, time_point: int) -> None:
        """Start with all slots empty."""
        self.image, self.time = image, time_point
        self.values: Block = np.zeros(layout.block_shape, layout.dtype)
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
        indices = (tag.angle, tag.phase)[: len(self._inner)]
        slot = int(np.ravel_multi_index(indices, self._inner)) if indices else 0
        if self._tags[slot] is not None:
            raise DataError(f"frame at {tag}: came twice; the first one is kept. Check the plan's indices")
        if frame is not None:
            self.values[indices] = frame
            self._numbers[slot] = number
        self._tags[slot] = tag

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
    busy_s: float = 0.0
    """Time that the writer thread worked [s]."""


class BlockWriter:
    """Writes blocks: chunk beside its place, journal line, chunk into its place, shape.

    In this order a chunk in its place always has its journal line, and a crash between any two steps loses
    nothing that recovery cannot put right. Lives in the writer thread.
    """

    def __init__(self, root: Path, layout: StreamLayout, journal: Journal, sink: ChunkSink) -> None:
        """Write below `root`."""
        self._root, self._layout, self._journal, self._sink = root, layout, journal, sink
        self._lengths = dict.fromkeys(layout.images, 0)
        self.written = Written()

    def write(self, block: OpenBlock) -> None:
        """Write one block, and return when the disk has it.

        Raises:
            OSError: the disk refuses; `written` tells whether the block is lost.
        """
        start = time.perf_counter()
        frames = block.frames
        content = encode_block(self._layout, block.values) if frames else memoryview(b"")
        chunk = self._layout.chunk(block.image, block.time)
        record = BlockRecord(block.image, block.time, block.records(), content.nbytes, zlib.crc32(content))
        if frames:
            self._sink.stage(chunk, content)
        try:
            self._journal.append({"series": record.to_json()})
        except OSError:
            self._sink.discard(chunk)
            raise
        if frames:
            self._sink.commit(chunk)
        done = self.written
        done.series += 1
        done.frames += frames
        done.stored_bytes += content.nbytes
        done.busy_s += time.perf_counter() - start
        self._grow(block.image, block.time + 1)  # after counting: the block is safe even if this fails

    def _grow(self, image: ImageAddress, times: int) -> None:
        if times > self._lengths[image]:
            write_shape(self._root, self._layout, image, times, durable=False)
            self._lengths[image] = times
