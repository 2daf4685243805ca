"""Series after series through several threads, in order, with few of them in memory at a time.

One series hardly keeps two cores busy: its transforms are small, and reading and writing wait in between. So each core
computes a series of its own with one thread, while the caller's thread reads the next and writes the last.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.optics.quality.in_step import SeriesVerdict

AHEAD = 2
"""Series that wait, read or computed, for each that is being computed."""
MOST_WORKERS = 16

Machine = TypeVar("Machine")


@dataclass(frozen=True, eq=False)
class Computed:
    """What was made of a series."""

    index: int
    series: npt.NDArray[np.generic]
    """Raw ADU (angle, phase, y, x)."""
    sr: npt.NDArray[np.float32]
    """(s y, s x) photons per raw pixel area; s is the SR factor."""
    sigma: npt.NDArray[np.float32] | None
    """Its standard error; None where that is not known."""
    verdict: SeriesVerdict | None = None
    """Whether the series fits the patterns."""
    worth: npt.NDArray[np.float32] | None = None
    """Number of series that each pixel is worth; None without a memory."""


class Images(NamedTuple):
    """What a machine makes of a series."""

    sr: npt.NDArray[np.float32]
    """SR image (s y, s x); s is the SR factor."""
    sigma: npt.NDArray[np.float32] | None = None
    """Its standard error, where that is known."""
    verdict: SeriesVerdict | None = None
    """Whether the series fits the patterns."""
    worth: npt.NDArray[np.float32] | None = None
    """Number of series that each pixel is worth; None without a memory."""


def usual_workers(device: torch.device, series: int) -> int:
    """Return how many series are computed at a time: one for each core, one on a GPU, never more than there are."""
    cores = 1 if device.type != "cpu" else min(os.cpu_count() or 1, MOST_WORKERS)
    return max(1, min(cores, series))


class SeriesStream(Generic[Machine]):
    """Computes series in threads. A machine makes images; it belongs to one thread at a time."""

    def __init__(
        self,
        read: Callable[[int], npt.NDArray[np.generic]],
        build: Callable[[], Machine],
        compute: Callable[[Machine, npt.NDArray[np.generic]], Images],
        workers: int,
        first: Machine,
    ) -> None:
        """Prepare.

        Args:
            read: gives a series; called in the caller's thread, in order.
            build: gives another machine, in any thread.
            compute: images of a series.
            workers: series that are computed at a time; with 1, each by all threads that torch may use.
            first: a machine that there is already.
        """
        self._read, self._build, self._compute, self._workers = read, build, compute, workers
        self._idle: deque[Machine] = deque([first])

    def run(self, start: int, stop: int) -> Iterator[Computed]:
        """Compute the series from `start` to before `stop`; they come in order.

        Raises:
            Exception: whatever reading or computing raises, where its series would have come.
        """
        if self._workers == 1:
            for index in range(start, stop):
                series = self._read(index)
                yield Computed(index, series, *self._computed(series))
            return
        waiting: deque[tuple[int, npt.NDArray[np.generic], Future[Images]]] = deque()
        with _one_thread_each(), ThreadPoolExecutor(self._workers, "rdl-series", _alone) as pool:
            try:
                for index in range(start, stop):
                    if len(waiting) == self._workers + AHEAD:
                        yield _taken(waiting)
                    series = self._read(index)
                    waiting.append((index, series, pool.submit(self._computed, series)))
                while waiting:
                    yield _taken(waiting)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _computed(self, series: npt.NDArray[np.generic]) -> Images:
        try:
            machine = self._idle.pop()
        except IndexError:
            machine = self._build()
        try:
            return self._compute(machine, series)
        finally:
            self._idle.append(machine)


def _taken(waiting: "deque[tuple[int, npt.NDArray[np.generic], Future[Images]]]") -> Computed:
    index, series, future = waiting.popleft()
    return Computed(index, series, *future.result())


def _alone() -> None:
    """OpenMP counts threads for each thread that asks: set in the thread itself."""
    torch.set_num_threads(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
