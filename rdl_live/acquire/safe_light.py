"""The light of a run as everybody but its engine sees it: whether it is on, what lights, and how to turn it off.

One object for the whole program: who shows a run or stops it holds this, and need not go through who runs it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rdl_live.acquire.guard import IlluminationGuard
from rdl_live.acquire.lamp import Lamp
from rdl_live.acquire.run_light import RunLight, changing
from rdl_live.errors import DeviceError

_LOG = logging.getLogger(__name__)

DARK_S = 0.3
"""After a stop the run has so long to go dark by itself; then the guard does it, whatever holds the run."""
HELD_S = 0.7
"""Likewise where its light path is closed: lasers and AOTF are turned off, too."""


@dataclass(frozen=True)
class _Run:
    """What a run sets its light with."""

    light: RunLight
    guard: IlluminationGuard
    running: Callable[[], bool]
    stop: Callable[[], None]


class SafeLight:
    """Dark until a run is `attach`ed. Any thread."""

    def __init__(self) -> None:
        """No run is attached."""
        self._run: _Run | None = None
        self._dark_s = 0.0
        self._darkens = False
        """Whether it is just made dark from outside of the run."""
        self._watcher: threading.Thread | None = None
        self._watching = threading.Lock()

    def attach(
        self, light: RunLight, guard: IlluminationGuard, running: Callable[[], bool], stop: Callable[[], None]
    ) -> None:
        """Take a run's light, the guard of its microscope, whether it runs, and what stops it."""
        self._run = _Run(light, guard, running, stop)

    @property
    def lit(self) -> bool:
        """Whether the light path is open."""
        # A run that hangs does not know that it was made dark from another thread.
        run = self._run
        return run is not None and run.light.is_open and run.light.opened_s > self._dark_s

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """What lights the sample now, and whether the devices have confirmed it; empty in the dark."""
        run = self._run
        lamps = run.light.lamps if run is not None and self.lit else ()
        return changing(*lamps) if self._darkens else lamps

    def make_safe(self) -> None:
        """Turn the light off now, also while a device holds the run; a run is stopped by it.

        Raises:
            DeviceError: what is not dark, or did not answer.
        """
        run = self._run
        if run is not None and run.running():
            run.stop()  # or it would light its next series
        self.darken()

    def darken(self) -> None:
        """Turn the light off, and leave the run as it is.

        Raises:
            DeviceError: as `make_safe`.
        """
        if self._run is None:
            return
        began_s, self._darkens = time.monotonic(), True
        try:
            self._run.guard.make_safe()
            self._dark_s = began_s
        finally:
            self._darkens = False

    def darkened(self) -> list[BaseException]:
        """Do that, and return what is not dark."""
        try:
            self.darken()
        except DeviceError as error:
            return [error]
        return []

    def watch_stop(self) -> None:
        """After a stop: turn the light off from here if the run does not do so by itself; returns at once."""
        with self._watching:  # whoever ends the watch may come at once, from another thread
            self._watcher = threading.Thread(target=self._see_dark, name="rdl-dark", daemon=True)
            self._watcher.start()

    def end_watch(self) -> None:
        """Wait until nobody touches devices for a stop any more: a host may unload them next."""
        with self._watching:
            watcher = self._watcher
        if watcher is not None:
            watcher.join(DARK_S)  # it ends with the run

    def _see_dark(self) -> None:
        run, began = self._run, time.monotonic()
        if run is None:
            return
        while run.running() and time.monotonic() < began + (DARK_S if self.lit else HELD_S):
            time.sleep(0.01)
        if run.running():
            # What is wrong is reported by the run's own end, or by its `wait` where it does not come to it.
            for error in self.darkened():
                _LOG.warning("after the stop: %s", error)
