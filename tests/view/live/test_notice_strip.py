"""The message strip: nothing moves when a message comes or goes, and the light's bar is never covered."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import QLabel, QWidget

from rdl_live.files.microscope_file import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Severity
from rdl_live.view.live.sim_widget import SimWidget
from tests.view.fake_session import FakeSession

LONG = (
    "Camera: has stalled and did not answer; check its cable, its power supply and that no other program uses it. " * 3
)


@pytest.fixture(params=[(1366, 728), (600, 900)], ids=["window", "docked"])
def widget(request: pytest.FixtureRequest, qtbot: QtBot, root: Path, tmp_path: Path) -> SimWidget:
    """The widget, shown."""
    session = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    made = SimWidget(session, Memory("test"), tmp_path)
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    made.resize(*request.param)
    with qtbot.waitExposed(made):
        made.show()
    return made


def places(widget: SimWidget) -> list[QRect]:
    """Where everything is but the message itself."""
    layout = widget.layout()
    assert layout is not None
    layout.activate()
    parts = (widget.head, widget.bars, widget.bars.light, widget.splitter, widget.grid, widget.controls, widget.notices)
    return [QRect(one.mapTo(widget, QPoint(0, 0)), one.size()) for one in parts]


def card(widget: SimWidget) -> QWidget:
    found = widget.findChild(QWidget, "notice-card")
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["Saved.", LONG])
@pytest.mark.parametrize("severity", list(Severity))
def test_nothing_moves_and_the_light_bar_stays_visible(
    qtbot: QtBot, widget: SimWidget, text: str, severity: Severity
) -> None:
    before = places(widget)
    widget.notify(text, severity)
    qtbot.waitUntil(lambda: card(widget).isVisible())
    assert places(widget) == before
    bar = widget.bars.light
    assert not card(widget).geometry().intersects(QRect(bar.mapTo(widget, QPoint(0, 0)), bar.size()))
    widget.notices.dismiss()
    assert places(widget) == before


def test_a_long_message_is_shown_whole(widget: SimWidget) -> None:
    widget.notify(LONG, Severity.ERROR)
    label = widget.findChild(QLabel, "notice-text")
    assert label is not None
    row = card(widget).layout()
    assert row is not None
    row.activate()
    assert label.height() >= label.heightForWidth(label.width())
    if widget.width() < 1000:
        assert card(widget).height() > widget.notices.height(), "it lies over what is below"
    widget.notices.dismiss()
    assert card(widget).geometry() == widget.notices.geometry()


def test_it_follows_the_window(qtbot: QtBot, widget: SimWidget) -> None:
    widget.notify(LONG, Severity.WARNING)
    widget.resize(widget.width() + 200, widget.height())
    qtbot.waitUntil(lambda: card(widget).width() == widget.notices.width())
    assert card(widget).pos() == widget.notices.pos()
