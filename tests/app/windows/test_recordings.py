"""From the live window to a recording."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from rdl_live.app.windows.recordings import RecordingWindows
from rdl_live.files.microscope_file import load_microscope
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Activity, Recording, Severity
from rdl_live.view.live.sim_widget import SimWidget
from tests.view import recordings as rec
from tests.view.fake_session import FakeSession

pytestmark = pytest.mark.usefixtures("screen", "own_memory")


@pytest.fixture
def widget(qtbot: QtBot, root: Path, tmp_path: Path) -> SimWidget:
    """The live widget, idle."""
    session = FakeSession(load_microscope(root / "configs" / "demo.yaml"))
    made = SimWidget(session, Memory("test"), tmp_path / "recordings")
    qtbot.addWidget(made, before_close_func=lambda one: one.end())
    return made


def test_the_recording_made_last_is_offered_and_shown(
    qtbot: QtBot, widget: SimWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    rec.record(folder)
    session = widget.session
    assert isinstance(session, FakeSession)
    done = Recording(folder, 5, 5, 1000, False, 3.0, folder / "raw.ome.zarr")
    session.be(Activity.IDLE, recording=done)
    offered: list[str] = []

    def choose(_parent: object, _title: str, start: str) -> str:
        offered.append(start)
        return start

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    windows = RecordingWindows(widget)
    widget.open_wanted.emit()
    assert offered == [str(folder)]
    qtbot.waitUntil(lambda: bool(windows.windows), timeout=60_000)
    (window,) = windows.windows
    qtbot.addWidget(window)
    qtbot.waitUntil(lambda: window.browser.idle, timeout=60_000)
    assert window.browser.source.sizes.times == rec.TIMES
    windows.close()
    assert not window.isVisible()


def test_what_cannot_be_opened_is_told_in_the_live_window(
    qtbot: QtBot, widget: SimWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    windows = RecordingWindows(widget)
    widget.open_wanted.emit()
    qtbot.waitUntil(lambda: widget.notices.notices[-1].severity is Severity.ERROR, timeout=60_000)
    assert windows.windows == []
    assert widget.notices.notices[-1].severity is Severity.ERROR
    assert "no recording of rdl-live" in widget.notices.notices[-1].text
