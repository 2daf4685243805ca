"""From the acquisition to the pipeline: a bounded queue that drops whole series, never a frame out of one.

A frame is copied once, into the block of its series; what waits and is passed on are places in blocks.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rdl_live.files.recorder import FrameTag
from rdl_live.stream.blocks import SeriesBlocks
from rdl_live.stream.series import Frame, SeriesKey

REMEMBERED = 64
"""Series of which it is remembered that they are over."""
SPARE = 2
"""A series may bring so many times its number of frames before the rest is ignored."""
IN_HAND = 3
"""Blocks beyond those that wait: one is computed from, one is read ahead, one is filled."""


@dataclass(eq=False)
class _Begun:
    """A series that has a block."""

    block: int
    filled: npt.NDArray[np.bool_]
    offered: int = 0
    taken: bool = False
    """Whether the consumer has seen a frame of it."""
    over: bool = False
    """Whether its block may belong to another series by now."""


@dataclass(frozen=True, slots=True)
class Item:
    """A frame on its way to the pipeline."""

    tag: FrameTag
    arrived_s: float
    """When it was read from the camera, by `time.perf_counter` [s]."""
    block: int | None
    """The block that it lies in, at its angle and phase; None for a frame that is missing or does not fit."""
    fits: bool = True
    """Whether size, number type and indices are those of the run."""
    series: _Begun | None = field(default=None, repr=False)

    @property
    def stale(self) -> bool:
        """Whether its series is over already, and its block may hold another one."""
        return self.series is not None and self.series.over


@dataclass(frozen=True)
class QueueStatus:
    """What has gone through."""

    frames: int
    """Frames offered."""
    series: int
    """Series offered, dropped ones included."""
    dropped_series: int
    waiting_frames: int
    waiting_series: int
    """Series of which the consumer has seen nothing yet."""
    blocks: int
    """Series' worth of memory that it holds, in use or not."""


class SeriesQueue:
    """Frames for one consumer. `offer` never waits; where the consumer is too slow, the oldest series that it has
    not begun is dropped, all of it. The consumer says with `release` which series it is done with.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        capacity_series: int = 3,
        *,
        dtype: npt.DTypeLike = np.uint16,
        shared: bool = False,
        in_hand: int = IN_HAND,
    ) -> None:
        """Make the memory.

        Args:
            shape: (angle, phase, y, x) of a series.
            capacity_series: whole series that may wait, besides those that the consumer is at.
            dtype: of the camera's pixels.
            shared: the consumer computes in another process.
            in_hand: series that the consumer may hold; one more for each further colour that is interleaved.

        Raises:
            DeviceError: the computer has not enough shared memory.
        """
        if min(shape) < 1 or capacity_series < 1 or in_hand < 1:
            raise ValueError("a queue holds at least one series of at least one frame")
        self._slots, self._frame = shape[:2], shape[2:]
        self._per_series, self._capacity = shape[0] * shape[1], capacity_series
        self.blocks = SeriesBlocks(capacity_series + in_hand, shape, dtype, shared=shared)
        self._free = deque(range(len(self.blocks)))
        self._waiting: deque[Item] = deque()
        self._open: OrderedDict[SeriesKey, _Begun] = OrderedDict()
        self._over: OrderedDict[SeriesKey, bool] = OrderedDict()
        """Series without a block any more, and whether their further frames are ignored."""
        self._frames = self._series = self._dropped_series = 0
        self._closed = False
        self._changed = threading.Condition()

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Take a frame (y, x), or None for a missing one; it is copied. Any thread.

        Args:
            frame: what the camera gave [ADU].
            tag: where it belongs.
            arrived_s: when it was read from the camera, by `time.perf_counter` [s].
        """
        key = tag.series
        with self._changed:
            if self._closed:
                return
            self._frames += 1
            item = self._late(key, tag, arrived_s) if key in self._over else self._placed(key, frame, tag, arrived_s)
            if item is not None:
                self._waiting.append(item)
                self._changed.notify()

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Return the next frame; None after the timeout, or when nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            if item.series is not None:
                item.series.taken = True
            return item

    def frame(self, item: Item) -> Frame | None:
        """Return the frame (y, x) in its block; None if it is missing, an empty one if it does not fit."""
        if not item.fits:
            return np.zeros((0, 0), self.blocks.dtype)
        if item.block is None or item.stale:
            return None
        place: Frame = self.blocks[item.block][item.tag.angle, item.tag.phase]
        return place

    def release(self, series: Iterable[SeriesKey], *, lost: bool = False) -> None:
        """Let the blocks of series be used again: the consumer is done with them.

        Args:
            series: which; those that have no block are passed over.
            lost: nobody wants their further frames, either.
        """
        with self._changed:
            for key in series:
                self._end(key, ignore=lost)
            if lost:
                self._waiting = deque(item for item in self._waiting if not item.stale)

    def close(self) -> None:
        """Take no more; what waits can still be fetched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def discard(self) -> None:
        """Take no more, and forget what waits; its series count as dropped."""
        with self._changed:
            self._closed = True
            for key in [key for key, series in self._open.items() if not series.taken]:
                self._drop(key)
            self._waiting.clear()
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether it is closed and empty."""
        with self._changed:
            return self._closed and not self._waiting

    @property
    def status(self) -> QueueStatus:
        """What has gone through; any thread."""
        with self._changed:
            return QueueStatus(
                self._frames,
                self._series,
                self._dropped_series,
                len(self._waiting),
                sum(not series.taken for series in self._open.values()),
                len(self.blocks),
            )

    def _placed(self, key: SeriesKey, frame: Frame | None, tag: FrameTag, arrived_s: float) -> Item | None:
        """Copy a frame into its series' block; None if it is not let in."""
        series = self._open.get(key) or self._begin(key)
        if series is None:
            return None
        series.offered += 1
        if series.offered > SPARE * self._per_series:
            return None
        if frame is None:
            return Item(tag, arrived_s, None, series=series)
        place = (tag.angle, tag.phase)
        inside = place[0] < self._slots[0] and place[1] < self._slots[1]
        if not inside or frame.shape != self._frame or frame.dtype != self.blocks.dtype:
            return Item(tag, arrived_s, None, fits=False, series=series)
        if not series.filled[place]:  # a second one is passed on as a place only: the series may be computed already
            series.filled[place] = True
            np.copyto(self.blocks[series.block][place], frame)
        return Item(tag, arrived_s, series.block, series=series)

    def _late(self, key: SeriesKey, tag: FrameTag, arrived_s: float) -> Item | None:
        """Return word of the first frame that came after its series was over."""
        ignored, self._over[key] = self._over[key], True
        return None if ignored else Item(tag, arrived_s, None)

    def _begin(self, key: SeriesKey) -> _Begun | None:
        """Give a new series a block, where need be that of the oldest one that waits; None if there is none."""
        self._series += 1
        waiting = [other for other, series in self._open.items() if not series.taken]
        if waiting and (len(waiting) >= self._capacity or not self._free):
            self._drop(waiting[0])
        if not self._free:
            self._dropped_series += 1
            self._remember(key, ignore=True)
            return None
        series = _Begun(self._free.popleft(), np.zeros(self._slots, np.bool_))
        self._open[key] = series
        return series

    def _drop(self, key: SeriesKey) -> None:
        self._dropped_series += 1
        self._end(key, ignore=True)
        self._waiting = deque(item for item in self._waiting if not item.stale)

    def _end(self, key: SeriesKey, *, ignore: bool) -> None:
        series = self._open.pop(key, None)
        if series is not None:
            series.over = True
            self._free.append(series.block)
            self._remember(key, ignore=ignore)
        elif ignore:
            self._remember(key, ignore=True)

    def _remember(self, key: SeriesKey, *, ignore: bool) -> None:
        self._over[key] = ignore
        if len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
