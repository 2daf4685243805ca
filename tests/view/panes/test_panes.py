"""The linked panes, with real clicks on a screen."""

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QWidget

from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.grid import PaneGrid, best_columns
from rdl_live.view.panes.picture import Picture

KINDS = [("raw", "Raw"), ("widefield", "Widefield"), ("sim", "SIM"), ("denoised", "Denoised SIM")]


def pictures(value: float = 0) -> dict[str, Picture | None]:
    raw = np.arange(64 * 64, dtype=np.float32).reshape(64, 64) + value
    sr = np.repeat(np.repeat(raw, 2, 0), 2, 1)
    return {
        "raw": Picture(raw, 0.065),
        "widefield": Picture(raw, 0.065),
        "sim": Picture(sr, 0.0325),
        "denoised": Picture(sr, 0.0325),
    }


@pytest.fixture
def grid(qtbot: QtBot) -> PaneGrid:
    """Four panes with pictures."""
    made = PaneGrid(KINDS)
    qtbot.addWidget(made)
    made.resize(900, 600)
    with qtbot.waitExposed(made):
        made.show()
    made.show_pictures("488", pictures())
    return made


def wheel(widget: QWidget, at: QPoint, delta: int) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        QPoint(0, 0),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def drag(qtbot: QtBot, widget: QWidget, start: QPoint, end: QPoint) -> None:
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    for step in (0.5, 1.0):
        qtbot.mouseMove(widget, start + (end - start) * step)
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=end)


def test_wheel_and_drag_move_all_panes(qtbot: QtBot, grid: PaneGrid) -> None:
    canvas, other = grid.panes["raw"].canvas, grid.panes["sim"].canvas
    wheel(canvas, QPoint(30, 40), 480)
    assert grid.viewport.zoom == pytest.approx(1.0015**480)
    before = grid.viewport.centre_um
    drag(qtbot, canvas, QPoint(100, 100), QPoint(60, 120))
    moved = grid.viewport.centre_um
    scale = canvas.mapping.scale
    assert moved == pytest.approx((before[0] + 40 / scale, before[1] - 20 / scale), abs=0.02)
    assert other.mapping.to_sample(other.width() / 2, other.height() / 2) == pytest.approx(moved)


def test_the_value_under_the_cursor_is_told_in_all_panes(qtbot: QtBot, grid: PaneGrid) -> None:
    canvas = grid.panes["raw"].canvas
    x, y = canvas.mapping.to_screen(10.5 * 0.065, 20.5 * 0.065)
    qtbot.mouseMove(canvas, QPoint(round(x), round(y)))
    expected = f"{20 * 64 + 10:.1f} photons"
    # The pointer is the screen's own: it moves when the screen's server says so.
    qtbot.waitUntil(lambda: [p._value.text() for p in grid.panes.values()] == [expected] * 4)


def test_hiding_and_maximising(qtbot: QtBot, grid: PaneGrid) -> None:
    qtbot.mouseClick(grid.panes["raw"].hide_button, Qt.MouseButton.LeftButton)
    assert grid.shown == ["widefield", "sim", "denoised"]
    assert not grid.panes["raw"].isVisible()
    qtbot.mouseDClick(grid.panes["sim"].canvas, Qt.MouseButton.LeftButton)
    assert grid.shown == ["sim"]
    assert not grid.panes["widefield"].isVisible()
    qtbot.mouseClick(grid.panes["sim"].maximise_button, Qt.MouseButton.LeftButton)
    assert grid.shown == ["widefield", "sim", "denoised"]
    for name in ("widefield", "sim", "denoised"):
        grid.show_pane(name, False)
    assert len(grid.shown) == 1  # an empty window helps nobody


def test_a_pane_that_was_hidden_shows_the_newest_picture(grid: PaneGrid) -> None:
    grid.show_pane("raw", False)
    newest = pictures(7)
    grid.show_pictures("488", newest)
    grid.show_pane("raw", True)
    assert grid.panes["raw"].canvas.layer.picture is newest["raw"]


def test_levels_are_dragged_and_undone(qtbot: QtBot, grid: PaneGrid) -> None:
    pane = grid.panes["raw"]
    before = pane.contrast
    strip = pane.histogram
    high = round(strip._x(before.high))
    drag(qtbot, strip, QPoint(high, 5), QPoint(high - 40, 5))
    assert pane.contrast.high < before.high
    assert not pane.contrast.automatic
    assert grid.history.get("raw", "488") == pane.contrast
    grid.undo()
    assert pane.contrast == before
    grid.redo()
    assert pane.contrast.high < before.high
    qtbot.mouseDClick(strip, Qt.MouseButton.LeftButton)
    assert pane.contrast.automatic


def test_each_channel_has_its_own_contrast(grid: PaneGrid) -> None:
    grid.history.put("raw", "488", Contrast(0, 7, automatic=False))
    grid.show_pictures("560", pictures())
    assert grid.panes["raw"].contrast.high > 1000
    grid.show_pictures("488", pictures())
    assert grid.panes["raw"].contrast.high == 7


def test_the_split_line_is_dragged(qtbot: QtBot, grid: PaneGrid) -> None:
    grid.show_split(True, "raw", "denoised")
    canvas = grid._split.canvas
    assert (canvas.layer.title, canvas.other.title) == ("Raw", "Denoised SIM")
    assert not any(pane.isVisible() for pane in grid.panes.values())
    width = canvas.width()
    drag(qtbot, canvas, QPoint(width // 2, 50), QPoint(width // 4, 50))
    assert canvas.split == pytest.approx(0.25, abs=0.02)
    grid.show_split(False)
    assert len(grid.shown) == 4
    assert grid.panes["raw"].isVisible()


def test_a_region_is_dragged(qtbot: QtBot, grid: PaneGrid) -> None:
    canvas = grid.panes["sim"].canvas
    canvas.choosing_region = True
    start, end = (QPoint(*(round(v) for v in canvas.mapping.to_screen(um, um))) for um in (1.0, 3.0))
    with qtbot.waitSignal(grid.region_dragged) as told:
        drag(qtbot, canvas, end, start)
    assert told.args == pytest.approx([1.0, 1.0, 2.0, 2.0], abs=0.05)
    assert grid.viewport.zoom == 1


def test_what_is_saved_has_image_and_scale_bar_and_no_cursor(grid: PaneGrid) -> None:
    grid.show_alone("raw")
    grid.viewport.point((2.0, 2.0))
    image = grid.rendered(2.0)
    canvas = grid.panes["raw"].canvas
    assert image.width() == round(2 * canvas.width() * canvas.devicePixelRatioF())
    cursor = canvas.mapping.to_screen(2.0, 2.0)
    colour = image.pixelColor(round(2 * cursor[0]) + 6, round(2 * cursor[1]))
    assert colour.red() == colour.green() == colour.blue()


@pytest.mark.parametrize(
    ("count", "size", "columns"), [(3, (1300, 450), 3), (4, (900, 900), 2), (2, (400, 900), 1), (1, (5, 5), 1)]
)
def test_panes_are_arranged_to_be_large(count: int, size: tuple[int, int], columns: int) -> None:
    assert best_columns(count, *size) == columns
