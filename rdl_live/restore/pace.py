"""Whether a live computation has time for more than it must do: series come whether it is ready or not."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BUSY = 0.75
"""Share of the time between two series that their computation may take."""
SERIES = 5
"""So many series one after the other must have taken more before anything is left out."""
REST_S = 30.0
"""How long it is left out before it is tried again."""


class Pace:
    """Of one thread that computes series."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; there is time for all.

        Args:
            clock: gives the time [s].
        """
        self._clock = clock
        self._began_s: float | None = None
        self._took_s, self._late, self._until_s = 0.0, 0, 0.0

    @contextmanager
    def series(self) -> Iterator[bool]:
        """Compute a series within this block; its value is whether there is time for more than the image needs."""
        now_s = self._clock()
        resting = now_s < self._until_s
        if self._began_s is not None and not resting:
            late = self._took_s > BUSY * (now_s - self._began_s)
            self._late = self._late + 1 if late else 0
            if self._late >= SERIES:
                self._late, self._until_s, resting = 0, now_s + REST_S, True
        self._began_s = now_s
        try:
            yield not resting
        finally:
            self._took_s = self._clock() - now_s
