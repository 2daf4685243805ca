"""Python's collection of garbage, done in one thread where windows are.

Objects that hold each other in a circle are deleted by Python's collector, in whatever thread it happens to run and in
the middle of whatever that thread does. Windows must be deleted in Qt's own thread, and not while they are painted: Qt
crashes otherwise (seen: a window that a test had left was deleted in the middle of its paint event).
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_collectors: list[Callable[[], None]] = []
_passing_over = 0
_lock = Lock()


def collect() -> None:
    """Delete what nobody holds any more: here and now, or soon in Qt's thread where there are windows."""
    if _collectors:
        _collectors[-1]()
    else:
        gc.collect()


def collect_with(collector: Callable[[], None]) -> None:
    """From now on `collect` asks this one."""
    _collectors.append(collector)


def collect_here_again(collector: Callable[[], None]) -> None:
    """Ask that one no longer."""
    if collector in _collectors:
        _collectors.remove(collector)


@contextmanager
def passing_over_what_is_there() -> Iterator[None]:
    """Leave out of collections what there is when the block begins, until the last of such blocks ends.

    Some 270 000 objects stay as long as the program. Python looked through all of them in the middle of a live run,
    which stopped every thread of it for 0.13 s: the images of several series came late.
    """
    global _passing_over
    with _lock:
        _passing_over += 1
        gc.freeze()
    try:
        yield
    finally:
        with _lock:
            _passing_over -= 1
            if not _passing_over:
                gc.unfreeze()


@contextmanager
def loading() -> Iterator[None]:
    """Load modules without looking for garbage.

    Python looks through what there is whenever some hundred objects were made, and loading torch makes a million that
    stay: a tenth of the time that a microscopist waits for the first image.
    """
    if not gc.isenabled():  # somebody loads already, or wants none
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
