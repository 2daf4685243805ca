"""Browsing a recording with real clicks and keys."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from rdl_live.app.browse.images import RecordingImages
from rdl_live.app.windows.browser import open_recording_source
from rdl_live.view.browse.source import Where
from rdl_live.view.browse.window import BrowserWindow
from tests.view import recordings as rec

WAIT_MS = 60_000
"""The first image waits for torch to be loaded."""


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[BrowserWindow]:
    """A window with a small recording; its first image is there."""
    source = open_recording_source(rec.record(tmp_path / "run"))
    made = BrowserWindow(source, open_recording_source, RecordingImages)
    qtbot.addWidget(made)
    made.resize(1200, 700)
    with qtbot.waitExposed(made):
        made.show()
    qtbot.waitUntil(lambda: made.browser.idle, timeout=WAIT_MS)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path) -> Path:
    """Where the recording goes."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def go(qtbot: QtBot, window: BrowserWindow, where: Where) -> None:
    window.browser.controls.go(where)
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)


def test_the_time_is_chosen_by_slider_strip_number_and_keys(qtbot: QtBot, window: BrowserWindow) -> None:
    controls = window.browser.controls
    strip = controls.strip
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(round(0.5 * strip.width()), 3))
    assert controls.where.time == 2
    controls.number.setValue(5)
    assert controls.time.value() == 4
    window.browser.commands["previous"].trigger()
    assert controls.where.time == 3
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)
    assert window.browser.shown is not None
    assert window.browser.shown.request.where.time == 3
    assert "denoised" in window.browser.grid.shown
    window.browser.commands["previous"].trigger()
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)
    assert "denoised" not in window.browser.grid.shown


def test_holes_are_marked_found_and_explained(qtbot: QtBot, window: BrowserWindow) -> None:
    browser = window.browser
    qtbot.mouseClick(browser.controls.on, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: browser.idle, timeout=WAIT_MS)
    assert browser.controls.where.time == rec.HOLE[0]
    assert "1 frame missing" in browser.controls.state.text()
    assert browser.grid.panes["sim"].picture is None
    assert "lacks frames" in browser.grid.panes["sim"].canvas.busy_text
    assert browser.grid.panes["widefield"].picture is not None


def test_another_colour_has_its_own_marks_and_contrast(qtbot: QtBot, window: BrowserWindow) -> None:
    controls = window.browser.controls
    assert "1 with missing" in controls.state.text()
    controls.channel.setCurrentIndex(1)
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)
    assert "all complete" in controls.state.text()
    assert window.browser.grid.channel == "560"


def test_playing_goes_on_and_around(qtbot: QtBot, window: BrowserWindow) -> None:
    controls, seen = window.browser.controls, set()
    controls.wanted.connect(lambda request: seen.add(request.where.time))
    qtbot.mouseClick(controls.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: seen == {0, 1, 2, 3, 4}, timeout=WAIT_MS)
    qtbot.mouseClick(controls.play, Qt.MouseButton.LeftButton)
    assert not controls.play.isChecked()


def test_the_raw_frame_is_chosen(qtbot: QtBot, window: BrowserWindow) -> None:
    window.browser.controls.frame.setCurrentIndex(5)
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)
    picture = window.browser.grid.panes["raw"].picture
    assert picture is not None
    assert np.array_equal(picture.pixels, (rec.raw_series(0, 0)[1, 2].astype(np.float32) - 100) * 0.5)


def test_pictures_are_saved_and_copied(
    qtbot: QtBot, window: BrowserWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = window.browser
    go(qtbot, window, Where(1))
    browser.pictures.save(tmp_path / "picture.png")
    browser.pictures.save(tmp_path / "values.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "values.tif"), rec.sr_image(1))
    assert (tmp_path / "picture.png").stat().st_size > 1000
    browser.pictures.save(tmp_path / "values.tif")
    assert "exists already" in browser.notices.notices[-1].text
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "chosen"), "Values, 32-bit TIFF (*.tif)")
    )
    browser.commands["save"].trigger()
    assert (tmp_path / "chosen.tif").is_file()
    browser.commands["copy"].trigger()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert clipboard.image().width() >= 512


def test_the_spectrum_and_the_patterns_are_those_of_the_image(qtbot: QtBot, window: BrowserWindow) -> None:
    browser = window.browser
    go(qtbot, window, Where(1))
    assert len(browser.lamps.health) == 3
    browser.tabs.setCurrentIndex(2)
    from rdl_live.view.patterns.spectrum_view import SpectrumView

    view = browser.findChild(SpectrumView)
    assert view is not None
    view.kind.setCurrentIndex(2)
    assert "k0 of orientation 3 5.00 /µm (200 nm)" in view.legend.text()
    assert view._drawn is browser.grid.panes["sim"].picture


def test_another_recording_is_opened_and_a_wrong_one_leaves_the_first(
    qtbot: QtBot, window: BrowserWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *words: told.append(words[-1]))
    before = window.browser
    assert not window.open_path(tmp_path / "nothing")
    assert "no such file" in told[0]
    assert window.browser is before
    go(qtbot, window, Where(3, channel=1))
    window.reload()
    assert window.browser is not before
    assert window.browser.controls.where == Where(3, channel=1)
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)


def test_what_was_hidden_stays_hidden_at_the_next_start(qtbot: QtBot, window: BrowserWindow) -> None:
    window.browser.commands["pane-raw"].trigger()
    assert window.browser.grid.shown == ["widefield", "sim"]
    window.reload()
    qtbot.waitUntil(lambda: window.browser.idle, timeout=WAIT_MS)
    assert window.browser.grid.shown == ["widefield", "sim"]
