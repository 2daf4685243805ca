"""An exception that nobody caught, in any thread of the program, ends a run: who knows what that thread was for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watcher = Callable[[str, BaseException], None]
_watchers: list[Watcher] = []
_lock = threading.Lock()
_before: Callable[[threading.ExceptHookArgs], object] = threading.excepthook


@contextmanager
def told_of_thread_errors(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` hear of uncaught exceptions (thread's name, exception) within the block; it must return at once.

    Python's own hook, or whatever was set, is called afterwards as always.
    """
    global _before  # Python has one hook for the whole process, and so there is one here
    with _lock:
        if not _watchers:
            _before, threading.excepthook = threading.excepthook, _hook
        _watchers.append(watcher)
    try:
        yield
    finally:
        with _lock:
            _watchers.remove(watcher)
            if not _watchers and threading.excepthook is _hook:
                threading.excepthook = _before


def _hook(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        for watcher in _watchers:
            watcher(args.thread.name if args.thread is not None else "a thread", args.exc_value)
    _before(args)
