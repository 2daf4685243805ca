"""Esc stops at its first press, from every window, dialog, menu, drop-down list and field."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QDialog, QFileDialog, QLineEdit, QMenu, QMessageBox, QWidget

from rdl_live.files.microscope_file import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import Activity, Light
from rdl_live.view.live.sim_widget import SimWidget
from tests.view.fake_session import FakeSession

ESCAPE = Qt.Key.Key_Escape


@pytest.fixture
def session(root: Path) -> FakeSession:
    """A microscope with two colours, live, with the light on."""
    made = FakeSession(load_microscope(root / "configs" / "demo-multicolour.yaml"))
    made.be(Activity.LIVE, light=Light.ON)
    return made


@pytest.fixture
def window(qtbot: QtBot, session: FakeSession, tmp_path: Path) -> Iterator[MainWindow]:
    """Its window."""
    made = MainWindow(SimWidget(session, Memory("test"), tmp_path), "test")
    made.asks = False
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    yield made
    for top in QApplication.topLevelWidgets():
        if isinstance(top, QDialog | QMenu):
            top.close()


def tool(window: MainWindow, action: str, name: str) -> QDialog:
    window.widget.commands[action].trigger()
    found = [one for one in QApplication.topLevelWidgets() if one.objectName() == name and one.isVisible()]
    assert isinstance(found[0], QDialog)
    return found[0]


def pressed(target: QWidget, session: FakeSession) -> int:
    before = session.count("stop")
    QTest.keyClick(target, ESCAPE)
    return session.count("stop") - before


@pytest.mark.parametrize(("action", "name"), [("plan", "window-plan"), ("spectrum", "window-spectrum")])
def test_in_every_window_and_each_field_of_it(
    qtbot: QtBot, window: MainWindow, session: FakeSession, action: str, name: str
) -> None:
    """The first press stops; the window is still there, and the second closes it in the dark."""
    dialog = tool(window, action, name)
    fields = [dialog, *(one for one in dialog.findChildren(QWidget) if one.focusPolicy() and one.isVisible())]
    for field in fields:
        field.setFocus()
        assert pressed(field, session) == 1, field.objectName()
        assert dialog.isVisible(), field.objectName()
        qtbot.wait(1)
    session.be(Activity.IDLE, light=Light.OFF)
    pressed(dialog, session)
    assert not dialog.isVisible()


def test_in_every_field_of_the_main_window(qtbot: QtBot, window: MainWindow, session: FakeSession) -> None:
    fields = [one for one in window.findChildren(QWidget) if one.focusPolicy() and one.isVisible()]
    assert len(fields) > 10
    for field in fields:
        field.setFocus()
        assert pressed(field, session) == 1, field.objectName()
        qtbot.wait(1)


def test_while_text_is_typed(qtbot: QtBot, window: MainWindow, session: FakeSession) -> None:
    dialog = tool(window, "plan", "window-plan")
    line = dialog.findChild(QLineEdit, "plan-name")
    assert isinstance(line, QLineEdit)
    line.setFocus()
    qtbot.keyClicks(line, "half a na")
    assert pressed(line, session) == 1
    assert dialog.isVisible()
    assert "half a na" in line.text()


def test_in_a_drop_down_list(qtbot: QtBot, window: MainWindow, session: FakeSession) -> None:
    box = window.findChild(QComboBox, "denoiser")
    assert isinstance(box, QComboBox)
    box.showPopup()
    popup = QApplication.activePopupWidget()
    assert popup is not None
    assert pressed(popup, session) == 1
    box.hidePopup()
    qtbot.wait(1)


def test_in_menus(qtbot: QtBot, window: MainWindow, session: FakeSession) -> None:
    bar = window.menuBar()
    assert bar is not None
    menus = [one.menu() for one in bar.actions()] + [window.widget.head.menu_button.menu()]
    assert len(menus) >= 4
    for menu in menus:
        assert menu is not None
        menu.popup(window.mapToGlobal(window.rect().center()))
        assert pressed(menu, session) == 1, menu.title()
        menu.close()
        qtbot.wait(1)


def in_a_dialog(do: Callable[[], object], session: FakeSession) -> int:
    """Press Esc in the modal dialog that something opens; return the stops at the first press."""
    stops: list[int] = []

    def press() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(20, press)
            return
        stops.append(pressed(dialog, session))
        assert dialog.isVisible()
        session.be(Activity.IDLE, light=Light.OFF)
        QTimer.singleShot(20, lambda: QTest.keyClick(dialog, ESCAPE))

    QTimer.singleShot(20, press)
    do()
    assert stops, "the dialog closed before a key was pressed"
    return stops[0]


def test_in_modal_dialogs(window: MainWindow, session: FakeSession, tmp_path: Path) -> None:
    def ask() -> None:
        QMessageBox.question(window, "Recording", "Stop it?")

    def save() -> None:
        QFileDialog.getSaveFileName(window, "Save", str(tmp_path))

    for do in (ask, save):
        session.be(Activity.RECORDING, light=Light.ON)
        assert in_a_dialog(do, session) == 1


def test_it_closes_dialogs_where_nothing_runs(qtbot: QtBot, window: MainWindow, session: FakeSession) -> None:
    session.be(Activity.IDLE, light=Light.OFF)
    dialog = tool(window, "plan", "window-plan")
    assert pressed(dialog, session) == 1  # what was asked for a moment ago is stopped, too
    assert not dialog.isVisible()
    qtbot.wait(1)


def test_not_for_a_widget_that_is_gone(qtbot: QtBot, window: MainWindow, session: FakeSession) -> None:
    window.close()
    other = QLineEdit()
    qtbot.addWidget(other)
    other.show()
    assert pressed(other, session) == 0
