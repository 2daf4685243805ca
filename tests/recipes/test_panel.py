"""The recipe "add a panel" is true: one file outside of the package, and its registration."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QLabel

from rdl_live.view.common.memory import Memory
from rdl_live.view.live.panel import Where
from rdl_live.view.live.panels import PANELS
from rdl_live.view.live.session import Activity
from rdl_live.view.live.sim_widget import SimWidget
from tests.recipes.toy_panel import COUNTER, FrameCounter
from tests.view.fake_session import FakeSession


@pytest.fixture(autouse=True)
def _registered(screen: None, own_memory: object) -> Iterator[None]:
    del screen, own_memory
    PANELS.register(COUNTER)
    yield
    PANELS.forget(COUNTER.name)


def test_a_panel_of_another_package_is_in_the_menu_and_sees_what_happens(qtbot: QtBot) -> None:
    session = FakeSession()
    widget = SimWidget(session, Memory("test"))
    qtbot.addWidget(widget, before_close_func=lambda one: one.end())
    widget.show()
    assert COUNTER.where is Where.WINDOW
    widget.commands["frame-counter"].trigger()
    panel = widget.panels.get("frame-counter")
    assert isinstance(panel, FrameCounter)
    assert panel.isVisible()
    session.be(Activity.LIVE)
    widget.refresh()
    session.give()
    widget.refresh()
    assert (panel.snapshots, panel.images) == (2, 1)
    assert isinstance(panel, QLabel)
    widget.panels.close()
