"""The worker process: runs the pipeline, away from acquisition and recording. Started by `WorkerProcess` only.

It ends when it is asked to, or when its parent is gone.
"""

import contextlib
import gc
import os
import signal
import threading
from collections import deque
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

import numpy as np
import torch

from rdl_live._heaps import keep
from rdl_live.errors import ConfigError, DataError, DeviceError, OutputError, RdlError
from rdl_live.stream.blocks import SeriesBlocks
from rdl_live.stream.failures import in_words
from rdl_live.stream.processing import Processing
from rdl_live.stream.result import Result
from rdl_live.stream.shared_slots import SharedSlots
from rdl_live.stream.upload import pin
from rdl_live.stream.worker_messages import (
    DenoiserChanged,
    Done,
    Exposed,
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

ORPHANED = 3
"""Exit code of a worker whose parent is gone."""


def terminal_signals() -> set[signal.Signals]:
    """Return the signals that a terminal sends to all of its processes: keys, and its end."""
    names = ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGHUP")
    return {getattr(signal, name) for name in names if hasattr(signal, name)}


def serve(connection: Connection) -> None:
    """Be a worker until the end; what the process runs."""
    # They reach every process of a terminal, and are the parent's to handle.
    for number in terminal_signals():
        signal.signal(number, signal.SIG_IGN)
    keep()
    threading.Thread(target=_end_with_parent, name="rdl-parent", daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent has closed its end: nobody is there to tell
        setup = connection.recv()
        if isinstance(setup, Setup):
            Worker(connection, setup).run()


class Worker:
    """One pipeline, fed through a connection. Belongs to the process's main thread, but for `_send`."""

    def __init__(self, connection: Connection, setup: Setup) -> None:
        """Attach to the shared memory."""
        self._connection, self._setup = connection, setup
        self._lock = threading.Lock()
        self._frames = SeriesBlocks.attach(setup.frames)
        self._images = SharedSlots(*setup.images[1:], name=setup.images[0])
        self._layout = ImageSlots(setup.recipe.shape, setup.recipe.factor)
        self._free = deque(range(self._images.count))
        self._waiting: deque[object] = deque()
        """What came while an image waited for its slot."""

    def run(self) -> None:
        """Build the pipeline and run it until there is no more."""
        setup = self._setup
        torch.set_num_threads(setup.recipe.threads)
        try:
            processing = Processing(
                setup.recipe,
                lambda text: self._send(Warned(text)),
                device=setup.device,
                denoise=setup.denoise,
                begin_with=setup.begin_with,
            )
        except Exception as error:  # the parent decides what is to be done
            self._send(Failed(None, portable(error)))
            return
        if (memory := self._frames.memory) is not None:
            pin(memory, torch.device(setup.device))
        pin(self._images.whole, torch.device(setup.device))
        gc.freeze()  # what is loaded stays; looking through it would stop an image for 0.06 s
        self._send(Ready())
        while not isinstance(message := self._next(processing), NoMore):
            self._handle(processing, message)
        processing.finish()
        self._send(Finished(processing.status))
        self._frames.close()
        self._images.close()

    def _next(self, processing: Processing) -> object:
        if self._waiting:
            return self._waiting.popleft()
        if processing.has_deferred and not self._connection.poll():
            self._catch_up(processing)
        return self._connection.recv()

    def _catch_up(self, processing: Processing) -> None:
        """Do what was put off until the image is out and no frame waits."""
        try:
            processing.run_deferred()
        except Exception as error:  # as in `_pushed`; the image is out, and no series is lost by it
            self._send(FailedAfter(portable(error)))

    def _handle(self, processing: Processing, message: object) -> None:
        if isinstance(message, Exposed):
            result = self._pushed(processing, message)
            if result is not None:
                self._hand_on(result, processing)
            self._send(Done(processing.status, processing.released()))
        elif isinstance(message, Fetched):
            self._free.append(message.slot)
        elif isinstance(message, UseDenoiser):
            self._send(DenoiserChanged(message.number, _refused(processing, message.name)))

    def _pushed(self, processing: Processing, message: Exposed) -> Result | None:
        tag, block = message.tag, None if message.block is None else self._frames[message.block]
        frame = None if block is None else block[tag.angle, tag.phase]
        if not message.fits:
            frame = np.zeros((0, 0), self._frames.dtype)
        try:
            return processing.push(frame, tag, message.arrived_s, block)
        except Exception as error:  # reported to the parent, who counts
            processing.reset()
            self._send(Failed(message.tag.series, portable(error)))
            return None

    def _hand_on(self, result: Result, processing: Processing) -> None:
        while not self._free:
            message = self._connection.recv()
            if isinstance(message, Fetched):
                self._free.append(message.slot)
            else:
                self._waiting.append(message)
        slot = self._free.popleft()
        try:
            bare, placed = self._layout.put(self._images, slot, result)
        except DataError as error:
            self._free.append(slot)
            self._send(Failed(result.key, error))
            return
        self._send(ImageReady(slot, bare, placed, processing.status))

    def _send(self, message: object) -> None:
        with self._lock:
            self._connection.send(message)


def portable(error: Exception) -> Exception:
    """Return an error that can be sent, and that is the same in words and, where it is the user's, in kind."""
    for kind in (ConfigError, DataError, OutputError, DeviceError, RdlError):
        if isinstance(error, kind):
            return kind(str(error))
    return RuntimeError(in_words(error))


def _refused(processing: Processing, name: str) -> Exception | None:
    try:
        processing.use_denoiser(name)
    except Exception as error:  # belongs to whoever asked
        return portable(error)
    return None


def _end_with_parent() -> None:
    """A computation that hangs must not outlive the program."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(ORPHANED)
