"""What the hosts of a pipeline have in common: failures counted and reported once, results handed on one by one."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdl_live.errors import RdlError
from rdl_live.stream.health import Warn
from rdl_live.stream.result import Result
from rdl_live.stream.series import SeriesKey

_LOG = logging.getLogger(__name__)

ENOUGH = 20
"""Series in a row that may fail before the processing is disabled."""

OnResult = Callable[[Result], None]


@dataclass(frozen=True)
class HostStatus:
    """How the processing fares."""

    failures: int
    """Series in which something raised."""
    failed: bool
    """Whether it was disabled."""
    error: Exception | None
    """The first that was raised."""
    restarts: int = 0
    """How often its process was started anew."""
    lost_series: int = 0
    """Series that were with a process that ended before their image."""


class Failures:
    """Counts series that failed, and says when it is enough. Belongs to one thread."""

    def __init__(self, warn: Warn) -> None:
        """Tell the user each kind of failure once."""
        self._warn = warn
        self._told: set[str] = set()
        self._in_a_row = 0
        self.count = 0
        self.first: Exception | None = None
        self.given_up = False

    def add(self, error: Exception, key: SeriesKey | None) -> None:
        """Count a failure of a series, or (without one) of what is done after an image."""
        self.count += 1
        self._in_a_row += 1
        if self.first is None:
            self.first = error
        words = in_words(error)
        kind = "".join(character for character in words if not character.isdigit())
        if kind not in self._told:
            self._told.add(kind)
            where = f"at {key}" if key else "after an image"
            if not isinstance(error, RdlError):
                _LOG.error("processing failed %s", where, exc_info=error)
            self._warn(f"processing failed {where}: {words}; the recording goes on")
        if self._in_a_row >= ENOUGH:
            self.give_up(f"after {ENOUGH} failures in a row")

    def succeed(self) -> None:
        """There was an image."""
        self._in_a_row = 0

    def give_up(self, why: str) -> None:
        """Try no more."""
        if not self.given_up:
            self.given_up = True
            self._warn(f"processing is disabled {why}; the recording goes on")


class Receivers:
    """Those who want results. One that raises is reported once and called no more."""

    def __init__(self, receivers: Sequence[OnResult], warn: Warn) -> None:
        """Take them, in the order in which they are called."""
        self._receivers, self._warn = list(receivers), warn

    def hand_out(self, result: Result) -> None:
        """Call each of them."""
        for receiver in list(self._receivers):
            try:
                receiver(result)
            except Exception as error:  # one receiver's trouble is not the others'
                self._receivers.remove(receiver)
                if not isinstance(error, RdlError):
                    _LOG.error("a receiver of images failed", exc_info=error)
                self._warn(f"images can no longer be delivered: {in_words(error)}; the raw recording goes on")


def in_words(error: Exception) -> str:
    """Return an error as a sentence; the user's own errors are sentences already."""
    return str(error) if isinstance(error, RdlError) else f"{type(error).__name__}: {error}"
