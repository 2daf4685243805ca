"""A seeded random user of the window: `python -m tests.app.windows.clicker [SECONDS] [SEED]`, on any screen.

Clicks, drags, types and turns whatever is there, for a given time, at a simulated microscope of three colours; runs
plans, and presses Esc in every window, menu, list and field. Counts exceptions, looks for leaks, compares the light bar
with the simulated world at every moment, and the powers with what it chose.
"""

import os
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from unittest import mock

os.environ.setdefault("RDL_LIVE_CONFIG_DIR", tempfile.mkdtemp())

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QMenu,
    QMessageBox,
    QSlider,
    QWidget,
)

from benchmarks.light_watch import LightWatch, Shown
from rdl_live.app.config_files import config_file
from rdl_live.app.denoiser import DEFAULT
from rdl_live.app.quiet import quiet_micro_manager
from rdl_live.app.session.goals import Requests
from rdl_live.app.session.session import LiveSession
from rdl_live.app.windows.application import delete_windows, qt_application
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import Activity, Settings, Severity
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.panes.canvas import ImageCanvas
from rdl_live.view.panes.histogram_strip import HistogramStrip
from rdl_live.view.plan.panel import PlanPanel

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from rdl_devices.sim.world import World

LEFT = Qt.MouseButton.LeftButton
KEYS = (Qt.Key.Key_L, Qt.Key.Key_K, Qt.Key.Key_R, Qt.Key.Key_T, Qt.Key.Key_D, Qt.Key.Key_Z, Qt.Key.Key_0, Qt.Key.Key_1)
LEAST = 12
"""Things a user does, however slow the machine is."""
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
    compared: int = 0
    """How often the light bar was compared with the world, and of these with light."""
    compared_lit: int = 0
    confirmed: int = 0
    """Of these, how often the bar said that it is read back, and how often that hardware switches it."""
    stepped: int = 0
    changing_s: float = 0.0
    """The longest time for which the bar said that light is being set."""
    differences: list[str] = field(default_factory=list)
    """Where they differed."""
    colours: list[str] = field(default_factory=list)
    """Colours that were lit together, or one after the other within a second."""
    escapes: Counter[str] = field(default_factory=Counter)
    """Where Esc was pressed while there was light."""
    dark_ms: list[float] = field(default_factory=list)
    """After how long it was dark then."""
    plans: int = 0
    powers: list[str] = field(default_factory=list)
    """Powers that changed by themselves."""


ANSWERS: tuple[tuple[type, str, Callable[..., object]], ...] = (
    (QFileDialog, "getSaveFileName", lambda *_, **__: ("", "")),
    (QFileDialog, "getOpenFileName", lambda *_, **__: ("", "")),
    (QFileDialog, "getExistingDirectory", lambda *_, **__: ""),
    (QMessageBox, "exec", lambda *_: QMessageBox.StandardButton.Cancel),
    (QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.No),
    (QMessageBox, "warning", lambda *_, **__: QMessageBox.StandardButton.Ok),
)
"""What the dialogs that wait for an answer get, as long as the random user is there."""


class Clicker:
    """A random user."""

    def __init__(self, seed: int, folder: Path, *, size: int = 128) -> None:
        self.dice = random.Random(seed)
        self.outcome = Outcome()
        self.application = qt_application()
        memory = Memory(f"clicker-{seed}")
        self.world: World | None = None
        self.watch = LightWatch(lambda: self.world)
        corner = (512 - size) // 2
        settings = Settings("488", 50.0, 10.0, (corner, corner, size, size), DEFAULT)
        scope = config_file("demo-multicolour.yaml")
        self.session = LiveSession(scope, Requests(settings), prepare=self._prepare)
        self.widget = SimWidget(self.session, memory, folder)
        self.window = MainWindow(self.widget, "clicker")
        self.window.asks = False
        self.window.showNormal()
        self.window.resize(1366, 768)
        self.session.start()

    def _prepare(self, core: "CMMCorePlus") -> None:
        from rdl_devices.sim import world_of

        quiet_micro_manager()
        self.world = world_of(core)
        self.watch.forget()

    def run(self, seconds: float) -> Outcome:
        """Use the window for so long [s], and at least `LEAST` times; then close it."""
        before = sys.excepthook, threading.excepthook
        sys.excepthook = self._raised
        threading.excepthook = lambda args: self._raised(args.exc_type, args.exc_value, args.exc_traceback)
        with ExitStack() as undo:
            # Windows of the system that nobody answers; our own are clicked like everything else.
            for owner, name, answer in ANSWERS:
                undo.enter_context(mock.patch.object(owner, name, answer))
            try:
                self._use(seconds)
                self._end()
                self._note_light()
            finally:
                sys.excepthook, threading.excepthook = before
        return self.outcome

    def _use(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        next_look = time.monotonic()
        while time.monotonic() < deadline or sum(self.outcome.did.values()) < LEAST:
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
            ("stop", lambda: QTest.mouseClick(self.widget.head.buttons["stop"], LEFT)),
            ("live", lambda: QTest.mouseClick(self.widget.head.buttons["live"], LEFT)),
            ("resize", self._resize),
            ("reconnect", self._reconnect),
            ("plan", self._plan),
            ("plan", self._plan),
            ("escape", self._escape),
            ("escape", self._escape),
        ]

    def _plan(self) -> None:
        """Make a plan of some colours in the editor, with clicks, and run it."""
        self.widget.panels.open("plan")
        editor = self.widget.panels.get("plan")
        if not isinstance(editor, PlanPanel):
            return  # the devices are not loaded
        model = editor.model
        before = {name: model.light_of(name)["power_percent"] for name in model.lights}
        for box in editor.findChildren(QCheckBox):
            if box.objectName().startswith("plan-channel-") and self.dice.random() < 0.6:
                box.click()
        for name, power in before.items():
            if (now := model.light_of(name)["power_percent"]) != power:
                self.outcome.powers.append(f"{name}: {power:g} -> {now:g}")
        if model.get("time", "points") is None or model.get("time", "points") > 20:
            model.set(("time", "points"), self.dice.randrange(2, 12))
        if self.dice.random() < 0.5:
            model.set(("time", "interval_s"), self.dice.choice((0.0, 0.5, 1.0)))
        self._wait(0.05)
        before_run = self.session.snapshot.activity
        QTest.mouseClick(editor.summary.run, LEFT)
        if model.ready and before_run is not Activity.RECORDING:
            self.outcome.plans += 1
            self._wait_for_light()
            self._wait(self.dice.choice((0.5, 2.0, 4.0)))

    def _wait_for_light(self, patience_s: float = 10.0) -> None:
        """Wait until what was begun lights the sample: a process for its images takes a while to start."""
        deadline = time.monotonic() + patience_s
        self._wait(0.05)
        while self.session.snapshot.activity.busy and not self.watch.light and time.monotonic() < deadline:
            self._wait(0.02)

    def _escape(self) -> None:
        """Press Esc somewhere; where there is light, it must go off at this first press."""
        if not self.watch.light and self.dice.random() < 0.8:
            self.session.live()
            deadline = time.monotonic() + 5.0
            while not self.watch.light and time.monotonic() < deadline:
                self._wait(0.02)
        places = self._places_for_escape()
        name, target = self.dice.choice(places)
        if name in ("menu", "list"):
            target = self._opened(target)
        lit = bool(self.watch.light)
        QTest.keyClick(target, Qt.Key.Key_Escape)
        began = time.perf_counter()
        if not lit:
            self._close_popups()
            return
        self.outcome.escapes[name] += 1
        while self.watch.light and time.perf_counter() < began + 1.0:
            self._wait(0.005)
        if self.watch.light:
            self.outcome.defects.append(f"Esc in {name} {target.objectName()!r}: there is light after 1 s")
        self.outcome.dark_ms.append(1e3 * (time.perf_counter() - began))
        self._close_popups()

    def _places_for_escape(self) -> list[tuple[str, QWidget]]:
        tops = [one for one in self.application.topLevelWidgets() if one.isVisible()]
        places = [(f"window {top.objectName() or type(top).__name__}", top) for top in tops]
        fields = [one for top in tops for one in top.findChildren(QWidget) if one.isVisible() and one.focusPolicy()]
        if fields:
            places += [(f"field {type(one).__name__}", one) for one in self.dice.sample(fields, min(3, len(fields)))]
        bar = self.window.menuBar()
        menus = [] if bar is None else [action.menu() for action in bar.actions()]
        places += [("menu", menu) for menu in menus if menu is not None]
        places += [("list", one) for one in self.window.findChildren(QComboBox) if one.isVisible() and one.isEnabled()]
        return places

    def _opened(self, target: QWidget) -> QWidget:
        """Open a menu or a drop-down list, and return what has the keys then."""
        if isinstance(target, QMenu):
            target.popup(self.window.mapToGlobal(QPoint(50, 50)))
        elif isinstance(target, QComboBox):
            target.showPopup()
        return QApplication.activePopupWidget() or target

    def _close_popups(self) -> None:
        while (popup := QApplication.activePopupWidget()) is not None:
            popup.close()
            self._wait(0.005)

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
            snapshot = self.session.snapshot
            self.watch.compare(self._shown, f"({snapshot.activity}, {snapshot.plan!r})")
            time.sleep(0.005)

    def _shown(self) -> Shown | None:
        self.widget.refresh()
        return shown_in(self.widget.bars.light.text())

    def _note_light(self) -> None:
        watch, outcome = self.watch, self.outcome
        outcome.compared, outcome.compared_lit, outcome.differences = watch.compared, watch.lit, watch.differences
        outcome.confirmed, outcome.stepped, outcome.changing_s = watch.confirmed, watch.stepped, watch.changing_s
        outcome.colours = sorted("+".join(sorted(one)) for one in watch.colours if one)

    def _look(self) -> None:
        self.outcome.memory_mb.append(resident_mb())
        self.outcome.images.append(self.session.snapshot.counts.images)
        self.outcome.threads.append(threading.active_count())
        self.outcome.widgets.append(len(self.application.allWidgets()))

    def _end(self) -> None:
        world = self.world
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
        delete_windows(self.window)

    def _raised(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        import traceback

        self.outcome.exceptions.append("".join(traceback.format_exception(kind, error, trace)))


def shown_in(bar: str) -> Shown | None:
    """Return what a light bar says; None where it says that it does not know."""
    if "MAY BE ON" in bar:
        return None
    if "LIGHT ON" not in bar:
        return Shown(())
    lamps = tuple((name, float(power)) for name, power in re.findall(r"(\w+), ([\d.e+-]+) %", bar))
    return Shown(lamps, changing="being set" in bar, stepped="switched by hardware" in bar)


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
    print("light bar compared", found.compared, "times, with light", found.compared_lit, "colours", found.colours)
    print("read back", found.confirmed, "switched by hardware", found.stepped, "longest change [s]", found.changing_s)
    print("differences", len(found.differences), *found.differences[:10], sep="\n  ")
    print("plans", found.plans, "powers that changed", found.powers)
    print(
        "Esc with light on",
        sum(found.escapes.values()),
        dict(found.escapes),
        "dark after [ms], most",
        max(found.dark_ms, default=0),
    )
    print("light on at the end", found.lit, "ended", found.ended)
    wrong = found.exceptions or found.defects or found.differences or found.powers
    sys.exit(bool(wrong or found.lit or not found.ended))
