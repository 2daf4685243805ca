"""What a live run reports while it runs: rates, delays, light."""

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from rdl_live.files.recorder import FrameFlag, FrameTag
from rdl_live.stream import Frame, Result

RECENT_S = 3.0
"""Rates of a status line are over so many seconds."""
KEPT = 100_000
"""Delays kept for the percentiles."""


@dataclass(frozen=True)
class Latency:
    """Delay from the last raw frame of a series until its image is ready [ms]."""

    p50: float
    p95: float


class ResultStats:
    """Gathers results; fed by one thread, asked by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delays_s: deque[float] = deque(maxlen=KEPT)
        self._ready_s: deque[float] = deque(maxlen=1000)
        self._first_s = 0.0
        self._photons = 0.0
        self.images = 0
        self.latest: Result | None = None

    def __call__(self, result: Result) -> None:
        """Count a result."""
        with self._lock:
            self._first_s = self._first_s or result.ready_s
            self.images += 1
            self._photons += result.quality.photons_per_pixel
            self._delays_s.append(result.latency_s)
            self._ready_s.append(result.ready_s)
            self.latest = result

    @property
    def latency(self) -> Latency | None:
        """Percentiles over the run (its last 100 000 images); None before the first."""
        with self._lock:
            if not self._delays_s:
                return None
            p50, p95 = np.percentile(np.array(self._delays_s) * 1e3, [50, 95])
        return Latency(float(p50), float(p95))

    @property
    def photons_per_pixel(self) -> float | None:
        """Mean over all images."""
        with self._lock:
            return self._photons / self.images if self.images else None

    @property
    def fps(self) -> float:
        """Images a second, from the first to the last."""
        with self._lock:
            return _rate(self.images, self._first_s, self._ready_s[-1]) if self._ready_s else 0.0

    def recent_fps(self, now_s: float) -> float:
        """Images a second of late; `now_s` by `time.perf_counter`."""
        with self._lock:
            recent = [ready for ready in self._ready_s if now_s - ready < RECENT_S]
        return len(recent) / RECENT_S if recent else 0.0


class FrameRate:
    """Raw frames a second of late; a `FrameListener`, asked by others."""

    def __init__(self) -> None:
        self._arrived_s: deque[float] = deque(maxlen=3000)
        self.first_s = math.nan
        self.last_s = math.nan
        self.frames = 0

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Count one frame that arrived then, by `time.perf_counter` [s], or that is missing."""
        if frame is None and not tag.flags & FrameFlag.MISSING:
            return  # a verdict on a frame that was counted
        self.first_s = self.first_s if self.frames else arrived_s
        self.last_s = arrived_s
        self.frames += 1
        self._arrived_s.append(arrived_s)

    @property
    def mean(self) -> float:
        """Frames a second over the whole run."""
        return _rate(self.frames, self.first_s, self.last_s)

    def recent(self, now_s: float) -> float:
        """Frames a second of late."""
        return sum(now_s - at < RECENT_S for at in list(self._arrived_s)) / RECENT_S


def _rate(count: int, first_s: float, last_s: float) -> float:
    return (count - 1) / (last_s - first_s) if count > 1 and last_s > first_s else 0.0
