"""The window, put together: session, widget, memory. The window is shown first, devices are loaded behind it.

Loads Qt, and neither torch nor Micro-Manager: these come in the session's thread.
"""

import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rdl_live.app.quiet import quiet_micro_manager
from rdl_live.app.session.goals import Requests
from rdl_live.app.session.session import LiveSession
from rdl_live.app.windows.application import delete_windows, qt_application
from rdl_live.app.windows.endings import guard_host, window_endings
from rdl_live.app.windows.recalled import recalled
from rdl_live.app.windows.recordings import RecordingWindows
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Settings

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from rdl_live.optics.microscope import Microscope
    from rdl_live.view.live.sim_widget import SimWidget

_LOG = logging.getLogger(__name__)

CAUTIOUS = Settings(power_percent=5.0)
"""Settings of a microscope that was never used before."""
END_S = 15.0
"""How long devices may take to go dark and be unloaded when the window has been closed."""


def microscope_session(
    microscope: "Path | Microscope", memory: Memory, denoise: str | None = None, *, series_memory: bool | None = None
) -> LiveSession:
    """Return the session of a microscope; the light stays off until the user asks for it."""
    settings = recalled(memory, CAUTIOUS)
    if denoise is not None:
        settings = replace(settings, denoiser=denoise)
    if series_memory is not None:
        settings = replace(settings, memory=series_memory)
    return LiveSession(microscope, Requests(settings), prepare=lambda _: quiet_micro_manager())


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
    from rdl_live.view.common.garbage import collect_in_host
    from rdl_live.view.live.sim_widget import SimWidget

    # Each microscope has its own memory: the power of one is not that of another.
    name = Path(microscope).stem if isinstance(microscope, Path | str) else microscope.name
    memory = Memory(f"docked-{name}")
    session = LiveSession(microscope, Requests(recalled(memory, CAUTIOUS)), core=core)
    widget = SimWidget(session, memory, retrainer=RetrainDesk(session), defaults=CAUTIOUS)
    session.ended.append(guard_host(session))
    collect_in_host()
    session.start()
    return widget


def run_window(
    session: LiveSession, title: str, memory: Memory, folder: Path | None = None, defaults: Settings | None = None
) -> int:
    """Show the window until it is closed; return the exit code.

    Args:
        session: not started yet.
        title: of the window.
        memory: what is remembered for the next start.
        folder: where recordings go; by default where they went last.
        defaults: what "Reset to defaults" sets; little light where left out.
    """
    defaults = defaults or CAUTIOUS
    from qtpy.QtCore import QTimer

    from rdl_live.app.retrain.desk import RetrainDesk
    from rdl_live.view.common.garbage import collecting_between_events
    from rdl_live.view.live.main_window import MainWindow
    from rdl_live.view.live.sim_widget import SimWidget

    application = qt_application()
    desk = RetrainDesk(session)
    widget = SimWidget(session, memory, folder, retrainer=desk, defaults=defaults)
    recordings = RecordingWindows(widget)
    window = MainWindow(widget, title)
    window.show()
    # Not before the window is painted: loading takes the interpreter's lock for seconds.
    QTimer.singleShot(50, session.start)
    with collecting_between_events(), window_endings(session, window) as signals:
        application.exec()
        recordings.close()
        desk.cancel()
        session.close()
        ended = session.join(END_S)
        desk.close()
    for notice in session.notices(0):
        if "BY HAND" in notice.text:
            print(f"{notice.severity.value}: {notice.text}", file=sys.stderr)
    if not ended:
        print("error: the devices do not shut down; check that the light is off", file=sys.stderr, flush=True)
        # A device that hangs in C++ code would abort the process at its orderly end.
        os._exit(1)
    delete_windows(*recordings.windows, window)
    return 130 if signal.SIGINT in signals else 0
