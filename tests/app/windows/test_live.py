"""The window on the simulated microscope, from the first click to the recording: the whole program but for its loop."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pymmcore_plus")
pytest.importorskip("qtpy")

from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QDockWidget, QFileDialog, QLineEdit, QMainWindow, QWidget

from rdl_live.app.windows.demo import DemoRequests, demo_session
from rdl_live.app.windows.live import docked_widget
from rdl_live.app.windows.recordings import RecordingWindows
from rdl_live.app.windows.screen import no_screen
from rdl_live.files.recorder import open_recording
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import Activity, Light
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.plan.panel import PlanPanel
from tests.busy import BUSY

if TYPE_CHECKING:
    from rdl_devices.sim import World

pytestmark = pytest.mark.usefixtures("screen", "own_memory")

LEFT = Qt.MouseButton.LeftButton
PATIENCE_MS = 120_000


class Desk:
    """A window with its session, and patience."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.bot = qtbot
        self.memory = Memory("test")
        self.session = demo_session(DemoRequests(size=96), self.memory)
        self.widget = SimWidget(self.session, self.memory, folder)
        self.window = MainWindow(self.widget, "test")
        self.window.asks = False
        qtbot.addWidget(self.window)
        self.window.resize(1366, 768)
        with qtbot.waitExposed(self.window):
            self.window.show()
        self.window.activateWindow()  # keys go to the active window only
        qtbot.waitUntil(self.window.isActiveWindow)
        self.session.start()

    @property
    def world(self) -> "World":
        from rdl_devices.sim import world_of

        bench = self.session._bench
        assert bench is not None
        assert bench.core is not None
        return world_of(bench.core)

    @property
    def lit(self) -> bool:
        """Whether light reaches the sample, by the world's truth."""
        world = self.world
        return sum(world.light.share(nm, exposing=True) for nm in world.settings.lines) > 0

    def until(self, condition: Callable[[], object]) -> None:
        self.bot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def at(self, activity: Activity) -> None:
        self.until(lambda: self.session.snapshot.activity is activity)

    def click(self, name: str) -> None:
        found = self.window.findChild(QWidget, name)
        assert found is not None
        self.until(found.isEnabled)  # the window looks at the session now and then only
        self.bot.mouseClick(found, LEFT)

    def image(self) -> None:
        """Wait for a super-resolved image on the screen."""
        self.until(lambda: self.widget.grid.panes["sim"].picture is not None)

    def end(self) -> None:
        self.window.close()
        assert self.session.join(60)


@pytest.fixture
def desk(qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    """An open window; the demo goes live by itself."""
    made = Desk(qtbot, tmp_path / "recordings")
    yield made
    made.end()


def test_a_day_in_a_minute(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live, light, zoom, split, record, stop, open the recording, plan a time-lapse and run it."""
    assert desk.window.isVisible()  # before any device is loaded
    desk.image()
    desk.at(Activity.LIVE)
    assert desk.lit
    # light
    box = desk.window.findChild(QWidget, "power")
    box.setFocus()
    box.findChild(QLineEdit).selectAll()
    desk.bot.keyClicks(box, "80")
    desk.bot.keyClick(box, Qt.Key.Key_Return)
    desk.until(lambda: desk.world.exposures[-1].irradiance.get(488) == pytest.approx(8.0))
    desk.widget.controls.exposure.box.setValue(5.0)
    desk.until(lambda: desk.world.exposures[-1].exposure_ms == 5)
    assert desk.session.snapshot.activity is Activity.LIVE
    # zoom, pan, split
    canvas = desk.widget.grid.panes["raw"].canvas
    desk.widget.grid.viewport.zoom_at(3.0, 3.0, 3.0)
    centre = desk.widget.grid.viewport.centre_um
    desk.bot.mousePress(canvas, LEFT, pos=QPoint(40, 40))
    desk.bot.mouseMove(canvas, QPoint(60, 50))
    desk.bot.mouseRelease(canvas, LEFT, pos=QPoint(60, 50))
    assert desk.widget.grid.viewport.centre_um != centre
    desk.bot.keyClick(desk.widget, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert desk.widget.grid.splits
    desk.bot.keyClick(desk.widget, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    # record, stop
    desk.click("button-record")
    desk.at(Activity.RECORDING)
    desk.until(lambda: (r := desk.session.snapshot.recording) is not None and r.series >= 3)
    desk.click("button-stop")
    desk.at(Activity.IDLE)
    assert not desk.lit
    (first,) = (tmp_path / "recordings").iterdir()
    assert open_recording(first / "raw.ome.zarr").complete.sum() >= 3
    # open the recording
    opener = RecordingWindows(desk.widget)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(first))
    desk.widget.commands["open"].trigger()
    desk.until(lambda: bool(opener.windows))
    (browser,) = opener.windows
    assert browser.isVisible()
    opener.show(tmp_path)
    desk.until(lambda: "no recording of rdl-live" in desk.widget.notices.text)
    opener.close()
    # plan
    desk.click("button-plan")
    editor = desk.widget.panels.get("plan")
    assert isinstance(editor, PlanPanel)
    editor.model.set(("time", "points"), 4)
    desk.click("plan-run")
    desk.at(Activity.RECORDING)
    desk.at(Activity.IDLE)
    planned = max((tmp_path / "recordings").iterdir(), key=lambda folder: folder.stat().st_mtime)
    assert planned != first
    assert len(open_recording(planned / "raw.ome.zarr")) == 4
    assert not desk.lit


@pytest.mark.parametrize("device", ["Camera", "SLM"])
def test_a_device_that_hangs_leaves_the_window_alive_and_stop_working(desk: Desk, device: str) -> None:
    desk.image()
    desk.world.faults.hang(device)
    turns = 0
    desk.click("button-stop")
    began = time.monotonic()
    while desk.lit:
        desk.bot.wait(10)
        turns += 1
        assert time.monotonic() - began < 1.0 * BUSY
    desk.until(lambda: desk.session.snapshot.activity in (Activity.IDLE, Activity.BROKEN))
    assert desk.session.snapshot.light is Light.OFF
    desk.world.faults.clear()
    desk.widget.commands["reconnect"].trigger()
    desk.at(Activity.IDLE)
    desk.widget.images = None
    desk.click("button-live")
    desk.until(lambda: desk.widget.images is not None and desk.widget.images["sim"] is not None)


def test_docked_in_a_foreign_window_on_a_foreign_core(qtbot: QtBot, root: Path) -> None:
    from rdl_live.acquire import open_core, shutdown
    from rdl_live.files import load_microscope

    scope = load_microscope(root / "configs" / "demo.yaml")
    core = open_core(scope)
    core.setProperty("Camera", "SensorSize_px", 96)
    core.setProperty("World", "Refresh_ms", 1e6)
    host = QMainWindow()
    qtbot.addWidget(host)
    palette = host.palette()
    dock = QDockWidget("SIM", host)
    widget = docked_widget(core, scope)
    dock.setWidget(widget)
    host.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    host.resize(1200, 700)
    with qtbot.waitExposed(host):
        host.show()
    host.activateWindow()
    qtbot.waitUntil(host.isActiveWindow)
    try:
        qtbot.waitUntil(lambda: widget.session.snapshot.activity is Activity.IDLE, timeout=PATIENCE_MS)
        live = widget.findChild(QWidget, "button-live")
        assert live is not None
        qtbot.waitUntil(live.isEnabled, timeout=PATIENCE_MS)
        qtbot.mouseClick(live, LEFT)
        qtbot.waitUntil(lambda: widget.images is not None and widget.images["raw"] is not None, timeout=PATIENCE_MS)
        assert host.palette() == palette  # the host's colours are its own
        widget.end()
        widget.session.close()
        assert widget.session.join(60)
        assert not core.getShutterOpen("Shutter")
        core.snapImage()  # the core is still the host's
    finally:
        shutdown(core, scope.hardware)


def test_a_screen_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only X and Wayland can be missing")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert no_screen() == "there is no screen (DISPLAY is not set)"
    monkeypatch.setenv("DISPLAY", ":987")
    assert no_screen() == "the screen :987 does not answer"
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert no_screen() is None


def test_the_window_needs_neither_torch_nor_micro_manager() -> None:
    code = (
        "import sys; import rdl_live.app.windows.live, rdl_live.app.windows.demo; "
        "import rdl_live.view.live.main_window, rdl_live.view.live.sim_widget; "
        "print(sorted({'torch', 'pymmcore', 'zarr', 'pyqtgraph', 'pydantic', 'tifffile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_paths(), check=True)
    assert done.stdout.strip() == "[]"


def test_going_live_loads_no_statistics_and_no_file_formats() -> None:
    code = (
        "import sys; import rdl_live.app.session.run, rdl_live.app.session.bench, rdl_live.app.live.run; "
        "print(sorted({'scipy', 'zarr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_paths(), check=True)
    assert done.stdout.strip() == "[]"


def test_where_there_is_no_screen_the_demo_says_so_and_runs(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only X and Wayland can be missing")
    environment = {k: v for k, v in _paths().items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    code = "import sys; from rdl_live.cli import main; sys.argv = ['rdl-live', 'demo', '--size', '64']; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stderr is not None
    words = process.stderr.readline().decode()
    process.terminate()
    process.communicate(timeout=120)
    assert "no screen" in words
    assert "headless" in words


def _paths() -> dict[str, str]:
    root = Path(__file__).parents[3]
    folders = os.pathsep.join(str(folder) for folder in (root, root / "devices", root / "models"))
    return {**os.environ, "PYTHONPATH": folders}
