"""Is there a screen? Asked before Qt is loaded: without one Qt ends the whole process."""

import os
import socket
import sys
from importlib.util import find_spec

SHOWN_BY = {"offscreen", "minimal", "vnc", "wayland", "linuxfb", "eglfs"}
"""Platforms of Qt that need no X server."""


def no_screen() -> str | None:
    """Return why no window can be opened, in words; None if one can."""
    if not any(find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5", "PySide2")):
        return "Qt is not installed"
    if not sys.platform.startswith("linux"):
        return None
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    if platform in SHOWN_BY or (os.environ.get("WAYLAND_DISPLAY") and platform != "xcb"):
        return None
    display = os.environ.get("DISPLAY")
    if not display:
        return "there is no screen (DISPLAY is not set)"
    if not _answers(display):
        return f"the screen {display} does not answer"
    return None


def _answers(display: str) -> bool:
    """Whether an X server listens where DISPLAY says: "host:number.screen", a socket of this computer without host."""
    host, _, rest = display.rpartition(":")
    number = rest.split(".")[0]
    if not number.isdigit():
        return False
    places: list[tuple[int, object]] = [
        (socket.AF_INET, (host.removeprefix("tcp/") or "localhost", 6000 + int(number)))
    ]
    if host in ("", "unix"):
        places = [(socket.AF_UNIX, f"{prefix}/tmp/.X11-unix/X{number}") for prefix in ("\0", "")]
    for family, address in places:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(1.0)
            try:
                one.connect(address)  # type: ignore[arg-type]
            except OSError:
                continue
            return True
    return False
