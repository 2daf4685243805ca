"""A hardware watchdog: blocks all light unless its heartbeat is written again and again."""

import time

from pymmcore_plus.experimental.unicore import GenericDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.world import World

TIMEOUT_S = 1.0


class SimWatchdog(SimDevice, GenericDevice):
    """Watchdog of the simulated microscope: Heartbeat (0, 1), Timeout_s, and Tripped, which can only be read.

    It counts real time, also where the world does not: it is there for programs that hang.
    """

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self._value, self._timeout_s, self._beat_s = 0, TIMEOUT_S, float("-inf")
        self.add("Heartbeat", lambda: self._value, self._beat, allowed=(0, 1))
        self.add("Timeout_s", lambda: self._timeout_s, self._set_timeout, limits=(0.01, 60.0))
        self.add("Tripped", lambda: int(not self._alive()))
        self.world.light.interlock = self._alive

    def _beat(self, value: int) -> None:
        if value != self._value:  # a line that stays as it is says nothing
            self._beat_s = time.monotonic()
        self._value = value

    def _set_timeout(self, seconds: float) -> None:
        self._timeout_s = seconds

    def _alive(self) -> bool:
        return time.monotonic() - self._beat_s < self._timeout_s
