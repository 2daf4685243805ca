"""The window, put together: session, widget, memory. The window is shown first, devices are loaded behind it.

Loads Qt, and neither torch nor Micro-Manager: these come in the session's thread.
"""

import logging
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rdl_live.app.config_files import config_file
from rdl_live.app.denoiser import DEFAULT
from rdl_live.app.quiet import quiet_micro_manager
from rdl_live.app.session.goals import Wishes
from rdl_live.app.session.session import LiveSession
from rdl_live.app.windows.endings import guard_host, window_endings
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Settings

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus
    from qtpy.QtWidgets import QApplication

    from rdl_live.optics.microscope import Microscope
    from rdl_live.view.live.sim_widget import SimWidget

_LOG = logging.getLogger(__name__)

END_S = 15.0
"""How long devices may take to go dark and be unloaded when the window has been closed."""
DEMO_SIDE = 256
DEMO = Settings(
    channel="488", power_percent=50.0, exposure_ms=10.0, region=(128, 128, DEMO_SIDE, DEMO_SIDE), denoiser=DEFAULT
)


@dataclass(frozen=True)
class DemoWishes:
    """What `rdl-live demo` was asked for; None: as it was left, or as usual."""

    photons: float | None = None
    size: int | None = None
    denoise: str | None = None
    specimen: str | None = None
    seed: int | None = None

    def check(self) -> None:
        """Raise ConfigError for what cannot be shown, before anything is opened; loads more than the window where
        something was asked for."""
        if self != DemoWishes():
            from rdl_live.app.live_demo import DemoSettings

            asked = {name: value for name, value in asdict(self).items() if value is not None}
            DemoSettings(Path(), **asked).check()


def demo_session(wishes: DemoWishes, memory: Memory) -> LiveSession:
    """Return the session of the simulated microscope; it goes live as soon as its devices are loaded."""
    settings = recalled(memory, DEMO)
    if wishes.photons is not None:
        power = min(100.0, wishes.photons)  # 10 photons per pixel and ms at full power, 10 ms
        settings = replace(settings, power_percent=power, exposure_ms=10.0 * max(1.0, wishes.photons / 100.0))
    if wishes.size is not None:
        corner = (512 - wishes.size) // 2
        settings = replace(settings, region=(corner, corner, wishes.size, wishes.size))
    if wishes.denoise is not None:
        settings = replace(settings, denoiser=wishes.denoise)

    def prepare(core: "CMMCorePlus") -> None:
        quiet_micro_manager()
        # Drawing the moving specimen is the simulation's largest cost; in this time it moves by 20 nm.
        core.setProperty("World", "Refresh_ms", 200)
        for name, value in (("Specimen_488", wishes.specimen), ("SpecimenSeed_488", wishes.seed)):
            if value is not None:
                core.setProperty("World", name, value)
        threading.Thread(target=_grow, args=(core, settings), name="rdl-specimen").start()

    session = LiveSession(config_file("demo.yaml"), Wishes(settings), prepare=prepare)
    session.live()
    return session


def _grow(core: "CMMCorePlus", settings: Settings) -> None:
    """Let the simulated specimen grow while the rest of the program is loaded; the first exposure would wait for it."""
    from rdl_devices.sim import world_of
    from rdl_devices.sim.view import Region

    world, region = world_of(core), settings.region or (0, 0, 512, 512)
    try:
        seen = Region(region[1], region[0], region[3], region[2])
        world.view.prepare(int(settings.channel), seen, world.stage_um, world.clock.now())
    except (ValueError, RuntimeError):  # the first exposure will say what is wrong
        _LOG.debug("the specimen was not grown beforehand", exc_info=True)


def microscope_session(microscope: "Path | Microscope", memory: Memory, denoise: str | None = None) -> LiveSession:
    """Return the session of a microscope; the light stays off until the user asks for it."""
    settings = recalled(memory, Settings(power_percent=5.0))
    if denoise is not None:
        settings = replace(settings, denoiser=denoise)
    return LiveSession(microscope, Wishes(settings), prepare=lambda _: quiet_micro_manager())


def docked_widget(core: "CMMCorePlus", microscope: "Microscope | Path | str") -> "SimWidget":
    """Return the widget for a core that another program owns (pymmcore-gui, napari, a script).

    The core keeps its devices when the widget is closed; they must be those that the microscope's hardware section
    names. The host closes the widget's session: `widget.session.close()`. Until then signals and exceptions that would
    end the host's process turn the light off first (the host's own handlers follow), as does a widget that is deleted.

    Args:
        core: open, with its devices loaded.
        microscope: with its hardware section, or its file.
    """
    from rdl_live.app.retrain.desk import RetrainDesk
    from rdl_live.view.live.sim_widget import SimWidget

    # Each microscope has its own memory: the power of one is not that of another.
    name = Path(microscope).stem if isinstance(microscope, Path | str) else microscope.name
    memory = Memory(f"docked-{name}")
    session = LiveSession(microscope, Wishes(recalled(memory, Settings(power_percent=5.0))), core=core)
    widget = SimWidget(session, memory, retrainer=RetrainDesk(session))
    session.ended.append(guard_host(session))
    session.start()
    return widget


def recalled(memory: Memory, default: Settings) -> Settings:
    """Return the settings of the last time, as far as they make sense."""
    found = memory.get("settings")
    if not isinstance(found, dict):
        return default
    region = found.get("region")
    whole = isinstance(region, list) and len(region) == 4 and all(isinstance(n, int) and n >= 0 for n in region)
    return Settings(
        channel=str(found.get("channel") or default.channel),
        power_percent=_number(found.get("power_percent"), default.power_percent, 0.1, 100.0),
        exposure_ms=_number(found.get("exposure_ms"), default.exposure_ms, 0.5, 1000.0),
        region=(region[0], region[1], region[2], region[3]) if whole and region else default.region,
        denoiser=_denoiser(found.get("denoiser"), default.denoiser),
    )


def run_window(session: LiveSession, title: str, memory: Memory, folder: Path | None = None) -> int:
    """Show the window until it is closed; return the exit code.

    Args:
        session: not started yet.
        title: of the window.
        memory: what is remembered for the next start.
        folder: where recordings go; by default where they went last.
    """
    from qtpy.QtCore import QTimer

    from rdl_live.app.retrain.desk import RetrainDesk
    from rdl_live.app.windows.recordings import RecordingWindows
    from rdl_live.view.live.main_window import MainWindow
    from rdl_live.view.live.sim_widget import SimWidget

    application = qt_application()
    desk = RetrainDesk(session)
    widget = SimWidget(session, memory, folder, retrainer=desk)
    recordings = RecordingWindows(widget)
    window = MainWindow(widget, title)
    window.show()
    # Not before the window is painted: loading takes the interpreter's lock for seconds.
    QTimer.singleShot(50, session.start)
    with window_endings(session, window) as signals:
        application.exec()
        recordings.close()
        desk.cancel()
        session.close()
        ended = session.join(END_S)
        desk.close()
    if not ended:
        print("error: the devices do not end; check that the light is off", file=sys.stderr, flush=True)
        # A device that hangs in C++ code would abort the process at its orderly end.
        os._exit(1)
    for notice in session.notices(0):
        if "BY HAND" in notice.text:
            print(f"{notice.severity.value}: {notice.text}", file=sys.stderr)
    return 130 if signal.SIGINT in signals else 0


def qt_application() -> "QApplication":
    """Return Qt's application; one is made where there is none."""
    from qtpy.QtWidgets import QApplication

    found = QApplication.instance()
    application = found if isinstance(found, QApplication) else QApplication(["rdl-live"])
    application.setApplicationName("rdl-live")
    return application


def _denoiser(name: object, default: str) -> str:
    """Return the denoiser of the last time, unless it was a file that is gone."""
    if not isinstance(name, str) or not name or (Path(name).suffix and not Path(name).is_file()):
        return default
    return name


def _number(value: object, default: float, low: float, high: float) -> float:
    return float(value) if isinstance(value, int | float) and low <= value <= high else default
