"""A verb of the command, run in a process whose simulated world is written down from outside the program.

    python -m tests.faults.observed LOG VERB [ARGUMENTS]

A thread writes the world's truth to LOG, one line each 10 ms, as long as the process lives: the time, whether light
reaches the sample, what lets it, and the value of the hardware watchdog's line. It takes orders from stdin, one a line:
`close` the window, `answer-yes` to its questions, `raise` in the view, `raise-engine`, `raise-recorder`, `hang DEVICE`.
The verb `docked` is a host's window with the widget in it. With OBSERVED_RECORDS=FOLDER a window records there, with
OBSERVED_IDLE=1 it does nothing.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rdl_devices.sim import registry
from rdl_devices.sim.shutter import SimShutter
from rdl_devices.sim.world import World

worlds: list[World] = []
sessions: list[Any] = []
windows: list[Any] = []


opened: list[bool] = []
"""Whether the shutter was opened ever."""


def truth(world: World) -> dict[str, Any]:
    """Return what the world says of its light."""
    light = world.light
    return {
        "lit": any(light.share(nm, exposing=True) for nm in light.lines),
        "shutter": light.shutter_open,
        "enabled": any(line.enabled for line in light.lines.values()),
        "percent": max(line.aotf_percent for line in light.lines.values()),
        "opened": bool(opened),
        "beat": getattr(getattr(light.interlock, "__self__", None), "_value", None),
    }


def observe(log: Path) -> None:
    """Write the truth down, from the world's beginning on."""
    begin = registry.begin

    def begun(world: World) -> None:
        begin(world)
        worlds.append(world)

    registry.begin = begun
    set_state = SimShutter._set_state

    def opening(shutter: SimShutter, value: int) -> None:
        set_state(shutter, value)
        opened.extend([True] * bool(value))

    SimShutter._set_state = opening  # type: ignore[method-assign]

    def write() -> None:
        with log.open("a", encoding="utf-8") as file:
            while True:
                for world in worlds[-1:]:
                    file.write(json.dumps({"at": time.time(), **truth(world)}) + "\n")
                    file.flush()
                time.sleep(0.01)

    threading.Thread(target=write, name="observer", daemon=True).start()


def obey() -> None:
    """Do what is read from stdin."""
    for line in sys.stdin:
        order, _, device = line.strip().partition(" ")
        if order == "hang":
            worlds[-1].faults.hang(device)
        elif order == "answer-yes":
            from qtpy.QtWidgets import QMessageBox

            QMessageBox.question = lambda *_, **__: QMessageBox.StandardButton.Yes  # type: ignore[method-assign]
        elif order == "close":
            _in_view(lambda: windows[0].close())
        elif order == "raise":
            _in_view(_fail)
        elif order == "raise-engine":
            from rdl_live.acquire.engine import SimEngine

            SimEngine._hand_on = _fail  # type: ignore[method-assign,assignment]
        elif order == "raise-recorder":
            from rdl_live.files.recorder import Recorder

            Recorder.append = _fail  # type: ignore[method-assign,assignment]


def _fail(*_: object) -> None:
    raise ZeroDivisionError("on demand")


_wanted: list[Any] = []


def _in_view(do: Any) -> None:
    _wanted.append(do)


def _serve_view() -> None:
    """Let a timer of the window do in the view's thread what was asked for."""
    from qtpy.QtCore import QTimer

    timer = QTimer(windows[0])
    timer.timeout.connect(lambda: _wanted.pop()() if _wanted else None)
    timer.start(10)


def _go_live(folder: str | None) -> None:
    """Begin as soon as the devices are loaded: live view, or a recording."""
    if "OBSERVED_IDLE" in os.environ:
        return
    from rdl_live.view.live.session import Activity

    while not sessions or sessions[0].snapshot.activity is not Activity.IDLE:
        time.sleep(0.02)
    if folder:
        sessions[0].record(Path(folder))
    else:
        sessions[0].live()


def _watch_window(folder: str | None) -> None:
    """Let the verb's window be served, and its session go live."""
    from rdl_live.app.session.session import LiveSession
    from rdl_live.view.live.main_window import MainWindow

    start, show = LiveSession.start, MainWindow.showEvent

    def started(session: LiveSession) -> None:
        sessions.append(session)
        start(session)
        if len(sys.argv) < 4 or sys.argv[2] != "demo":
            threading.Thread(target=_go_live, args=(folder,), daemon=True).start()

    def shown(window: MainWindow, event: Any) -> None:
        show(window, event)
        if not windows:
            windows.append(window)
            _serve_view()

    LiveSession.start = started  # type: ignore[method-assign]
    MainWindow.showEvent = shown  # type: ignore[method-assign,assignment]


def docked(microscope: Path, folder: str | None) -> int:
    """Be a host with a core of its own and the widget in a dock."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QDockWidget, QMainWindow

    from rdl_live.acquire import hardware_of, open_core, shutdown
    from rdl_live.app.windows.application import delete_windows, qt_application
    from rdl_live.app.windows.live import docked_widget
    from rdl_live.files import load_microscope

    application = qt_application()
    scope = load_microscope(microscope)
    core = open_core(scope)
    host, dock = QMainWindow(), QDockWidget("SIM")
    widget = docked_widget(core, microscope)
    dock.setWidget(widget)
    host.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    windows.append(host)
    _serve_view()
    sessions.append(widget.session)
    threading.Thread(target=_go_live, args=(folder,), daemon=True).start()
    host.show()
    application.exec()
    widget.session.close()
    widget.session.join(20)
    shutdown(core, hardware_of(scope))
    delete_windows(host)
    return 0


def main() -> None:
    """Run the verb."""
    log, verb, *arguments = sys.argv[1:]
    # Whatever ran the tests may have them ignored, as a shell does in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    observe(Path(log))
    threading.Thread(target=obey, name="orders", daemon=True).start()
    folder = os.environ.get("OBSERVED_RECORDS")
    if verb == "docked":
        sys.exit(docked(Path(arguments[0]), folder))
    if verb == "live" or (verb == "demo" and "--headless" not in arguments):
        _watch_window(folder)
    sys.argv = ["rdl-live", verb, *arguments]
    from rdl_live.cli import main as command

    command()


if __name__ == "__main__":
    main()
