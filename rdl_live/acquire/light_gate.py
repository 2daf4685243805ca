"""What stands between a run and its light: after a stop a run can light nothing any more.

A stop comes from any thread, and so does what makes dark. Without this the run, in the midst of its settings, could
light again what was just turned off, or take the dark that it reads back for a fault of the device.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rdl_live.optics.hardware import Hardware, Value

Place = tuple[str, str]


class RunStopped(Exception):  # noqa: N818 - no error: the run is to end
    """Light was to be set after the stop of the run; whoever catches it goes dark."""


class LightGate:
    """Open until the run is stopped, and never again. One run has one."""

    def __init__(self, hardware: Hardware, stopped: Callable[[], bool]) -> None:
        """Take what the light consists of, and what says whether the run was stopped."""
        self._stopped = stopped
        powers = ((one.power.device, one.power.property) for one in hardware.light)
        self._dark: dict[Place, Value] = {setting.place: setting.value for setting in hardware.safe_state}
        self._places = {*self._dark, *powers, *(s.place for one in hardware.light for s in one.settings)}
        devices = {place[0] for place in self._places} | ({hardware.shutter} if hardware.shutter is not None else set())
        self._locks = {device: threading.Lock() for device in devices}

    def check(self) -> None:
        """Raise RunStopped after a stop."""
        if self._stopped():
            raise RunStopped

    def is_dark(self, place: Place, value: object, same: Callable[[object, Value], bool]) -> bool:
        """Return whether a property has its value of the dark, and was to be made dark by a stop."""
        return self._stopped() and place in self._dark and same(value, self._dark[place])

    def lights(self, place: Place, value: Value) -> bool:
        """Return whether to set this may light something: it belongs to the light, and is not its dark value."""
        return place in self._places and self._dark.get(place) != value

    @contextmanager
    def lighting(self, device: str) -> Iterator[None]:
        """The run sets a device of the light, and reads it back, in the block.

        Raises:
            RunStopped: the stop came before; nothing was set. Or it came in between: what was set is to be taken back.
        """
        with self._locks[device]:
            self.check()
            yield
        self.check()

    @contextmanager
    def darkening(self, device: str, patience_s: float) -> Iterator[bool]:
        """A device is made dark in the block, once the run does not set it any more; or after `patience_s`.

        Yields:
            Whether the run keeps its hands off the device in the block.
        """
        lock = self._locks.get(device)
        alone = lock is None or lock.acquire(timeout=patience_s)
        try:
            yield alone
        finally:
            if lock is not None and alone:
                lock.release()
