"""A screen for the window's tests: the real X server on a virtual screen where there is one, else Qt's own."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_SCREEN = "1600x1000x24"


def _virtual_screen() -> int | None:
    """Start Xvfb on a display number that it chooses itself, and return its process; None where there is none.

    It ends by itself when its last client has gone.
    """
    program = shutil.which("Xvfb")
    if program is None or not sys.platform.startswith("linux"):
        return None
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
    arguments = [program, "-displayfd", str(writing), "-screen", "0", _SCREEN, "-nolisten", "tcp", "-terminate"]
    process = os.posix_spawn(program, arguments, dict(os.environ), file_actions=quiet)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    if not number:
        return None
    os.environ.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb")
    return process


@pytest.fixture(scope="session", autouse=True)
def screen() -> Iterator[None]:
    """A screen, before Qt looks for one; `QT_QPA_PLATFORM` may choose another."""
    server = None
    if "QT_QPA_PLATFORM" not in os.environ:
        server = _virtual_screen()
        if server is None:
            os.environ["QT_QPA_PLATFORM"] = "offscreen"
    yield
    from qtpy.QtWidgets import QApplication

    if server is not None and QApplication.instance() is None:
        os.kill(server, signal.SIGTERM)


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of the window that are remembered go here, and not into the home of whoever runs the tests."""
    folder = tmp_path / "settings"
    monkeypatch.setenv("RDL_LIVE_CONFIG_DIR", str(folder))
    return folder
