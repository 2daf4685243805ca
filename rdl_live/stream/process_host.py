"""`ProcessHost`: the pipeline in a process of its own, so that no crash, hang or hunger for memory of network or
graphics driver can reach acquisition and recording.

    SeriesQueue, in shared memory -> thread "rdl-feed" -> worker -> shared memory -> thread "rdl-results" -> receivers

A worker that ends or does not answer is replaced: the user is warned, the latest patterns are handed on, and images go
on. The series that was with it is lost, and counted.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from rdl_live.errors import DeviceError, RdlError
from rdl_live.optics.pattern import PatternSet
from rdl_live.stream.denoiser_requests import DenoiserRequests
from rdl_live.stream.failures import Failures, HostStatus, OnResult, Receivers
from rdl_live.stream.health import Warn
from rdl_live.stream.pipeline import PipelineStatus
from rdl_live.stream.queue import Item, SeriesQueue
from rdl_live.stream.recipe import PipelineRecipe
from rdl_live.stream.result import Result
from rdl_live.stream.series import SeriesKey
from rdl_live.stream.shared_slots import SharedSlots
from rdl_live.stream.turnover import Turnover
from rdl_live.stream.worker_messages import (
    DenoiserChanged,
    Done,
    Failed,
    FailedAfter,
    Fetched,
    Finished,
    ImageReady,
    ImageSlots,
    NoMore,
    Ready,
    Setup,
    UseDenoiser,
    Warned,
)
from rdl_live.stream.worker_process import IMAGES, Link, keep_reserve, start_method, take_worker

_LOG = logging.getLogger(__name__)

HANG_S = 20.0
"""A worker that does not answer for a frame in this time hangs; images of 2048 x 2048 with a network take seconds."""
START_S = 90.0
"""Likewise for the start of one: a busy computer with a slow disk loads for long."""
ENDS_S = 5.0
"""Within this a worker that was killed has ended."""
POLL_S = 0.05


class ProcessHost:
    """See `Host`."""

    def __init__(
        self,
        recipe: PipelineRecipe,
        queue: SeriesQueue,
        receivers: Sequence[OnResult],
        warn: Warn = _LOG.warning,
        *,
        hang_s: float = HANG_S,
        method: str | None = None,
    ) -> None:
        """Prepare; `start` starts the process.

        Args:
            recipe: what the worker builds its pipeline from.
            queue: where frames come from, in shared memory; it is let go of at the end of `stop`.
            receivers: called with each result, in a thread of the host; one that raises is reported and called no more.
            warn: gets sentences for the user.
            hang_s: time in which a worker must answer for a frame [s].
            method: how processes are started; by default the quickest way of this system.
        """
        self._recipe, self._queue, self._warn = recipe, queue, warn
        self._hang_s, self._method = hang_s, method or start_method()
        self._receivers, self._failures = Receivers(receivers, warn), Failures(warn)
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._no_more = self._abandoned = self._ended = False
        self._was_ready = threading.Event()
        self._before = PipelineStatus()
        self._lost, self._denoise = 0, recipe.denoise
        self._progress = 0
        """Messages of workers."""
        self._turnover = Turnover(recipe.device, self._failures, warn)
        self._patterns: list[PatternSet | None] = [None] * len(recipe.channels)
        self._denoisers = DenoiserRequests()
        # Daemons, so that a program that forgets to stop them can end.
        self._feeder = threading.Thread(target=self._feed, name="rdl-feed", daemon=True)
        self._listener = threading.Thread(target=self._supervise, name="rdl-results", daemon=True)

    # What others ask ------------------------------------------------------------------------------------

    @property
    def status(self) -> HostStatus:
        """How the processing fares; any thread."""
        failures = self._failures
        return HostStatus(failures.count, failures.given_up, failures.first, self._turnover.restarts, self._lost)

    @property
    def pipeline_status(self) -> PipelineStatus:
        """What has gone through the pipelines of all workers; any thread."""
        with self._changed:
            return self._before if self._link is None else self._before + self._link.status

    @property
    def worker_pid(self) -> int | None:
        """The worker's process, once its pipeline is built; None while there is none."""
        with self._changed:
            return self._link.worker.pid if self._link is not None and self._link.ready else None

    def start(self) -> None:
        """Start the worker and the threads that serve it; returns at once."""
        self._listener.start()
        self._feeder.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait for the first worker; return whether there is one."""
        self._was_ready.wait(timeout_s)
        return self.worker_pid is not None

    def stop(self, timeout_s: float = 10.0) -> bool:
        """See `Host`. A worker that starts has the time of a start; one that hangs is ended as ever."""
        self._queue.close()
        if self._listener.ident is None:
            self._queue.blocks.close()
            return True
        finished = self._finishes(timeout_s)
        if not finished:
            self._queue.discard()
            with self._changed:
                self._abandoned = True
                self._changed.notify_all()
        self._listener.join(timeout_s)
        self._feeder.join(timeout_s)
        self._queue.blocks.close()
        return finished

    def _finishes(self, timeout_s: float) -> bool:
        """Wait as long as there is progress; return whether the listener has ended."""
        progress, since_s = self._progress, time.monotonic()
        while self._listener.is_alive():
            with self._changed:
                ready = self._link is not None and self._link.ready
            starts = not ready and not self._queue.finished
            # One that hangs is ended by the listener, which takes a moment besides.
            patience_s = max(timeout_s, START_S if starts else self._hang_s + ENDS_S)
            if time.monotonic() > since_s + patience_s:
                return False
            self._listener.join(POLL_S)
            if self._progress != progress:
                progress, since_s = self._progress, time.monotonic()
        return True

    def use_denoiser(self, name: str) -> "Future[None]":
        """See `Host`."""
        return self._denoisers.add(name)

    # From the queue to the worker -----------------------------------------------------------------------

    def _feed(self) -> None:
        while not self._queue.finished:
            item = self._queue.take(0.2)
            if item is not None:
                self._pass_on(item)
        with self._changed:
            self._no_more = True
            link = self._link
            self._changed.notify_all()
        if link is not None and link.ready:
            self._send(link, NoMore())

    def _pass_on(self, item: Item) -> None:
        """Hand a frame to the worker; waits for one that may have more."""
        key = item.tag.series
        with self._changed:
            while (link := self._link) is None or not link.ready or link.full:
                if self._useless or item.stale:
                    break
                self._changed.wait(0.5)
            if self._useless or link is None:
                self._lost += self._useless and item.series is not None and not item.stale
                self._queue.release((key,), lost=True)
                return
            if item.stale:  # it began with a worker that is gone
                return
            link.note(key, time.perf_counter())
        try:
            link.put(item)
        except OSError:
            _LOG.debug("a frame of %s went to a worker that has ended", key)

    @property
    def _useless(self) -> bool:
        """Whether no frame will be computed any more."""
        return self._abandoned or self._ended or self._failures.given_up

    def _send(self, link: Link, message: object) -> None:
        try:
            link.worker.send(message)
        except OSError:
            _LOG.debug("%s went to a worker that has ended", type(message).__name__)

    # From the worker to the receivers -------------------------------------------------------------------

    def _supervise(self) -> None:
        """Keep a worker at work until there is no more to do."""
        try:
            while not self._over():
                self._employ()
        except Exception as error:  # a defect: the acquisition goes on without images
            self._failures.add(error, None)
            self._failures.give_up("because of a defect")
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._was_ready.set()
            self._denoisers.end()

    def _over(self) -> bool:
        """Whether no other worker is needed."""
        with self._changed:
            return self._abandoned or self._failures.given_up or self._no_more

    def _employ(self) -> None:
        """Run one worker from its start to its end."""
        try:
            link = self._hired()
        except (RdlError, OSError) as error:
            self._failures.give_up(f"because it cannot be started: {error}")
            return
        fault = self._listen(link)
        if fault is not None:
            link.worker.kill()
        ended = link.worker.end(2.0)
        finished = fault == ""
        with self._changed:
            self._link = None
            self._before += link.status
            lost = 0 if finished else len(link.lost)
            self._lost += lost
            self._queue.release(link.series, lost=True)
            self._changed.notify_all()
        link.close()
        self._denoisers.refuse_sent()
        if not finished and not self._abandoned:
            pause_s = self._turnover.replace(f"process {fault or ended}", lost, last=self._no_more)
            if pause_s:
                with self._changed:
                    self._changed.wait_for(lambda: self._abandoned, pause_s)

    def _hired(self) -> Link:
        """Return a worker that has been set up.

        Raises:
            DeviceError: not enough shared memory, or the process does not start.
            OSError: the system gives no process.
        """
        recipe = self._recipe
        images = SharedSlots(IMAGES, ImageSlots(recipe.shape, recipe.factor).nbytes)
        setup = Setup(
            recipe,
            self._turnover.device,
            self._denoise,
            tuple(self._patterns),
            self._queue.blocks.key,
            (images.name, images.count, images.nbytes),
        )
        worker = take_worker(self._method)
        link = Link(worker, setup, images)
        try:
            if not worker.wait_started(START_S):
                raise DeviceError(f"a process for it did not start within {START_S:g} s; restart the computer")
            worker.send(setup)
        except BaseException:
            link.close()
            raise
        with self._changed:
            self._link = link
        return link

    def _listen(self, link: Link) -> str | None:
        """Do what the worker says until it ends; return "" for an orderly end, what is wrong, or None."""
        connection, heard_s = link.worker.connection, time.perf_counter()
        while not self._abandoned:
            while link.ready and (request := self._denoisers.send()) is not None:
                self._send(link, UseDenoiser(*request))
            try:
                if connection.poll(POLL_S):
                    message = connection.recv()
                    self._progress += 1
                    if isinstance(message, Finished):
                        self._note(link, message.status)
                        return ""
                    self._handle(link, message)
                    heard_s = time.perf_counter()
                    continue
            except (EOFError, OSError):
                return None
            if self._failures.given_up:
                return "is not needed any more"
            silent_s = time.perf_counter() - max(heard_s, link.busy_since_s)
            patience_s = self._hang_s if link.ready else START_S
            if (link.busy or not link.ready) and silent_s > patience_s:
                return f"did not answer for {patience_s:g} s"
        return "was disabled"

    def _handle(self, link: Link, message: object) -> None:
        match message:
            case Done(status, released):
                self._note(link, status)
                self._answered(link, released)
            case ImageReady():
                self._take(link, message)
            case Warned(text):
                self._warn(text)
            case Failed(key, error):
                self._fail(key, error)
            case FailedAfter(error):
                self._failures.add(error, None)
            case DenoiserChanged(number, error):
                name = self._denoisers.answer(number, error)
                self._denoise = self._denoise if error is not None else name
            case Ready():
                self._welcome(link)

    def _welcome(self, link: Link) -> None:
        # From here on the memory lives as long as one of the two holds it, and no longer.
        link.images.unlink()
        with self._changed:
            link.ready = True
            over = self._no_more
            self._changed.notify_all()
        self._was_ready.set()
        keep_reserve(self._method)
        if over:
            self._send(link, NoMore())

    def _note(self, link: Link, status: PipelineStatus) -> None:
        with self._changed:
            if status.series > link.status.series:
                self._turnover.fruitful()
            link.status = status

    def _answered(self, link: Link, released: tuple[SeriesKey, ...]) -> None:
        with self._changed:
            link.answered(released)
            self._changed.notify_all()
        self._queue.release(released)

    def _take(self, link: Link, made: ImageReady) -> None:
        result = link.layout.take(link.images, made.slot, made.result, made.images, time.perf_counter())
        self._send(link, Fetched(made.slot))
        self._note(link, made.status)
        with self._changed:
            link.made(result.key)  # a worker that ends before it releases the series has lost no image
        self._failures.succeed()
        self._receivers.hand_out(self._with_known(result))

    def _with_known(self, result: Result) -> Result:
        """Give patterns that are the same as before as the same object, as in one process, and keep them."""
        known = self._patterns[result.key.channel]
        if known is not None and known == result.patterns:
            return replace(result, patterns=known)
        self._patterns[result.key.channel] = result.patterns
        return result

    def _fail(self, key: SeriesKey | None, error: Exception) -> None:
        if key is None:
            self._failures.give_up(f"because it cannot be set up: {error}")
            self._was_ready.set()
            return
        self._queue.release((key,), lost=True)
        self._failures.add(error, key)
