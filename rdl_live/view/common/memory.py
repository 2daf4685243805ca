"""What the window remembers from one start to the next: a JSON file in the user's own folder for settings."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
FOLDER = "RDL_LIVE_CONFIG_DIR"
"""Environment variable that chooses another folder."""


def settings_folder() -> Path:
    """Return the folder for settings, as each system has it."""
    if chosen := os.environ.get(FOLDER):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "rdl-live"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "rdl-live"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rdl-live"


class Memory:
    """Named values that outlive the program. What cannot be read or written is never a reason to fail."""

    def __init__(self, name: str = "window", folder: Path | None = None) -> None:
        """Read what was remembered under a name (each microscope has its own)."""
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) or "window"
        self.path = (folder or settings_folder()) / f"{safe}.json"
        self._values: dict[str, Any] = {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            found = {}
        except (OSError, ValueError, RecursionError) as error:
            _LOG.warning("%s: cannot be read (%s); the window starts as new", self.path, error)
            found = {}
        if isinstance(found, dict):
            self._values = found

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value."""
        return self._values.get(key, default)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """Return a number within limits; the default for anything else."""
        value = self._values.get(key)
        fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return float(value) if fits and value is not None else default

    def put(self, **values: Any) -> None:
        """Remember values that JSON can hold."""
        self._values.update(values)

    def save(self) -> None:
        """Write the file; in one step, so that a crash leaves the old one."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self._values, indent=2) + "\n", encoding="utf-8")
            os.replace(part, self.path)
        except (OSError, TypeError) as error:
            _LOG.warning("%s: cannot be written (%s); the window will not remember its settings", self.path, error)
