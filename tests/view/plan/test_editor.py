"""The plan editor, with real clicks and keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QWidget,
)

from rdl_live.acquire.plan import Plan, PlanChannel, TimePlan, load_plan
from rdl_live.files import load_microscope
from rdl_live.view.plan.editor import PlanEditor
from rdl_live.view.plan.model import PlanModel
from rdl_live.view.plan.presets import Now, presets

NOW = Now("488", 12.0, 8.0, (16.64, 33.28), (100.0, 50.0))


@pytest.fixture
def editor(qtbot: QtBot, root: Path) -> Iterator[PlanEditor]:
    """An editor with a plan of one colour."""
    scope = load_microscope(root / "configs" / "demo-multicolour.yaml")
    plan = Plan(
        channels=(PlanChannel(name="488", power_percent=10, exposure_ms=5),), time=TimePlan(points=10, interval_s=2)
    )
    model = PlanModel(scope, plan, (512, 512))
    made = PlanEditor(model, lambda: presets(scope, NOW))
    qtbot.addWidget(made)
    made.resize(420, 1000)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    model.load(plan)


def typed(qtbot: QtBot, box: QSpinBox | QDoubleSpinBox, text: str) -> None:
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, text)
    qtbot.keyClick(box, Qt.Key.Key_Return)


W = TypeVar("W", bound=QWidget)


def found(editor: PlanEditor, kind: type[W], name: str) -> W:
    widget = editor.findChild(kind, name)
    assert isinstance(widget, kind), name
    return widget


def test_a_plan_is_typed_and_started(qtbot: QtBot, editor: PlanEditor) -> None:
    typed(qtbot, found(editor, QSpinBox, "plan-points"), "25")
    typed(qtbot, found(editor, QDoubleSpinBox, "plan-power-488"), "40")
    typed(qtbot, found(editor, QDoubleSpinBox, "plan-interval"), "0")
    typed(qtbot, found(editor, QSpinBox, "plan-planes"), "3")
    box = found(editor, QCheckBox, "plan-channel-560")
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    with qtbot.waitSignal(editor.run_requested) as told:
        qtbot.mouseClick(found(editor, QPushButton, "plan-run"), Qt.MouseButton.LeftButton)
    (plan,) = told.args
    assert isinstance(plan, Plan)
    assert (plan.time.points, plan.time.interval_s, plan.z.planes) == (25, 0, 3)
    assert [(c.name, c.power_percent) for c in plan.channels] == [("488", 40), ("560", 40)]


def test_mistakes_and_limits_lock_the_start_and_say_why(qtbot: QtBot, editor: PlanEditor) -> None:
    run = found(editor, QPushButton, "plan-run")
    typed(qtbot, found(editor, QDoubleSpinBox, "plan-power-488"), "0")
    assert not run.isEnabled()
    assert "power_percent" in run.toolTip()
    typed(qtbot, found(editor, QDoubleSpinBox, "plan-power-488"), "10")
    assert run.isEnabled()
    typed(qtbot, found(editor, QDoubleSpinBox, "plan-limit-dose_j_cm2"), "0.1")
    assert not run.isEnabled()
    assert "above limits.dose_j_cm2" in run.toolTip()
    typed(qtbot, found(editor, QDoubleSpinBox, "plan-limit-dose_j_cm2"), "0")
    assert run.isEnabled()
    assert editor.model.get("limits", "dose_j_cm2") is None
    editor.set_busy("a recording runs")
    assert not run.isEnabled()
    assert "a recording runs" in run.text()


def test_until_it_is_stopped(editor: PlanEditor) -> None:
    endless = found(editor, QCheckBox, "plan-endless")
    endless.click()
    assert editor.model.plan is not None
    assert editor.model.plan.endless
    endless.click()
    assert editor.model.get("time", "points") == 10


def test_positions_are_added_edited_and_removed(editor: PlanEditor) -> None:
    editor.place_requested.connect(lambda: editor.model.add_place(3.0, 4.0))
    found(editor, QPushButton, "plan-place-here").click()
    found(editor, QPushButton, "plan-place-row").click()
    table = found(editor, QTableWidget, "plan-places")
    assert table.rowCount() == 2
    item = table.item(1, 1)
    assert item is not None
    item.setText("12,5")
    assert [(p["x_um"], p["y_um"]) for p in editor.model.get("positions")] == [(3, 4), (12.5, 0)]
    item.setText("far")
    assert "positions[1].x_um: 'far' is wrong" in editor.model.problems[0]
    table.selectRow(1)
    found(editor, QPushButton, "plan-place-remove").click()
    assert editor.model.plan is not None
    assert len(editor.model.plan.positions) == 1


def test_a_region_as_in_live_view(editor: PlanEditor) -> None:
    editor.region_requested.connect(lambda: editor.model.set_region((10, 20, 128, 64)))
    found(editor, QPushButton, "plan-region-live").click()
    assert found(editor, QSpinBox, "plan-roi-width").value() == 128
    found(editor, QCheckBox, "plan-part").click()
    assert editor.model.get("roi") is None


def test_saving_and_opening(editor: PlanEditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, told = tmp_path / "mine.yaml", []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path.with_suffix("")), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QMessageBox, "warning", lambda *words: told.append(words[-1]))
    found(editor, QPushButton, "plan-save").click()
    assert load_plan(path) == editor.model.plan
    # The dialog asked about "mine", so "mine.yaml" must not be replaced unasked.
    found(editor, QPushButton, "plan-save-as").click()
    assert "exists already" in told[0]
    found(editor, QPushButton, "plan-open").click()
    path.write_text("channels: 3", encoding="utf-8")
    found(editor, QPushButton, "plan-open").click()
    assert "channels" in told[1]


def test_presets_ask_before_changes_are_lost(editor: PlanEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(QMessageBox, "question", lambda *_: next(answers))
    menu = editor.head._preset_button.menu()
    assert menu is not None
    menu.aboutToShow.emit()
    collect = menu.actions()[3]
    editor.model.set(("time", "points"), 77)
    collect.trigger()
    assert editor.model.get("time", "points") == 77
    collect.trigger()
    assert editor.model.get("name") == "collect"
    assert found(editor, QTableWidget, "plan-places").rowCount() == 9
