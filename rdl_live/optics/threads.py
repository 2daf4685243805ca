"""How many threads a computation should take on a computer that others use, too.

Torch's threads meet after each step. Where other programs hold a core, the one that waits for it holds up all: with
twenty busy processes on two cores a reconstruction of 512 x 512 took 930 ms with two threads and 50 ms with one
(another program: 157 ms); quiet, two threads are up to twice as quick as one. So where cores are taken, one is used.
"""

import functools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

LOAD = Path("/proc/loadavg")
LOOK_EVERY_S = 0.25
_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Load:
    """What else runs, looked up now and then. Belongs to the main thread."""

    def __init__(self) -> None:
        self._looked_s = -LOOK_EVERY_S
        self._others = 0

    @property
    def others(self) -> int:
        """Threads of this computer that run or wait for a core at the moment, without the one that asks."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s, self._others = now_s, max(_running() - 1, 0)
        return self._others


_load = _Load()


def _running() -> int:
    """Return how many threads run or wait for a core; 1 where the system does not say (only Linux does)."""
    try:
        return int(LOAD.read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 1


def fitting_threads(wanted: int, cores: int, others: int) -> int:
    """Return how many threads to take: those wanted where there are cores left for them, else one.

    Args:
        wanted: what would be taken on a quiet computer.
        cores: of the computer.
        others: threads that run or wait for a core besides.
    """
    return wanted if wanted + others <= cores else 1


def shares_cores(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function compute with one thread while others hold the cores; in the main thread only.

    Torch's number of threads is one for the whole program, so a program that computes in threads of its own (a live
    run, a recording over several cores) sets it itself, and is left alone.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        wanted = torch.get_num_threads()
        if wanted == 1 or threading.current_thread() is not threading.main_thread():
            return function(*args, **kwargs)
        threads = fitting_threads(wanted, os.cpu_count() or 1, _load.others)
        if threads == wanted:
            return function(*args, **kwargs)
        torch.set_num_threads(threads)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_num_threads(wanted)

    return call
