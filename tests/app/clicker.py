"""A seeded random user of the window: `python -m tests.app.clicker [SECONDS] [SEED]`, on any screen.

Clicks, drags, types and turns whatever is there, for a given time; counts exceptions, and looks for leaks.
"""

import gc
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

os.environ.setdefault("RDL_LIVE_CONFIG_DIR", tempfile.mkdtemp())

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QMessageBox,
    QSlider,
    QWidget,
)

from rdl_live.app.session.session import LiveSession
from rdl_live.app.windows.live import DemoWishes, demo_session, qt_application
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import Activity, Severity
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.panes.canvas import ImageCanvas
from rdl_live.view.panes.histogram_strip import HistogramStrip

LEFT = Qt.MouseButton.LeftButton
KEYS = (Qt.Key.Key_L, Qt.Key.Key_K, Qt.Key.Key_R, Qt.Key.Key_T, Qt.Key.Key_D, Qt.Key.Key_Z, Qt.Key.Key_0, Qt.Key.Key_1)
NEVER = {"Quit", "Details …"}
"""Ends the program, and opens one window more each time."""


@dataclass
class Outcome:
    """What came of it."""

    did: Counter[str] = field(default_factory=Counter)
    exceptions: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    """Notices of what the session did not expect."""
    memory_mb: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    widgets: list[int] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    """What the session told, and how often."""
    lit: bool = True
    ended: bool = False


class Clicker:
    """A random user."""

    def __init__(self, seed: int, folder: Path, *, size: int = 128) -> None:
        self.dice = random.Random(seed)
        self.outcome = Outcome()
        self.application = qt_application()
        memory = Memory(f"clicker-{seed}")
        self.session: LiveSession = demo_session(DemoWishes(size=size), memory)
        self.widget = SimWidget(self.session, memory, folder)
        self.window = MainWindow(self.widget, "clicker")
        self.window.asks = False
        self.window.showNormal()
        self.window.resize(1366, 768)
        self.session.start()

    def run(self, seconds: float) -> Outcome:
        """Use the window for so long, then close it."""
        before = sys.excepthook, threading.excepthook
        sys.excepthook = self._raised
        threading.excepthook = lambda args: self._raised(args.exc_type, args.exc_value, args.exc_traceback)
        dialogs = QFileDialog.getSaveFileName, QFileDialog.getOpenFileName, QFileDialog.getExistingDirectory
        # Windows of the system that nobody answers; our own are clicked like everything else.
        QFileDialog.getSaveFileName = lambda *_, **__: ("", "")  # type: ignore[method-assign]
        QFileDialog.getOpenFileName = lambda *_, **__: ("", "")  # type: ignore[method-assign]
        QFileDialog.getExistingDirectory = lambda *_, **__: ""  # type: ignore[method-assign]
        QMessageBox.exec = lambda *_: QMessageBox.StandardButton.Cancel  # type: ignore[method-assign]
        QMessageBox.question = lambda *_, **__: QMessageBox.StandardButton.No  # type: ignore[method-assign]
        QMessageBox.warning = lambda *_, **__: QMessageBox.StandardButton.Ok  # type: ignore[method-assign]
        try:
            self._use(seconds)
            self._end()
        finally:
            sys.excepthook, threading.excepthook = before
            QFileDialog.getSaveFileName, QFileDialog.getOpenFileName, QFileDialog.getExistingDirectory = dialogs
        return self.outcome

    def _use(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        next_look = time.monotonic()
        while time.monotonic() < deadline:
            if time.monotonic() >= next_look:
                self._look()
                next_look += max(seconds / 40, 1.0)
            name, act = self.dice.choice(self._acts())
            self.outcome.did[name] += 1
            act()
            self._wait(self.dice.choice((0.01, 0.05, 0.2, 0.5)))

    def _acts(self) -> list[tuple[str, object]]:  # type: ignore[type-arg]
        return [  # type: ignore[return-value]
            ("button", self._button),
            ("button", self._button),
            ("slider", self._slider),
            ("number", self._number),
            ("choice", self._choice),
            ("wheel", self._wheel),
            ("drag", self._drag),
            ("levels", self._levels),
            ("key", self._key),
            ("stop", lambda: QTest.mouseClick(self.widget.buttons["stop"], LEFT)),
            ("live", lambda: QTest.mouseClick(self.widget.buttons["live"], LEFT)),
            ("resize", self._resize),
            ("reconnect", self._reconnect),
        ]

    def _any(self, kind: type[QWidget]) -> QWidget | None:
        found = [
            one
            for top in self.application.topLevelWidgets()
            if top.isVisible()
            for one in top.findChildren(kind)
            if one.isVisible() and one.isEnabled() and one.width() > 4 and one.height() > 4
        ]
        return self.dice.choice(found) if found else None

    def _button(self) -> None:
        one = self._any(QAbstractButton)
        if isinstance(one, QAbstractButton) and one.text() not in NEVER and not _opens_menu(one):
            QTest.mouseClick(one, LEFT)

    def _slider(self) -> None:
        one = self._any(QSlider)
        if isinstance(one, QSlider):
            one.setValue(self.dice.randint(one.minimum(), one.maximum()))

    def _number(self) -> None:
        one = self._any(QAbstractSpinBox)
        if one is not None:
            one.setFocus()
            QTest.keyClick(one, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
            QTest.keyClicks(one, str(self.dice.choice((0, 1, 3, 17, 250, 1e6, "x"))))
            QTest.keyClick(one, Qt.Key.Key_Return)

    def _choice(self) -> None:
        one = self._any(QComboBox)
        if isinstance(one, QComboBox) and one.count():
            index = self.dice.randrange(one.count())
            one.setCurrentIndex(index)
            one.activated.emit(index)

    def _place(self, one: QWidget) -> QPoint:
        return QPoint(self.dice.randrange(one.width()), self.dice.randrange(one.height()))

    def _wheel(self) -> None:
        one = self._any(ImageCanvas)
        if one is None:
            return
        at, delta = self._place(one), self.dice.choice((-480, -120, 120, 480))
        buttons, keys, phase = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
        where = QPointF(one.mapToGlobal(at))
        event = QWheelEvent(QPointF(at), where, QPoint(), QPoint(0, delta), buttons, keys, phase, False)
        QApplication.sendEvent(one, event)

    def _drag(self) -> None:
        self._dragged(self._any(ImageCanvas))

    def _levels(self) -> None:
        self._dragged(self._any(HistogramStrip))

    def _dragged(self, one: QWidget | None) -> None:
        if one is None:
            return
        QTest.mousePress(one, LEFT, pos=self._place(one))
        for _ in range(3):
            QTest.mouseMove(one, self._place(one))
        QTest.mouseRelease(one, LEFT, pos=self._place(one))

    def _key(self) -> None:
        QTest.keyClick(self.widget, self.dice.choice(KEYS), Qt.KeyboardModifier.ControlModifier)

    def _resize(self) -> None:
        self.window.resize(self.dice.randint(900, 1500), self.dice.randint(600, 950))

    def _reconnect(self) -> None:
        if self.session.snapshot.activity is Activity.BROKEN:
            self.widget.commands["reconnect"].trigger()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            QApplication.processEvents()
            # What is to be deleted waits for the loop of Qt, which does not run here.
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            time.sleep(0.005)

    def _look(self) -> None:
        self.outcome.memory_mb.append(resident_mb())
        self.outcome.images.append(self.session.snapshot.counts.images)
        self.outcome.threads.append(threading.active_count())
        self.outcome.widgets.append(len(self.application.allWidgets()))

    def _end(self) -> None:
        from rdl_devices.sim import world_of

        bench = self.session._bench
        world = None if bench is None or bench.core is None else world_of(bench.core)
        self.session.stop()
        deadline = time.monotonic() + 30
        while self.session.snapshot.activity.busy and time.monotonic() < deadline:
            self._wait(0.05)
        if world is not None:
            self.outcome.lit = sum(world.light.share(nm, exposing=True) for nm in world.settings.lines) > 0
        told = self.session.notices(0)
        self.outcome.told = Counter(n.text[:120] for n in told)
        self.outcome.defects = [n.text for n in told if "defect" in n.text and n.severity is Severity.ERROR]
        for top in self.application.topLevelWidgets():
            top.close()
        self.session.close()
        self.outcome.ended = self.session.join(60) and self.session.snapshot.activity is Activity.CLOSED
        self._wait(0.1)
        gc.collect()

    def _raised(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        import traceback

        self.outcome.exceptions.append("".join(traceback.format_exception(kind, error, trace)))


def _opens_menu(button: QAbstractButton) -> bool:
    """A menu waits for its own loop."""
    menu = getattr(button, "menu", None)
    return callable(menu) and menu() is not None


def resident_mb() -> float:
    """Return the memory of this process [MB]; 0 where the system does not tell it so."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if status.exists() else 0.0


if __name__ == "__main__":
    seconds, seed = (float(text) for text in (sys.argv[1:] + ["600", "1"][len(sys.argv) - 1 :]))
    found = Clicker(int(seed), Path(tempfile.mkdtemp()) / "recordings").run(seconds)
    print("did", dict(found.did))
    print("memory MB", [round(one) for one in found.memory_mb])
    print("threads", found.threads)
    print("widgets", found.widgets)
    print("images", found.images)
    print("exceptions", len(found.exceptions), *found.exceptions[:3], sep="\n")
    print("defects", found.defects)
    print("told", *found.told.most_common(), sep="\n  ")
    print("light on at the end", found.lit, "ended", found.ended)
    sys.exit(bool(found.exceptions or found.defects or found.lit or not found.ended))
