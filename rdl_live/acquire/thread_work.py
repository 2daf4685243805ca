"""Whether a thread computes: one that waits for a device that hangs does not."""

import threading
from pathlib import Path

LEAST_S = 3e-3
"""Processor time between two looks by which a thread is held to compute; waking up now and then takes less."""


class ThreadWork:
    """Watches the processor time of a thread that was started."""

    def __init__(self, thread: threading.Thread) -> None:
        """Take a first look."""
        # Not the thread's clock (pthread_getcpuclockid): asked for just after its end it crashes the process.
        self._file = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        self._before = self._seconds()

    def goes_on(self) -> bool:
        """Whether it has computed since the last look; False where the system does not tell (Windows, macOS)."""
        now, before = self._seconds(), self._before
        self._before = now
        return now is not None and before is not None and now - before > LEAST_S

    def _seconds(self) -> float | None:
        """Return the time it has spent on a processor [s] (proc(5), schedstat: its first number, nanoseconds)."""
        try:
            return 1e-9 * int(self._file.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return None
