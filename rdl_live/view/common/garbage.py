"""Python's garbage is collected in Qt's thread and between its events, never while a window is painted."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from qtpy.QtCore import QCoreApplication, QObject, QThread, QTimer, Signal

from rdl_live._garbage import collect_here_again, collect_with

LOOK_MS = 200
"""So often garbage is looked for. Python itself looks whenever some hundred objects were made."""
WAIT_S = 0.3
"""Another thread waits so long for what it asked for. Qt's thread may be waiting for that thread itself."""


class GarbageCollector(QObject):
    """Collects where it lives: in the thread that made it, when that thread's event loop comes to it."""

    _wanted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted.connect(self._collect)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)

    def ask(self) -> None:
        """Collect everything: now in Qt's own thread, from another one as soon as Qt's thread has time."""
        if QThread.currentThread() is self.thread():
            gc.collect()
            return
        done = Event()
        self._wanted.emit(done)
        done.wait(WAIT_S)

    def take_over(self) -> None:
        """Turn Python's own collection off, which runs in any thread and at any time, and do its work by a timer."""
        gc.disable()
        self._timer.start()

    def give_back(self) -> None:
        """Turn Python's own collection on again."""
        self._timer.stop()
        gc.enable()

    def look(self) -> None:
        """Collect as much as Python would by its counts and thresholds."""
        gc.disable()  # whoever loaded modules in the meantime has turned it on again
        counts = zip(gc.get_count(), gc.get_threshold(), strict=True)
        due = [generation for generation, (count, most) in enumerate(counts) if count > most]
        if due:
            gc.collect(due[-1])

    def _collect(self, done: Event) -> None:
        gc.collect()
        done.set()


@contextmanager
def collecting_between_events() -> Iterator[GarbageCollector]:
    """Collect garbage between Qt's events alone, in a process that is ours; called in Qt's thread, around its loop."""
    collector = GarbageCollector()
    collect_with(collector.ask)
    collector.take_over()
    try:
        yield collector
    finally:
        collector.give_back()
        collect_here_again(collector.ask)


def collect_in_host() -> GarbageCollector:
    """Have what we collect collected in the thread of a host that shows our widget, to the end of its application.

    Python's own collection stays as the host has it.

    Raises:
        RuntimeError: there is no application yet.
    """
    application = QCoreApplication.instance()
    if application is None:
        msg = "Qt's application must be made first"
        raise RuntimeError(msg)
    collector = application.findChild(GarbageCollector)
    if collector is None:
        collector = GarbageCollector(application)
        ask = collector.ask
        application.aboutToQuit.connect(lambda: collect_here_again(ask))
    # Anew each time: an application may run its loop, quit, and run it again.
    collect_here_again(collector.ask)
    collect_with(collector.ask)
    return collector
