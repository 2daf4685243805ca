"""One worker process, seen from the program that started it.

Where the system can, workers are forked from a server process that has loaded what they need and nothing else
(Python's "forkserver"): a worker is there within 0.1 s, which is why a new one takes over so soon. Elsewhere (Windows)
each is a fresh Python ("spawn") that loads for seconds, so one is kept loaded in reserve.
"""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, SpawnContext
from types import ModuleType

from rdl_live.stream.pipeline import PipelineStatus
from rdl_live.stream.queue import Item
from rdl_live.stream.series import SeriesKey
from rdl_live.stream.shared_slots import SharedSlots
from rdl_live.stream.worker import serve, terminal_signals
from rdl_live.stream.worker_messages import Exposed, ImageSlots, Setup

FORKSERVER, SPAWN = "forkserver", "spawn"
IMAGES = 2
"""Slots for images: one is copied out while the next is made."""
AHEAD_SERIES = 2
"""So many series' worth of frames may be with a worker that it has not answered for."""
_MAIN = threading.Lock()
_reserve: "dict[str, WorkerProcess]" = {}
_reserve_lock = threading.Lock()


class WorkerProcess:
    """A process that waits for a `Setup` and then runs a pipeline."""

    def __init__(self, method: str) -> None:
        """Start it, in the background: that can take seconds."""
        context: ForkServerContext | SpawnContext = multiprocessing.get_context("spawn")
        if method == FORKSERVER:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([serve.__module__])
        self.connection, self._theirs = context.Pipe()
        # A daemon: Python ends it with the program, if nobody else does.
        self._process = context.Process(target=serve, args=(self._theirs,), name="rdl-pipeline", daemon=True)
        self._send_lock = threading.Lock()
        self._started = threading.Event()
        self._error: OSError | None = None
        self._launcher = threading.Thread(target=self._start, name="rdl-launch", daemon=True)
        self._launcher.start()

    @property
    def pid(self) -> int | None:
        """Its number; None before it is started."""
        return self._process.pid if self._started.is_set() else None

    def wait_started(self, timeout_s: float) -> bool:
        """Return whether the process exists.

        Raises:
            OSError: the system gives no process.
        """
        started = self._started.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return started

    def send(self, message: object) -> None:
        """Send a message; any thread.

        Raises:
            OSError: the process has ended.
        """
        with self._send_lock:
            self.connection.send(message)

    def end(self, patience_s: float) -> str:
        """Wait for its end, kill it if need be, and say in words how it ended."""
        if not self._started.wait(patience_s) or self._error is not None:
            return "could not be started"
        self._process.join(patience_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(1.0)
        code = self._process.exitcode
        with self._send_lock:
            self.connection.close()
        if code is None:
            return "cannot be killed: its driver hangs"
        self._process.close()
        return ending(code)

    def kill(self) -> None:
        """End it at once; `end` is still to be called."""
        if self._started.is_set() and self._error is None:
            self._process.kill()

    def _start(self) -> None:
        try:
            with _without_main(), _deaf_to_the_terminal():
                self._process.start()
        except (OSError, EOFError) as error:
            self._error = OSError(f"no process could be started ({error})")
        finally:
            self._theirs.close()
            self._started.set()


class Link:
    """What goes to and fro between a host and one worker: frames, images, counts. Guarded by the host's lock."""

    def __init__(self, worker: WorkerProcess, setup: Setup, images: SharedSlots) -> None:
        """Take a worker and the memory for images that is shared with it."""
        self.worker, self.setup, self.images = worker, setup, images
        self.layout = ImageSlots(setup.recipe.shape, setup.recipe.factor)
        self._ahead = AHEAD_SERIES * setup.recipe.scope.pattern.frames
        self._unanswered = 0
        self.ready = False
        self.status = PipelineStatus()
        self.busy_since_s = 0.0
        self._series: dict[SeriesKey, None] = {}
        self._made: set[SeriesKey] = set()

    @property
    def busy(self) -> bool:
        """Whether it has frames that it has not answered for."""
        return self._unanswered > 0

    @property
    def full(self) -> bool:
        """Whether it has as many of them as it may."""
        return self._unanswered >= self._ahead

    @property
    def series(self) -> tuple[SeriesKey, ...]:
        """The series that it got frames of and has not released."""
        return tuple(self._series)

    @property
    def lost(self) -> tuple[SeriesKey, ...]:
        """Of these, the series that have no image: they are lost if it ends now."""
        return tuple(key for key in self._series if key not in self._made)

    def made(self, key: SeriesKey) -> None:
        """Note that the image of a series has come; the series is released later."""
        self._made.add(key)

    def note(self, key: SeriesKey, now_s: float) -> None:
        """Count a frame that is to be sent."""
        if not self.busy:
            self.busy_since_s = now_s
        self._unanswered += 1
        self._series[key] = None

    def answered(self, released: tuple[SeriesKey, ...]) -> None:
        """Count a frame that it has dealt with, and forget the series that it has released."""
        self._unanswered -= 1
        for key in released:
            self._series.pop(key, None)
            self._made.discard(key)

    def put(self, item: Item) -> None:
        """Send word of a frame.

        Raises:
            OSError: the worker has ended.
        """
        self.worker.send(Exposed(item.block, item.fits, item.tag, item.arrived_s))

    def close(self) -> None:
        """Let go of the memory for images."""
        self.images.unlink()
        self.images.close()


def start_method() -> str:
    """Return the quickest way that this system has."""
    return FORKSERVER if FORKSERVER in multiprocessing.get_all_start_methods() else SPAWN


def take_worker(method: str) -> WorkerProcess:
    """Return a worker: one that is loaded, where there is one in reserve."""
    with _reserve_lock:
        worker = _reserve.pop(method, None)
    return worker or WorkerProcess(method)


def keep_reserve(method: str) -> None:
    """See that a worker is in reserve, where starting one takes long."""
    if method == FORKSERVER:
        return
    with _reserve_lock:
        if method not in _reserve:
            _reserve[method] = WorkerProcess(method)


def ending(code: int) -> str:
    """Say in words how a process ended, from its exit code."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; was the memory full?" if name == "SIGKILL" else ""
    return f"was killed ({name}{hint})"


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep a new process from loading the program's main script, which it does not need and which may do anything."""
    with _MAIN:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def _deaf_to_the_terminal() -> Iterator[None]:
    """Let a new process inherit that Ctrl-C and the terminal's end are not for it, until it says so itself."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, terminal_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
