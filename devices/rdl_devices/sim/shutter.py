"""The shutter in front of all lasers."""

from collections.abc import Callable

from pymmcore_plus.experimental.unicore import ShutterDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.world import World


class SimShutter(SimDevice, ShutterDevice):
    """Shutter of the simulated microscope. UniMMCore opens no shutter of its own accord for Python cameras."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self.add("State", lambda: int(self.world.light.shutter_open), self._set_state, allowed=(0, 1))

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can go wrong: a stuck shutter takes commands and does nothing."""
        return {**super().faults(), "Stuck": lambda: self.world.faults.stick(self.get_label())}

    def get_open(self) -> bool:
        """Return whether light passes."""
        self.check()
        return self.world.light.shutter_open

    def set_open(self, open: bool) -> None:  # the name that pymmcore-plus gives it
        """Open or close."""
        self.set_property_value("State", int(open))

    def _set_state(self, value: int) -> None:
        if self.world.faults.sticks(self.get_label()):
            return
        self.world.settle()
        self.world.light.shutter_open = bool(value)
