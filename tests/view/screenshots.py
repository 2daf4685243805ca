"""Screenshots of every state, to be looked at: `python -m tests.view.screenshots FOLDER [NAME ...]`, on any screen.

Runs the simulated microscope, breaks it, and saves what the window then shows. No test: a person judges.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("RDL_LIVE_CONFIG_DIR", tempfile.mkdtemp())

from PIL import Image
from qtpy.QtWidgets import QApplication

from rdl_live.app.retrain.desk import RetrainDesk
from rdl_live.app.windows.application import qt_application
from rdl_live.app.windows.demo import DemoRequests, demo_session
from rdl_live.view.common.memory import Memory
from rdl_live.view.common.theme import Theme
from rdl_live.view.live.main_window import MainWindow
from rdl_live.view.live.session import Activity
from rdl_live.view.live.sim_widget import SimWidget
from rdl_live.view.retrain.panel import RetrainPanel
from rdl_live.view.stage.panel import StagePanel

if TYPE_CHECKING:
    from rdl_devices.sim import World

APPLICATION = qt_application()
PATIENCE_S = 240.0


class Scene:
    """A window on a running demo."""

    def __init__(
        self, folder: Path, size: tuple[int, int], *, denoise: str | None = None, recordings: Path | None = None
    ) -> None:
        self.folder = folder
        self.memory = Memory("shots")
        self.session = demo_session(DemoRequests(denoise=denoise), self.memory)
        self.desk = RetrainDesk(self.session)
        recordings = recordings or Path(tempfile.mkdtemp()) / "recordings"
        self.widget = SimWidget(self.session, self.memory, recordings, retrainer=self.desk)
        self.window = MainWindow(self.widget, "rdl-live: demo microscope")
        self.window.asks = False
        self.window.showNormal()
        self.window.resize(*size)
        self.session.start()

    @property
    def world(self) -> "World":
        from rdl_devices.sim import world_of

        bench = self.session._bench
        assert bench is not None
        assert bench.core is not None
        return world_of(bench.core)

    def wait(self, seconds: float = 0.0, until: Callable[[], object] = lambda: False) -> None:
        """Let the window live."""
        deadline = time.monotonic() + (seconds or PATIENCE_S)
        while time.monotonic() < deadline and not until():
            QApplication.processEvents()
            time.sleep(0.005)

    def shoot(self, name: str) -> None:
        """Save what is seen."""
        self.wait(0.5)
        path = self.folder / f"{name}.png"
        self.window.grab().save(str(path))
        with Image.open(path) as image:  # with 256 colours it takes half of the bytes
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        print(name, self.session.snapshot.activity, [n.text[:90] for n in self.session.notices(0)][-3:], flush=True)

    def at(self, *activities: Activity) -> None:
        """Wait until it is at something."""
        self.wait(until=lambda: self.session.snapshot.activity in activities)

    def image(self) -> None:
        """Wait for an image."""
        self.wait(until=lambda: self.session.snapshot.counts.images > 3)
        self.wait(4)

    def end(self) -> None:
        """Close it."""
        self.window.close()
        self.session.join(60)
        self.desk.close()
        self.window.deleteLater()
        self.wait(0.2)


def quiet_states(folder: Path, size: tuple[int, int] = (1366, 768), suffix: str = "") -> None:
    """Opening, live, light colours, split, recording, done."""
    scene = Scene(folder, size)
    scene.shoot(f"opening{suffix}")
    scene.image()
    scene.shoot(f"live{suffix}")
    scene.window.use_theme(Theme.LIGHT)
    scene.shoot(f"live-light{suffix}")
    scene.window.use_theme(Theme.DARK)
    scene.widget.commands["split"].trigger()
    scene.shoot(f"split{suffix}")
    scene.widget.commands["split"].trigger()
    scene.widget.record()
    scene.at(Activity.RECORDING)
    scene.wait(8)
    scene.shoot(f"recording{suffix}")
    scene.session.stop()
    scene.at(Activity.IDLE)
    scene.shoot(f"idle{suffix}")
    scene.end()


def denoised(folder: Path, size: tuple[int, int] = (1366, 768), suffix: str = "") -> None:
    """Dim light, denoised, with and without the shading of doubt."""
    scene = Scene(folder, size, denoise="rdl")
    scene.session.change(power_percent=5.0)
    scene.image()
    scene.wait(10)
    scene.shoot(f"denoised{suffix}")
    scene.widget.commands["doubt"].trigger()
    scene.widget.grid.show_alone("denoised")
    scene.shoot(f"doubt{suffix}")
    scene.end()


def tools(folder: Path) -> None:
    """Plan editor and spectrum."""
    scene = Scene(folder, (1366, 768))
    scene.image()
    scene.widget.commands["plan"].trigger()
    scene.widget.commands["spectrum"].trigger()
    scene.wait(3)
    for name, window in scene.widget.panels.windows.items():
        window.grab().save(str(folder / f"tool-{name}.png"))
    scene.end()


def hung_camera(folder: Path) -> None:
    """The camera hangs; stop is pressed."""
    scene = Scene(folder, (1366, 768))
    scene.image()
    scene.world.faults.hang("Camera")
    scene.wait(2)
    scene.shoot("hung-camera")
    scene.session.stop()
    scene.at(Activity.IDLE, Activity.BROKEN)
    scene.shoot("hung-camera-stopped")
    scene.end()


def hung_slm(folder: Path) -> None:
    """The SLM hangs; stop is pressed: the devices are to be connected anew."""
    scene = Scene(folder, (1366, 768))
    scene.image()
    scene.world.faults.hang("SLM")
    scene.wait(3)
    scene.session.stop()
    scene.at(Activity.IDLE, Activity.BROKEN)
    scene.shoot("hung-slm-stopped")
    scene.end()


def refusing_laser(folder: Path) -> None:
    """The AOTF refuses a power."""
    scene = Scene(folder, (1366, 768))
    scene.image()
    scene.world.faults.refuse("AOTF", "Power_488_pct", 80.0)
    scene.session.change(power_percent=80.0)
    scene.at(Activity.IDLE)
    scene.shoot("refusing-laser")
    scene.end()


def full_disk(folder: Path) -> None:
    """The disk is full but for the reserve."""
    import rdl_live.files.recorder.sink as sink

    scene = Scene(folder, (1366, 768))
    scene.image()
    scene.widget.record()
    scene.at(Activity.RECORDING)
    scene.wait(4)
    free = sink.FolderSink.free_bytes
    sink.FolderSink.free_bytes = lambda _: 300_000_000  # type: ignore[method-assign]
    scene.at(Activity.IDLE)
    snapshot = replace(scene.session.snapshot, disk_free_bytes=300_000_000)
    scene.widget.panels.show_snapshot(snapshot)
    scene.shoot("full-disk")
    sink.FolderSink.free_bytes = free  # type: ignore[method-assign]
    scene.end()


def falling_score(folder: Path) -> None:
    """The pattern fades: one orientation after the other loses its contrast."""
    scene = Scene(folder, (1366, 768))
    scene.image()
    scene.world.change(modulation=0.15)
    scene.wait(12)
    scene.shoot("falling-score")
    scene.world.change(modulation=0.0)
    scene.wait(20)
    scene.shoot("no-pattern")
    scene.end()


def retraining(folder: Path) -> None:
    """A dim recording, a retraining on it while it is live, its end, the exchange."""
    scene = Scene(folder, (1366, 768), denoise="rdl")
    scene.session.turn(kind="reticulum")
    scene.session.change(power_percent=3.0)
    scene.image()
    scene.widget.record()
    scene.wait(until=lambda: (made := scene.session.snapshot.recording) is not None and made.series >= 24)
    scene.session.stop()
    scene.at(Activity.IDLE)
    scene.wait(1)
    scene.widget.commands["retrain"].trigger()
    panel = scene.widget.panels.get("retrain")
    assert isinstance(panel, RetrainPanel)
    panel.minutes.setCurrentIndex(0)

    def shoot(name: str) -> None:
        scene.wait(0.5)
        panel.window().grab().save(str(folder / f"{name}.png"))

    shoot("retrain-before")
    panel.start_button.click()
    scene.session.live()
    scene.wait(until=lambda: (now := scene.desk.progress) is not None and now.held_out is not None)
    shoot("retrain-training")
    scene.shoot("retrain-live")
    scene.wait(600, until=lambda: (now := scene.desk.progress) is not None and now.phase.over)
    shoot("retrain-done")
    print(scene.desk.progress, flush=True)
    panel.use_button.click()
    scene.wait(10)
    shoot("retrain-used")
    scene.shoot("retrain-swapped")
    panel.back_button.click()
    scene.wait(5)
    scene.shoot("retrain-back")
    scene.end()


def large(folder: Path) -> None:
    """A 4K screen; with QT_SCALE_FACTOR=2 its pixels are scaled."""
    scale = float(os.environ.get("QT_SCALE_FACTOR", "1"))
    scene = Scene(folder, (round(3840 / scale), round(2100 / scale)), denoise="rdl")
    scene.image()
    scene.wait(5)
    scene.shoot(f"4k-{scale:g}")
    scene.end()


def stage(folder: Path) -> None:
    """Stage and focus: where it was, marked places, moving in the image."""
    scene = Scene(folder, (1366, 728))
    scene.image()
    scene.widget.commands["stage"].trigger()
    panel = scene.widget.panels.get("stage")
    assert isinstance(panel, StagePanel)
    panel.by_mouse.click()
    for x, y in ((0.0, 0.0), (14.0, 0.0), (14.0, 14.0), (0.0, 14.0)):
        scene.session.move({"x": x, "y": y})
        scene.wait(6)
        if x == y:
            panel.table.mark_button.click()
    panel.window().grab().save(str(folder / "stage-panel.png"))
    scene.shoot("stage-window")
    scene.end()


def readme(folder: Path) -> None:
    """The README's pictures: the demo at its defaults, dark and light, and a laser that refuses a power."""
    scene = Scene(folder, (1500, 900), recordings=Path("/data/recordings"))  # nothing is recorded here
    scene.image()
    scene.wait(until=lambda: scene.widget.images is not None and scene.widget.images.errors.get("denoised"))
    scene.wait(8)
    scene.shoot("window-denoised")
    scene.window.use_theme(Theme.LIGHT)
    scene.shoot("window-live")
    scene.window.use_theme(Theme.DARK)
    scene.world.faults.refuse("AOTF", "Power_488_pct", 80.0)
    scene.session.change(power_percent=80.0)
    scene.at(Activity.IDLE)
    scene.shoot("window-refused")
    scene.end()


SCENES: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (
        quiet_states,
        denoised,
        tools,
        hung_camera,
        hung_slm,
        refusing_laser,
        full_disk,
        falling_score,
        retraining,
        large,
        stage,
        readme,
    )
}

if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for wanted in sys.argv[2:] or list(SCENES):
        SCENES[wanted](target)
