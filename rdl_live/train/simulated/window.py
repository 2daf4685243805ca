"""The scenes that batches are drawn from: a window that moves on, filled by processes in the background.

Which scenes and exposures make up a batch depends on the seed and the step alone, never on how quick the processes are;
so an interrupted training goes on exactly where it stopped.
"""

import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from rdl_live.train.simulated.settings import TrainSettings
from rdl_live.train.simulated.task import AnyScene, source_of

_AHEAD = 8
"""Scenes that each process may be ahead."""
_BATCH_SEED = 0xBA7C4


class SceneWindow:
    """`batch(step)` for growing steps. A context manager."""

    def __init__(self, settings: TrainSettings, *, rank: int = 0, world: int = 1) -> None:
        """Prepare; nothing is simulated before the first batch is asked for.

        Args:
            settings: of the training; `batch` is that of one process.
            rank: which of the processes that train together this one is.
            world: how many there are. Together they get the batches that one process gets of `world` times the size.
        """
        self._settings, self._rank, self._world = settings, rank, world
        self._task = source_of(settings.architecture)
        self._scenes: dict[int, AnyScene] = {}
        self._pending: dict[int, Future[AnyScene]] = {}
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Start the processes."""
        if self._settings.workers:
            self._pool = ProcessPoolExecutor(
                self._settings.workers, mp_context=get_context("spawn"), initializer=_alone
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def batch(self, step: int, most: int | None = None) -> Any:
        """Return the batch of a step, 0, 1, 2, ..., or the first so many series of it; waits for its scenes."""
        settings = self._settings
        whole = settings.batch * self._world
        oldest = step * whole // settings.reuse
        # The window opens slowly, so that the first steps need not wait for all of it.
        width = max(whole, min(settings.window, whole + 2 * oldest))
        self._order(oldest, oldest + width)
        rng = np.random.default_rng([settings.seed, _BATCH_SEED, step])
        numbers = oldest + rng.permutation(width)[:whole]
        # One number for each scene, whoever computes it and however many exposures it has.
        choices = rng.random(whole)
        own = slice(self._rank * settings.batch, (self._rank + 1) * settings.batch)
        picks = []
        for number, choice in zip(numbers[own][:most], choices[own][:most], strict=True):
            scene = self._scene(int(number))
            picks.append((scene, int(choice * len(scene.photons))))
        # Specimens know no up and no left, so that a scene serves four times; one draw for all who compute.
        upside_down, left_right = (bool(one) for one in rng.integers(2, size=2))
        return self._task.make_batch(picks).mirrored(upside_down=upside_down, left_right=left_right)

    def _order(self, first: int, last: int) -> None:
        """Forget what lies before the window and have what is coming made."""
        for number in [number for number in self._scenes if number < first]:
            del self._scenes[number]
        if self._pool is None:
            return
        settings = self._settings
        for number in range(first, last + _AHEAD * settings.workers):
            if number not in self._scenes and number not in self._pending:
                self._pending[number] = self._pool.submit(self._task.make_scene, settings.seed, number, settings.scenes)

    def _scene(self, number: int) -> AnyScene:
        if number not in self._scenes:
            future = self._pending.pop(number, None)
            settings = self._settings
            made = self._task.make_scene(settings.seed, number, settings.scenes) if future is None else future.result()
            self._scenes[number] = made
        return self._scenes[number]


def _alone() -> None:
    """One thread for each process, since several would get in each other's way; Ctrl-C is for the trainer.

    Whatever ends the trainer, no process stays behind waiting for orders.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_trainer, daemon=True).start()


def _end_with_the_trainer() -> None:
    trainer = parent_process()
    if trainer is not None:
        trainer.join()
        os._exit(1)
