"""Where stage and focus are, read now and then by a thread of its own: a stage that hangs must hold nothing else up."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)

EVERY_S = 1.0
STALE_S = 4.0
"""A position that is older is not known any more: the stage does not answer."""
END_S = 1.0


class StageWatch:
    """Reads the position of one XY stage, and of one focus drive, until it is closed."""

    def __init__(self, core: "CMMCorePlus", label: str | None, focus: str | None = None) -> None:
        """Begin to read.

        Args:
            core: with the devices loaded.
            label: of the stage; None where there is none.
            focus: of the focus drive; None where there is none.
        """
        self._core = core
        self._readers: dict[str, Callable[[], tuple[float, ...]]] = {}
        if label is not None:
            self._readers[label] = lambda: tuple(core.getXYPosition(label))
        if focus is not None:
            self._readers[focus] = lambda: (core.getPosition(focus),)
        self._label, self._focus = label, focus
        self._read: dict[str, tuple[float, tuple[float, ...]]] = {}
        self._silent: set[str] = set()
        """Devices that have not answered, which is logged once."""
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name="rdl-stage", daemon=True)
        self._thread.start()

    @property
    def position_um(self) -> tuple[float, float] | None:
        """x and y [um]; None before it was read, where there is no stage, and where it does not answer."""
        found = self._last(self._label)
        return None if found is None else (found[0], found[1])

    @property
    def focus_um(self) -> float | None:
        """z [um]; None before it was read, where there is no focus drive, and where it does not answer."""
        found = self._last(self._focus)
        return None if found is None else found[0]

    def read(self) -> None:
        """Read soon: something has moved."""
        self._wanted.set()

    def close(self) -> None:
        """End, and wait a little for that."""
        self._closing = True
        self._wanted.set()
        self._thread.join(END_S)

    def _last(self, label: str | None) -> tuple[float, ...] | None:
        read = None if label is None else self._read.get(label)
        return None if read is None or time.monotonic() - read[0] > STALE_S else read[1]

    def _watch(self) -> None:
        while not self._closing:
            self._wanted.clear()
            for label, reader in self._readers.items():
                try:
                    found = reader()
                except (RuntimeError, OSError, ValueError) as error:
                    if label not in self._silent:
                        _LOG.warning("%s: its position cannot be read (%s)", label, error)
                    self._silent.add(label)
                else:
                    self._read[label] = (time.monotonic(), tuple(round(float(one), 3) for one in found))
            self._wanted.wait(EVERY_S)
