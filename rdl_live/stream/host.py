"""Who runs the pipeline: a thread here, or a process of its own (`ProcessHost`), by one contract.

Whatever the pipeline raises stays in the host: it is reported once, and the next series is tried. The acquisition never
hears of it.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from rdl_live.files.recorder import FrameTag
from rdl_live.stream.denoiser_requests import DenoiserRequests
from rdl_live.stream.failures import Failures, HostStatus, OnResult, Receivers
from rdl_live.stream.health import Warn
from rdl_live.stream.pipeline import PipelineStatus
from rdl_live.stream.queue import Item, SeriesQueue
from rdl_live.stream.result import Result
from rdl_live.stream.series import Frame, SeriesKey

_LOG = logging.getLogger(__name__)


class Processor(Protocol):
    """What a host runs: a `Pipeline`, or a `Processing` around one. Belongs to the host's thread."""

    @property
    def status(self) -> PipelineStatus:
        """What has gone through."""

    def push(
        self, frame: Frame | None, tag: FrameTag, arrived_s: float | None = None, block: Frame | None = None
    ) -> Result | None:
        """Take a frame, which lies in a block of its series; return an image if it gives one."""

    def released(self) -> tuple[SeriesKey, ...]:
        """Return the series whose blocks are not needed any more."""

    def use_denoiser(self, name: str) -> None:
        """Exchange the denoiser; the old one stays where this raises."""

    def reset(self) -> None:
        """Forget open series, after something went wrong."""

    @property
    def has_deferred(self) -> bool:
        """Whether something was put off until an image is out."""

    def run_deferred(self) -> None:
        """Do it."""

    def finish(self) -> None:
        """No more frames will come."""


class Host(Protocol):
    """Runs a pipeline from a queue to those who want its results, away from the acquisition."""

    @property
    def status(self) -> HostStatus:
        """How the processing fares; any thread."""

    @property
    def pipeline_status(self) -> PipelineStatus:
        """What has gone through the pipeline; any thread."""

    def start(self) -> None:
        """Start; returns at once."""

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until frames can be processed; return whether they can."""

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Close the queue, finish what waits in it, and return whether all of it was.

        Args:
            timeout_s: it is left when it makes no progress for so long [s]; a slow computer gets its time.
        """

    def use_denoiser(self, name: str) -> "Future[None]":
        """Exchange the denoiser between two images; returns at once, any thread.

        Args:
            name: "none", the name of shipped weights, or a weight file.

        Returns:
            what is done when the new one is in use, or raises why it is not; the old one stays then.
        """


class ThreadHost:
    """See `Host`. A thread of this process."""

    def __init__(
        self, pipeline: Processor, queue: SeriesQueue, receivers: Sequence[OnResult], warn: Warn = _LOG.warning
    ) -> None:
        """Prepare.

        Args:
            pipeline: from now on belongs to the thread.
            queue: where its frames come from.
            receivers: called with each result, in the thread; one that raises is reported once and called no more.
            warn: gets sentences for the user.
        """
        self._pipeline, self._queue = pipeline, queue
        self._receivers = Receivers(receivers, warn)
        self._failures = Failures(warn)
        self._denoisers = DenoiserRequests()
        # A daemon, so that a program that forgets to stop it can end.
        self._thread = threading.Thread(target=self._run, name="rdl-pipeline", daemon=True)

    @property
    def status(self) -> HostStatus:
        """How the processing fares; any thread."""
        failures = self._failures
        return HostStatus(failures.count, failures.given_up, failures.first)

    @property
    def pipeline_status(self) -> PipelineStatus:
        """What has gone through the pipeline; any thread."""
        return self._pipeline.status

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Return at once: the pipeline is there."""
        del timeout_s
        return True

    def stop(self, timeout_s: float = 10.0) -> bool:
        """See `Host`. A queue holds few series, so that this ends."""
        self._queue.close()
        if self._thread.ident is None:
            self._pipeline.finish()
            self._queue.blocks.close()
            return True
        series, since_s = self._pipeline.status.series, time.monotonic()
        while self._thread.is_alive() and time.monotonic() < since_s + timeout_s:
            self._thread.join(min(timeout_s, 0.1))
            if (now := self._pipeline.status.series) != series:
                series, since_s = now, time.monotonic()
        finished = not self._thread.is_alive()
        if not finished:
            self._queue.discard()
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._queue.blocks.close()
        return finished

    def use_denoiser(self, name: str) -> "Future[None]":
        """See `Host`."""
        return self._denoisers.add(name)

    def _run(self) -> None:
        while not self._queue.finished:
            self._exchange_denoisers()
            deferred = self._pipeline.has_deferred
            item = self._queue.take(0.0 if deferred else 0.2)
            if item is None:
                if deferred:
                    self._catch_up()
                continue
            result = self._pushed(item)
            if result is not None:
                self._receivers.hand_out(result)
        self._denoisers.end()
        self._pipeline.finish()

    def _pushed(self, item: Item) -> Result | None:
        """Feed the pipeline; a series that failed, or all once it was disabled, passes by."""
        key = item.tag.series
        if self._failures.given_up:
            self._queue.release((key,), lost=True)
            return None
        block = None if item.block is None else self._queue.blocks[item.block]
        try:
            result = self._pipeline.push(self._queue.frame(item), item.tag, item.arrived_s, block)
        except Exception as error:  # the pipeline's errors must not reach the acquisition
            self._failures.add(error, key)
            self._pipeline.reset()
            self._queue.release((key,), lost=True)
            return None
        finally:
            self._queue.release(self._pipeline.released())
        if result is not None:
            self._failures.succeed()
        return result

    def _catch_up(self) -> None:
        try:
            self._pipeline.run_deferred()
        except Exception as error:  # likewise
            self._failures.add(error, None)

    def _exchange_denoisers(self) -> None:
        while (request := self._denoisers.take()) is not None:
            try:
                self._pipeline.use_denoiser(request.name)
            except Exception as error:  # it belongs to whoever asked
                request.answer(error)
            else:
                request.answer(None)
