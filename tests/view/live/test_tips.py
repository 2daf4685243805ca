"""Every control of the live window has a tooltip, in its panels too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QMenu,
    QScrollBar,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from rdl_live.files.microscope_file import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.panels import PANELS
from rdl_live.view.live.session import Settings
from rdl_live.view.live.sim_widget import SimWidget
from tests.view.fake_session import FakeSession

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QTabBar,
)
PARTS = (QAbstractSpinBox, QComboBox, QTabBar, QDialogButtonBox, QAbstractItemView)
"""Controls that are made of others, of Qt's own making."""


def silent(root: QWidget) -> Iterator[str]:
    """Name the controls, and the entries of menus, that say nothing when the mouse rests on them."""
    for one in root.findChildren(QWidget):
        if isinstance(one, CONTROLS) and not isinstance(one, QScrollBar) and not _is_part(one) and not _tip(one):
            yield f"{type(one).__name__} {_path(one, root)}"
        if isinstance(one, QMenu) and one.objectName() != "qt_toolbar_ext_button":
            for action in one.actions():
                if action.isSeparator() or action.menu() is not None:
                    continue
                if not one.toolTipsVisible() or action.toolTip() == action.text().replace("&", ""):
                    yield f"menu entry {action.text()!r}"


def _is_part(one: QWidget) -> bool:
    """Whether it is a piece of another control: an editor within a number, a header of a table, a list that drops."""
    above = one.parentWidget()
    while above is not None:
        if isinstance(above, PARTS):
            return True
        above = above.parentWidget()
    return one.objectName().startswith("qt_")


def _tip(one: QWidget) -> str:
    """What Qt shows there: of the row that it is in, if it has none of its own."""
    above = one.parentWidget()
    return one.toolTip() or (above.toolTip() if above is not None and not above.isWindow() else "")


def _path(one: QWidget, root: QWidget) -> str:
    names, at = [], one
    while at is not root:
        text = at.text() if isinstance(at, QAbstractButton | QLineEdit) else ""
        names.append(at.objectName() or text or type(at).__name__)
        at = at.parentWidget()  # type: ignore[assignment]
    return " in ".join(names)


@pytest.fixture
def window(qtbot: QtBot, root: Path, tmp_path: Path) -> MainWindow:
    """The live window, with an idle demo microscope."""
    session = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    widget = SimWidget(session, Memory("test"), tmp_path, defaults=Settings())
    made = MainWindow(widget, "test")
    qtbot.addWidget(made, before_close_func=_end)
    with qtbot.waitExposed(made):
        made.show()
    return made


def _end(window: MainWindow) -> None:
    window.widget.panels.close()
    window.widget.end()


def test_every_control_of_the_window_has_a_tooltip(window: MainWindow) -> None:
    assert list(silent(window)) == []


@pytest.mark.parametrize("name", [name for name in PANELS.names() if name != "retrain"])
def test_every_control_of_a_panel_has_a_tooltip(window: MainWindow, name: str) -> None:
    (kind,) = (one for one in window.widget.panels.kinds if one.name == name)
    if kind.opened is not None:
        window.widget.panels.open(name)
        assert name in window.widget.panels.windows, "the panel is there"
    panel = window.widget.panels.get(name)
    assert panel is not None
    assert list(silent(panel)) == []


def test_a_control_without_a_tooltip_is_found(qtbot: QtBot) -> None:
    window = QDialog()
    qtbot.addWidget(window)
    box = QLineEdit(objectName="mute")
    QVBoxLayout(window).addWidget(box)
    assert list(silent(window)) == ["QLineEdit mute"]
    box.setToolTip("what it is for")
    assert not list(silent(window))
