"""Where the stage is, read now and then by a thread of its own: a stage that hangs must hold nothing else up."""

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)

EVERY_S = 1.0
STALE_S = 4.0
"""A position that is older is not known any more: the stage does not answer."""
END_S = 1.0


class StageWatch:
    """Reads the position of one XY stage until it is closed."""

    def __init__(self, core: "CMMCorePlus", label: str) -> None:
        """Begin to read.

        Args:
            core: with the stage loaded.
            label: of the stage.
        """
        self._core, self._label = core, label
        self._read: tuple[float, tuple[float, float]] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rdl-stage", daemon=True)
        self._thread.start()

    @property
    def position_um(self) -> tuple[float, float] | None:
        """x and y [um]; None before it was read, and where the stage does not answer."""
        read = self._read
        return None if read is None or time.monotonic() - read[0] > STALE_S else read[1]

    def close(self) -> None:
        """End, and wait a little for that."""
        self._closing.set()
        self._thread.join(END_S)

    def _watch(self) -> None:
        told = False
        while not self._closing.is_set():
            try:
                x, y = self._core.getXYPosition(self._label)
            except (RuntimeError, OSError, ValueError) as error:
                if not told:
                    _LOG.warning("%s: its position cannot be read (%s)", self._label, error)
                told = True
            else:
                self._read = (time.monotonic(), (round(float(x), 3), round(float(y), 3)))
            self._closing.wait(EVERY_S)
