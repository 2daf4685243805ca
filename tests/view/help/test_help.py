"""The Help menu: keys as they are, pages without the internet, versions, diagnostics from another process."""

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt, QUrl, qVersion
from qtpy.QtGui import QAction, QDesktopServices
from qtpy.QtWidgets import QApplication, QMessageBox

from rdl_live import __version__
from rdl_live.errors import DataError
from rdl_live.files.microscope_file import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.help.page_window import PageWindow, open_page
from rdl_live.view.help.pages import Page, find_page
from rdl_live.view.help.tables import TableWindow, keys_of
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import Severity
from rdl_live.view.live.sim_widget import SimWidget
from tests.pages import anchors_of
from tests.view.fake_session import FakeSession

PATIENCE_MS = 60_000


@pytest.fixture
def window(qtbot: QtBot, root: Path, tmp_path: Path) -> MainWindow:
    """The live window, with an idle demo microscope."""
    session = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    made = MainWindow(SimWidget(session, Memory("test"), tmp_path), "test")
    qtbot.addWidget(made, before_close_func=_end)
    with qtbot.waitExposed(made):
        made.show()
    return made


def _end(window: MainWindow) -> None:
    if (opened := window.widget.help.window) is not None:
        opened.close()
    window.widget.end()


def shown(window: MainWindow) -> list[list[str]]:
    opened = window.widget.help.window
    assert isinstance(opened, TableWindow)
    table = opened.table
    cells = [[table.item(row, column) for column in range(table.columnCount())] for row in range(table.rowCount())]
    return [[cell.text() if cell is not None else "" for cell in row] for row in cells]


def test_the_menu_has_its_entries(window: MainWindow) -> None:
    bar = window.menuBar()
    assert bar is not None
    (menu,) = (one.menu() for one in bar.actions() if one.text() == "&Help")
    assert menu is not None
    found = [one.text() for one in menu.actions()]
    assert found == ["Keyboard shortcuts", "What is what", "Copy diagnostics", "About rdl-live"]


def test_the_keys_are_those_of_the_actions(window: MainWindow) -> None:
    window.widget.commands["shortcuts"].trigger()
    rows = {key: title for key, title, _ in shown(window)}
    for name in ("live", "snap", "record", "plan", "stage", "split"):
        action = window.widget.commands[name]
        assert rows[action.shortcut().toString()] == action.text().removesuffix(" …")
    assert rows["Esc"] == "STOP"
    assert rows["Ctrl+Q"] == "Quit"


def test_a_key_that_is_changed_is_shown_as_it_is_now(window: MainWindow) -> None:
    window.widget.commands["live"].setShortcut("Ctrl+Y")
    added = QAction("Bleach", window.widget)
    added.setShortcut("Ctrl+B")
    rows = {key: title for key, title, _ in keys_of(window)}
    assert (rows["Ctrl+Y"], rows["Ctrl+B"]) == ("Live", "Bleach")
    assert "Ctrl+L" not in rows


def test_every_panel_has_a_purpose_and_a_page_with_that_place(window: MainWindow, root: Path) -> None:
    rows = window.widget.help.pages()
    assert {title for title, _, _ in rows} >= {kind.title for kind in window.widget.panels.kinds}
    for title, tip, name in rows:
        assert tip, title
        page = find_page(name, (root,))
        assert not page.anchor or page.anchor in anchors_of(root / "docs" / name.partition("#")[0]), name


def test_a_page_opens_as_text_at_its_place(
    qtbot: QtBot, window: MainWindow, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").symlink_to(root / "docs")
    window.widget.help.folders = (tmp_path,)
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda _: pytest.fail("nothing is built, and no browser is needed")
    )
    window.widget.commands["what"].trigger()
    table = window.widget.help.window
    assert isinstance(table, TableWindow)
    (row,) = (number for number, row in enumerate(shown(window)) if row[0] == "Stage and focus")
    table.table.cellActivated.emit(row, 0)
    page = window.widget.help.window
    assert isinstance(page, PageWindow)
    qtbot.addWidget(table)
    assert "Alt+PgUp" in page.text.toPlainText()
    assert page.text.textCursor().block().text() == "Stage and focus"
    page.text.anchorClicked.emit(QUrl("want/my-microscope.md#what-is-wired-to-what"))
    assert page.text.textCursor().block().text() == "What is wired to what"


def test_the_built_site_is_opened_where_it_is_newer(
    tmp_path: Path, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, site = tmp_path / "docs" / "window.md", tmp_path / "site" / "window.html"
    for file in (text, site):
        file.parent.mkdir()
        file.write_text("# The window", encoding="utf-8")
    os.utime(text, (1000, 1000))
    os.utime(site, (2000, 2000))
    page = find_page("window.md#a", (tmp_path,))
    assert page == Page(site, "a")
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) or True)
    assert open_page(page, window) is None
    assert opened[0].endswith("site/window.html#a")
    os.utime(text, (3000, 3000))
    assert find_page("window.md", (tmp_path,)).path == text


def test_a_page_that_is_not_there_is_reported(window: MainWindow, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"docs/window.md: is in neither .*; install rdl-live again"):
        find_page("window.md", (tmp_path,))
    window.widget.help.folders = (tmp_path,)
    window.widget.help.open("window.md")
    assert "install rdl-live again" in window.widget.notices.text


def test_about_names_the_versions(window: MainWindow) -> None:
    window.widget.commands["about"].trigger()
    box = window.widget.help.window
    assert isinstance(box, QMessageBox)
    wanted = (__version__, sys.version.split()[0], str(qVersion()), *map(metadata.version, ("torch", "pymmcore-plus")))
    for version in wanted:
        assert version in box.text()


def test_diagnostics_are_copied_from_another_process(qtbot: QtBot, window: MainWindow) -> None:
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.setText("before")
    window.widget.notify("Camera: has stalled", Severity.ERROR)
    window.widget.notices.dismiss()
    window.widget.commands["diagnostics"].trigger()
    assert clipboard.text() == "before", "the window does not wait for it"
    qtbot.waitUntil(lambda: "were copied" in window.widget.notices.text, timeout=PATIENCE_MS)
    report = clipboard.text()
    for part in ("rdl-live doctor", "processor cores", "cpu", "pymmcore-plus", "Camera: has stalled", str(qVersion())):
        assert part in report
    session = window.widget.session
    assert isinstance(session, FakeSession)
    assert [what for what, _ in session.asked if what != "watch_disk"] == []


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ((sys.executable, "-c", "import sys; sys.exit('no module torch')"), "exit code 1"),
        (("no-such-program-here",), "failed"),
    ],
)
def test_diagnostics_that_fail_are_still_worth_copying(
    qtbot: QtBot, window: MainWindow, program: tuple[str, ...], wrong: str
) -> None:
    window.widget.help._program = program
    window.widget.commands["diagnostics"].trigger()
    qtbot.waitUntil(lambda: wrong in window.widget.notices.text, timeout=PATIENCE_MS)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert __version__ in clipboard.text()


def test_closing_ends_what_is_asked(window: MainWindow) -> None:
    window.widget.help._program = (sys.executable, "-c", "input()")
    window.widget.commands["diagnostics"].trigger()
    window.widget.help.end()
    assert window.widget.help._diagnostics is not None
    assert not window.widget.help._diagnostics.busy


def test_f1_shows_the_keys(qtbot: QtBot, window: MainWindow) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window.widget, Qt.Key.Key_F1)
    assert isinstance(window.widget.help.window, TableWindow)
