"""The panel of stage and focus: real clicks and keys, on a session that only writes down what it was asked."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtWidgets import QPushButton, QWidget

from rdl_live.files import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Activity, StagePlace
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.plan.panel import PlanPanel
from rdl_live.view.stage.panel import StagePanel
from tests.view.fake_session import FakeSession

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(root: Path) -> FakeSession:
    made = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    made.be(Activity.LIVE, stage=StagePlace((100.0, -20.0), 3.0))
    return made


@pytest.fixture
def widget(qtbot: QtBot, session: FakeSession, tmp_path: Path) -> SimWidget:
    made = SimWidget(session, Memory("test"), tmp_path / "recordings")
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    made.resize(1366, 728)
    with qtbot.waitExposed(made):
        made.show()
    session.give()
    made.refresh()
    return made


@pytest.fixture
def panel(qtbot: QtBot, widget: SimWidget) -> StagePanel:
    widget.commands["stage"].trigger()
    found = widget.panels.get("stage")
    assert isinstance(found, StagePanel)
    qtbot.addWidget(found.window())
    qtbot.waitUntil(found.isVisible)
    return found


def button(panel: QWidget, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name)
    assert found is not None, name
    return found


def choose(panel: StagePanel, xy_um: object, z_um: float) -> None:
    for box, step in ((panel.arrows.xy_step, xy_um), (panel.arrows.z_step, z_um)):
        box.setCurrentIndex(box.findData(step))


def test_arrows_and_keys_move_by_the_step(
    qtbot: QtBot, widget: SimWidget, panel: StagePanel, session: FakeSession
) -> None:
    choose(panel, 5.0, 0.5)
    qtbot.mouseClick(button(panel, "stage-right"), LEFT)
    assert session.last("move by") == {"x": 5.0, "y": 0.0}
    qtbot.mouseClick(button(panel, "stage-z-down"), LEFT)
    assert session.last("move by") == {"z": -0.5}
    panel.window().activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    qtbot.keyClick(panel, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert session.last("move by") == {"x": 0.0, "y": -5.0}
    qtbot.keyClick(panel, Qt.Key.Key_PageUp, Qt.KeyboardModifier.AltModifier)
    assert session.last("move by") == {"z": 0.5}
    widget.activateWindow()
    qtbot.waitUntil(widget.isActiveWindow)
    qtbot.keyClick(widget, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert session.last("move by") == {"x": -5.0, "y": 0.0}
    count = session.count("move by")
    panel.window().close()
    qtbot.keyClick(widget, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert session.count("move by") == count, "keys move nothing while the panel is closed"


def test_a_step_of_a_field_overlaps(qtbot: QtBot, panel: StagePanel, session: FakeSession) -> None:
    choose(panel, "a field", 0.5)
    qtbot.mouseClick(button(panel, "stage-down"), LEFT)
    moved = session.last("move by")
    assert moved == {"x": 0.0, "y": pytest.approx(0.9 * 64 * 0.065)}


def test_a_click_in_a_pane_centres_it_and_a_drag_moves_the_sample(
    qtbot: QtBot, widget: SimWidget, panel: StagePanel, session: FakeSession
) -> None:
    canvas = widget.grid.panes["sim"].canvas
    middle, scale = canvas.rect().center(), canvas.mapping.scale
    qtbot.mouseClick(canvas, LEFT, pos=middle + QPoint(30, 0))
    assert session.count("move by") == 0, "a click is no move before the user says so"
    button(panel, "stage-by-mouse").click()
    assert all(one.moves for one in widget.grid.canvases)
    qtbot.mouseClick(canvas, LEFT, pos=middle + QPoint(30, -12))
    moved = session.last("move by")
    assert moved["x"] == pytest.approx(30 / scale, abs=1.5 / scale)
    assert moved["y"] == pytest.approx(-12 / scale, abs=1.5 / scale)
    qtbot.mousePress(canvas, LEFT, pos=middle)
    qtbot.mouseMove(canvas, middle + QPoint(20, 10))
    qtbot.mouseRelease(canvas, LEFT, pos=middle + QPoint(40, 10))
    assert session.last("move by") == {"x": pytest.approx(-40 / scale), "y": pytest.approx(-10 / scale)}
    assert widget.grid.viewport.zoom == 1, "the picture itself was not panned"
    panel.findChild(QWidget, "stage-flip_x").click()  # type: ignore[union-attr]
    qtbot.mouseClick(canvas, LEFT, pos=middle + QPoint(30, -12))
    assert session.last("move by")["x"] == pytest.approx(-moved["x"], abs=1e-6)
    panel.window().close()
    assert not any(one.moves for one in widget.grid.canvases), "nothing is armed that nobody sees"


@pytest.mark.parametrize("activity", [Activity.RECORDING, Activity.SNAPPING, Activity.BROKEN, Activity.OPENING])
def test_nothing_moves_while_something_is_recorded(
    qtbot: QtBot, widget: SimWidget, panel: StagePanel, session: FakeSession, activity: Activity
) -> None:
    button(panel, "stage-by-mouse").click()
    session.be(activity)
    widget.refresh()
    assert panel.says.text()
    assert not button(panel, "stage-by-mouse").isChecked()
    for one in (*panel.arrows.xy_buttons, *panel.arrows.z_buttons, panel.go_button):
        assert not one.isEnabled()
    panel.window().activateWindow()
    qtbot.keyClick(panel, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    qtbot.mouseClick(panel.map, LEFT)
    assert session.count("move by") == session.count("move") == 0


def test_places_are_marked_named_reached_planned_and_remembered(
    qtbot: QtBot, widget: SimWidget, panel: StagePanel, session: FakeSession
) -> None:
    qtbot.mouseClick(panel.table.mark_button, LEFT)
    item = panel.table.table.item(0, 0)
    assert item is not None
    item.setText("mitosis")
    session.be(Activity.LIVE, stage=StagePlace((0.0, 0.0), 0.0))
    widget.refresh()
    panel.table.table.selectRow(0)
    qtbot.mouseClick(panel.table.go_button, LEFT)
    assert session.last("move") == {"x": 100.0, "y": -20.0, "z": 3.0}
    button(panel, "marks-use").click()
    plan = widget.panels.get("plan")
    assert isinstance(plan, PlanPanel)
    qtbot.addWidget(plan.window())
    (place,) = plan.model.get("positions")
    assert place == {"x_um": 100.0, "y_um": -20.0, "z_um": 3.0, "name": "mitosis"}
    assert [mark.name for mark in StagePanel(widget).marks] == ["mitosis"]


def test_go_to_and_the_map(qtbot: QtBot, widget: SimWidget, panel: StagePanel, session: FakeSession) -> None:
    panel.here_button.click()
    assert [field.value() for field in panel._fields] == [100.0, -20.0, 3.0]
    panel._fields[2].setValue(7.5)
    qtbot.keyClick(panel._fields[2], Qt.Key.Key_Return)
    assert session.count("move") == session.count("move by") == 0, "Enter in a field is no move"
    panel.go_button.click()
    assert session.last("move") == {"x": 100.0, "y": -20.0, "z": 7.5}
    there = panel.map.to_screen(102.0, -21.0)
    assert panel.map.to_stage(QPointF(there)) == pytest.approx((102.0, -21.0))
    qtbot.mouseClick(panel.map, LEFT, pos=there.toPoint())
    moved = session.last("move")
    assert (moved["x"], moved["y"]) == pytest.approx((102.0, -21.0), abs=1.5 / panel.map.scale)
    for second in (1000.0, 1005.0):
        session.be(Activity.LIVE)
        session.snapshot = type(session.snapshot)(**{**vars(session.snapshot), "at_s": second})
        widget.refresh()
    session.give()
    widget.refresh()
    assert len(panel.map.tiles) == 1
    assert not panel.map.grab().isNull()
    panel.clear_button.click()
    assert panel.map.tiles == []


def test_every_control_has_a_tooltip(panel: StagePanel) -> None:
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox

    controls = [w for kind in (QAbstractButton, QAbstractSpinBox, QComboBox) for w in panel.findChildren(kind)]
    assert controls
    assert [one.objectName() for one in controls if not one.toolTip() and one.objectName().startswith("stage")] == []
