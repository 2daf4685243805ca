"""The end of a window: nothing of it is left to the end of the process, where PyQt deletes in any order and crashes."""

import gc
from pathlib import Path

from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

from rdl_live.app.windows.application import delete_windows, qt_application
from rdl_live.files import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.sim_widget import SimWidget
from tests.view.fake_session import FakeSession
from tests.view.retrain.test_panel import FakeRetrainer


def owned_by_python() -> list[QObject]:
    """Return the objects of Qt that PyQt would delete at the end of the process."""
    from PyQt6 import sip

    gc.collect()
    # Not isinstance: it asks lazy modules for their class, which loads them.
    found = [one for one in gc.get_objects() if issubclass(type(one), QObject)]
    return [one for one in found if not sip.isdeleted(one) and sip.ispyowned(one)]


def test_a_window_is_deleted_with_all_that_is_in_it(qtbot: QtBot, root: Path, tmp_path: Path) -> None:
    before = {id(one) for one in owned_by_python()}
    session = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    widget = SimWidget(session, Memory("test"), tmp_path / "recordings", retrainer=FakeRetrainer())
    window = MainWindow(widget, "test")
    with qtbot.waitExposed(window):
        window.show()
    window.close()
    delete_windows(window)
    left = [one for one in owned_by_python() if id(one) not in before]
    assert not [type(one).__name__ for one in left]


def test_the_application_is_that_which_is_there(qapp: QApplication) -> None:
    assert qt_application() is qapp
