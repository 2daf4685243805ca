"""From the acquisition to the pipeline: a bounded queue that drops whole series, never a frame out of one."""

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

import numpy as np

from rdl_live.files.recorder import FrameTag
from rdl_live.stream.series import Frame, SeriesKey

REMEMBERED = 64
"""Series of which it is remembered whether they were begun or dropped."""
SPARE = 2
"""A series may bring so many times its number of frames before the rest is ignored."""


@dataclass(slots=True)
class Item:
    """A frame on its way; give it back to the queue when it has been used."""

    frame: Frame | None
    """None stands for a frame that is missing."""
    tag: FrameTag
    arrived_s: float
    """When it was offered, by `time.perf_counter` [s]."""


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
    buffers: int
    """Frames' worth of memory that it holds, in use or not."""


class SeriesQueue:
    """Frames for one consumer. `offer` never waits; where the consumer is too slow, the oldest series that it has
    not begun is dropped, all of it. Frames are copied into buffers that are used again.
    """

    def __init__(self, frames_per_series: int, capacity_series: int = 3) -> None:
        """Let so many whole series wait, besides the one that the consumer is at."""
        if frames_per_series < 1 or capacity_series < 1:
            raise ValueError("a queue holds at least one series of at least one frame")
        self._per_series, self._capacity = frames_per_series, capacity_series
        self._waiting: deque[Item] = deque()
        self._counts: OrderedDict[SeriesKey, int] = OrderedDict()
        """Frames that were let in, of the series that the consumer has not begun; oldest first."""
        self._begun: OrderedDict[SeriesKey, int] = OrderedDict()
        self._dropped: OrderedDict[SeriesKey, int] = OrderedDict()
        self._spare: list[Frame] = []
        self._frames = self._series = self._dropped_series = self._made = 0
        self._closed = False
        self._changed = threading.Condition()

    def offer(self, frame: Frame | None, tag: FrameTag) -> None:
        """Take a frame (y, x), or None for a missing one; it is copied. Any thread."""
        arrived_s = time.perf_counter()
        key = SeriesKey.of(tag)
        with self._changed:
            if self._closed:
                return
            self._frames += 1
            if not self._let_in(key):
                return
            self._waiting.append(Item(None if frame is None else self._copy(frame), tag, arrived_s))
            self._changed.notify()

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Return the next frame; None after the timeout, or when nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            key = SeriesKey.of(item.tag)
            if key in self._counts:
                _remember(self._begun, key, self._counts.pop(key))
            return item

    def give_back(self, item: Item) -> None:
        """Let the buffer of a frame be used again."""
        with self._changed:
            self._put_away(item)

    def close(self) -> None:
        """Take no more; what waits can still be fetched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def discard(self) -> None:
        """Take no more, and forget what waits; its series count as dropped."""
        with self._changed:
            self._closed = True
            while self._counts:
                self._drop(next(iter(self._counts)))
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
                self._frames, self._series, self._dropped_series, len(self._waiting), len(self._counts), self._made
            )

    def _let_in(self, key: SeriesKey) -> bool:
        """Count a frame of a series, and say whether it may come in; make room for a new series."""
        if key in self._dropped:
            return False
        for known in (self._begun, self._counts):
            if key in known:
                known[key] += 1
                return known[key] <= SPARE * self._per_series
        if len(self._counts) >= self._capacity:
            self._drop(next(iter(self._counts)))
        self._series += 1
        self._counts[key] = 1
        return True

    def _drop(self, key: SeriesKey) -> None:
        del self._counts[key]
        _remember(self._dropped, key, 0)
        self._dropped_series += 1
        kept = [item for item in self._waiting if SeriesKey.of(item.tag) != key]
        for item in self._waiting:
            if SeriesKey.of(item.tag) == key:
                self._put_away(item)
        self._waiting = deque(kept)

    def _copy(self, frame: Frame) -> Frame:
        while self._spare:
            buffer = self._spare.pop()
            if buffer.shape == frame.shape and buffer.dtype == frame.dtype:
                np.copyto(buffer, frame)
                return buffer
            self._made -= 1  # of another camera setting: let it go
        self._made += 1
        return frame.copy()

    def _put_away(self, item: Item) -> None:
        if item.frame is not None:
            self._spare.append(item.frame)
            item.frame = None


def _remember(memory: "OrderedDict[SeriesKey, int]", key: SeriesKey, value: int) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
