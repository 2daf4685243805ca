"""Who runs the pipeline: a thread here; a process of its own would have the same three methods.

Whatever the pipeline raises stays here: it is told once, and the next series is tried. The acquisition never hears
of it.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from rdl_live.errors import RdlError
from rdl_live.stream.health import Tell
from rdl_live.stream.pipeline import Pipeline
from rdl_live.stream.queue import Item, SeriesQueue
from rdl_live.stream.result import Result
from rdl_live.stream.series import SeriesKey

_LOG = logging.getLogger(__name__)

ENOUGH = 20
"""Series in a row that may fail before the processing is given up."""

OnResult = Callable[[Result], None]


def background() -> Executor:
    """Return an executor of one thread, for estimations.

    Of the same priority as the live path: an estimation is short, and a nicer thread was made to wait for seconds on
    a busy computer, holding Python's lock whenever it got its turn.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="rdl-background")


@dataclass(frozen=True)
class HostStatus:
    """How the processing fares."""

    failures: int
    """Series in which something raised."""
    failed: bool
    """Whether it was given up."""
    error: Exception | None
    """The first that was raised."""


class ThreadHost:
    """Runs a pipeline in a thread, from a queue to those who want its results."""

    def __init__(
        self, pipeline: Pipeline, queue: SeriesQueue, receivers: Sequence[OnResult], tell: Tell = _LOG.warning
    ) -> None:
        """Prepare.

        Args:
            pipeline: from now on belongs to the thread.
            queue: where its frames come from.
            receivers: called with each result, in the thread; one that raises is told once and called no more.
            tell: gets sentences for the user.
        """
        self._pipeline, self._queue, self._tell = pipeline, queue, tell
        self._receivers = list(receivers)
        self._failures = self._in_a_row = 0
        self._failed_at: SeriesKey | None = None
        self._error: Exception | None = None
        self._failed = False
        # A daemon, so that a program that forgets to stop it can end.
        self._thread = threading.Thread(target=self._run, name="rdl-pipeline", daemon=True)

    @property
    def status(self) -> HostStatus:
        """How the processing fares; any thread."""
        return HostStatus(self._failures, self._failed, self._error)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Close the queue, let the thread finish what waits in it, and return whether it has ended in time."""
        self._queue.close()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._queue.discard()
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._queue.finished:
            item = self._queue.take(0.2)
            if item is None:
                continue
            result = self._pushed(item)
            self._queue.give_back(item)
            if result is not None:
                self._hand_out(result)
        self._pipeline.finish()

    def _pushed(self, item: Item) -> Result | None:
        """Feed the pipeline; a series that failed, or all once it was given up, passes by."""
        key = SeriesKey.of(item.tag)
        if self._failed or key == self._failed_at:
            return None
        try:
            result = self._pipeline.push(item.frame, item.tag, item.arrived_s)
        except Exception as error:  # the pipeline's errors must not reach the acquisition
            self._fail(error, key)
            return None
        if result is not None:
            self._in_a_row = 0
        return result

    def _fail(self, error: Exception, key: SeriesKey) -> None:
        self._failures += 1
        self._in_a_row += 1
        self._failed_at = key
        if self._error is None:
            self._error = error
            if not isinstance(error, RdlError):
                _LOG.error("processing failed at %s", key, exc_info=error)
            self._tell(f"processing failed at {key}: {_words(error)}; the recording goes on")
        self._pipeline.reset()
        if self._in_a_row >= ENOUGH:
            self._failed = True
            self._tell(f"processing is given up after {ENOUGH} failures in a row; the recording goes on")

    def _hand_out(self, result: Result) -> None:
        for receiver in list(self._receivers):
            try:
                receiver(result)
            except Exception as error:  # one receiver's trouble is not the others'
                self._receivers.remove(receiver)
                if not isinstance(error, RdlError):
                    _LOG.error("a receiver of images failed", exc_info=error)
                self._tell(f"images are handed on no more: {_words(error)}; the raw recording goes on")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, RdlError) else f"{type(error).__name__}: {error}"
