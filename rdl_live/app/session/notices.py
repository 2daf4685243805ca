"""What the user should know, in the order in which it came; any thread may add."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from rdl_live.view.live.session import Notice, Severity

KEPT = 500
AGAIN_S = 1.0
"""The same text again within this time is not repeated."""


class Notices:
    """The last notices of a session."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal may come in the middle of `add`
        self._all: deque[Notice] = deque(maxlen=KEPT)
        self._count = 0
        self._last_s = 0.0

    def add(self, severity: Severity, text: str, details: str = "") -> None:
        """Add one."""
        now_s = time.monotonic()
        with self._lock:
            again = self._all and self._all[-1].text == text and now_s - self._last_s < AGAIN_S
            self._last_s = now_s
            if again:
                return
            self._count += 1
            self._all.append(Notice(self._count, severity, text, details))

    def warn(self, text: str) -> None:
        """Add a warning."""
        self.add(Severity.WARNING, text)

    def after(self, number: int) -> Sequence[Notice]:
        """Return those with a higher number."""
        with self._lock:
            if number >= self._count:
                return ()
            return tuple(one for one in self._all if one.number > number)
