"""From the engine to the processing: a bounded queue that drops whole series, never a frame out of one."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from rdl_live.files.recorder import FrameTag

Frame = npt.NDArray[Any]
SeriesKey = tuple[int, int, int, int]


@dataclass(frozen=True)
class HandoverStatus:
    """What has gone through."""

    frames: int
    waiting: int
    """Frames that wait to be fetched."""
    series: int
    """Series that were let in."""
    dropped_series: int


class FrameQueue:
    """Frames for one consumer; `offer` never waits. A missing frame comes as None with its tag."""

    def __init__(self, capacity_frames: int) -> None:
        """Hold at most so many frames; a series that begins while the queue is half full or more is dropped.

        Half, because a series that is let in must fit in to its end.
        """
        self._capacity = capacity_frames
        self._waiting: deque[tuple[Frame | None, FrameTag]] = deque()
        self._changed = threading.Condition()
        self._current: SeriesKey | None = None
        self._let_in = False
        self._frames = self._series = self._dropped = 0
        self._closed = False

    def offer(self, frame: Frame | None, tag: FrameTag) -> None:
        """Take a frame, or let the whole series pass by."""
        key = (tag.time, tag.position, tag.z, tag.channel)
        with self._changed:
            if key != self._current:
                self._current = key
                self._let_in = len(self._waiting) <= self._capacity // 2 and not self._closed
                self._series += self._let_in
                self._dropped += not self._let_in
            elif self._let_in and len(self._waiting) >= self._capacity:
                # Only a capacity below two series comes here: what has been let in is taken back.
                self._waiting = deque(pair for pair in self._waiting if _key(pair[1]) != key)
                self._let_in = False
                self._series -= 1
                self._dropped += 1
            if self._let_in:
                self._waiting.append((frame, tag))
                self._frames += 1
                self._changed.notify()

    def get(self, timeout_s: float | None = None) -> tuple[Frame | None, FrameTag] | None:
        """Return the next frame, or None after the timeout, or when the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Take no more; what waits can still be fetched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        with self._changed:
            return self._closed and not self._waiting

    @property
    def status(self) -> HandoverStatus:
        """What has gone through; may be asked from any thread."""
        with self._changed:
            return HandoverStatus(self._frames, len(self._waiting), self._series, self._dropped)


def _key(tag: FrameTag) -> SeriesKey:
    return (tag.time, tag.position, tag.z, tag.channel)
