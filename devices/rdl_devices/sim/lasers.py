"""The laser bench: a power and a shutter for each line."""

from functools import partial

from pymmcore_plus.experimental.unicore import GenericDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.light import Line
from rdl_devices.sim.world import World


class SimLasers(SimDevice, GenericDevice):
    """Lasers of the simulated microscope: Power_<nm>_mW and Enable_<nm> (0, 1)."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        for nm in self.world.settings.lines:
            line = self.world.light.lines[nm]
            self.add(
                f"Power_{nm}_mW",
                partial(getattr, line, "power_mw"),
                partial(self._set, nm, "power_mw"),
                limits=(0, self.world.settings.laser_mw),
                triggered=True,
            )
            self.add(
                f"Enable_{nm}",
                partial(_enabled, line),
                partial(self._enable, nm),
                allowed=(0, 1),
                triggered=True,
            )

    def _enable(self, nm: int, value: int) -> None:
        self._set(nm, "enabled", bool(value))

    def _set(self, nm: int, field: str, value: float) -> None:
        self.world.settle()
        setattr(self.world.light.lines[nm], field, value)


def _enabled(line: Line) -> int:
    return int(line.enabled)
