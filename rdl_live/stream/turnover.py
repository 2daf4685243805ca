"""After a worker's end: whether another one is worth it, when it starts, and where it computes."""

from rdl_live.stream.failures import Failures
from rdl_live.stream.health import Warn

TRIES = 5
"""Workers in a row that may end without a series done, before the processing is disabled."""
ON_PROCESSOR = 2
"""After so many of them the graphics card is suspected, and the next one computes on the processor."""


class Turnover:
    """Counts workers that ended. Belongs to one thread, but for `restarts`."""

    def __init__(self, device: str, failures: Failures, warn: Warn) -> None:
        """Begin with none."""
        self._failures, self._warn = failures, warn
        self._fruitless = 0
        self.device = device
        """Where the next worker computes."""
        self.restarts = 0

    def fruitful(self) -> None:
        """A series is done."""
        self._fruitless = 0

    def replace(self, what: str, lost: int, *, last: bool) -> float | None:
        """Say what ended and what is done about it; return how long to wait before the next one starts [s].

        Args:
            what: which worker, and how it ended.
            lost: series that were with it.
            last: no more frames will come.

        Returns:
            None where there is no next one.
        """
        if self._failures.given_up:
            return None
        self._fruitless += 1
        series = f"; {lost} series lost" if lost else ""
        if last:
            self._warn(f"processing: its {what}, before its last images{series}; the recording is complete")
            return None
        if self._fruitless >= TRIES:
            self._failures.give_up(f"after {TRIES} processes in a row ended without an image (the last one {what})")
            return None
        self.restarts += 1
        where = ""
        if self._fruitless > ON_PROCESSOR and self.device != "cpu":
            self.device, where = "cpu", ", on the processor instead of the graphics card"
        self._warn(
            f"processing: its {what}{series}; it is started again{where} (restart {self.restarts}), "
            "and the recording goes on"
        )
        # At once after a run of good ones, slower where it goes on.
        return 0.25 * 2**self._fruitless if self._fruitless > 1 else 0.0
