"""Whether a thread computes: one that waits for a device that hangs does not."""

import threading
import time
from pathlib import Path

LEAST_S = 3e-3
"""Processor time between two looks by which a thread is held to compute; waking up now and then takes less."""
STARVED = 0.5
"""Share of the time between two looks that a thread has stood in line for a processor: it would compute if it could.
One that only wakes up now and then stands there for less, on a busy computer, too."""


class ThreadWork:
    """Watches the processor time of a thread that was started."""

    def __init__(self, thread: threading.Thread) -> None:
        """Take a first look."""
        # Not the thread's clock (pthread_getcpuclockid): asked for just after its end it crashes the process.
        self._file = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        self._before, self._looked_s = self._seconds(), time.monotonic()

    def goes_on(self) -> bool:
        """Whether it has computed since the last look, or waited for a processor to compute on.

        False where the system has no such record (Windows, macOS).
        """
        now, before = self._seconds(), self._before
        since_s, self._looked_s = time.monotonic() - self._looked_s, time.monotonic()
        self._before = now
        if now is None or before is None:
            return False
        computed, waited = now[0] - before[0], now[1] - before[1]
        return computed > LEAST_S or waited > STARVED * since_s

    def _seconds(self) -> tuple[float, float] | None:
        """Return the times it has spent on a processor and in line for one [s] (Linux: schedstat, in nanoseconds)."""
        try:
            computed, waited = self._file.read_text(encoding="ascii").split()[:2]
            return 1e-9 * int(computed), 1e-9 * int(waited)
        except (OSError, ValueError):
            return None
