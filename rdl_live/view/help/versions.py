"""Which program this is, and on what it stands. Without Qt's windows; loads no package to ask for its version."""

import platform
from importlib import metadata

from qtpy import API_NAME
from qtpy.QtCore import qVersion

from rdl_live._version import __version__

_PACKAGES = ("torch", "pymmcore-plus")


def versions() -> list[tuple[str, str]]:
    """Return name and version of the program and of what matters beneath it."""
    return [
        ("rdl-live", __version__),
        ("Python", platform.python_version()),
        ("Qt", f"{qVersion()} ({API_NAME})"),
        *((name, _version(name)) for name in _PACKAGES),
        ("system", platform.platform()),
    ]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
