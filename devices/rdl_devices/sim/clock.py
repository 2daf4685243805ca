"""World time: the wall's, or as fast as the work gets done."""

import threading
import time


class Clock:
    """Seconds since the world began.

    In real time it follows the wall clock and `sleep_until` sleeps. Otherwise time passes only where something
    waits for it, at once. Safe to use from several threads.
    """

    def __init__(self, *, realtime: bool = False) -> None:
        self._lock = threading.Lock()
        self._realtime = realtime
        self._offset = 0.0
        self._began = time.perf_counter()

    @property
    def realtime(self) -> bool:
        """Whether waiting takes as long as in life."""
        return self._realtime

    @realtime.setter
    def realtime(self, value: bool) -> None:
        with self._lock:
            self._offset = self._now()
            self._began = time.perf_counter()
            self._realtime = value

    def now(self) -> float:
        """Return the world's time [s]."""
        with self._lock:
            return self._now()

    def sleep_until(self, moment_s: float) -> None:
        """Return when the world's time is at least `moment_s` [s]."""
        while (rest := moment_s - self.now()) > 0:
            if self._realtime:
                # Short naps, so that a change to fast time is noticed.
                time.sleep(min(rest, 0.1))
            else:
                with self._lock:
                    self._offset = max(self._offset, moment_s)

    def _now(self) -> float:
        return self._offset + (time.perf_counter() - self._began if self._realtime else 0.0)
