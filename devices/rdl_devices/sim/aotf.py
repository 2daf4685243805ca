"""The AOTF: how much of each laser line passes, and when."""

from functools import partial

from pymmcore_plus.experimental.unicore import GenericDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.light import Blanking
from rdl_devices.sim.world import World


class SimAotf(SimDevice, GenericDevice):
    """AOTF of the simulated microscope: Power_<nm>_pct (linear in light) and Blanking."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        light = self.world.light
        self.add(
            "Blanking",
            lambda: light.blanking.value,
            self._set_blanking,
            allowed=tuple(mode.value for mode in Blanking),
            triggered=True,
        )
        for nm in self.world.settings.lines:
            self.add(
                f"Power_{nm}_pct",
                partial(getattr, light.lines[nm], "aotf_percent"),
                partial(self._set_power, nm),
                limits=(0, 100),
                triggered=True,
            )

    def _set_blanking(self, value: str) -> None:
        self.world.settle()
        self.world.light.blanking = Blanking(value)

    def _set_power(self, nm: int, percent: float) -> None:
        self.world.settle()
        self.world.light.lines[nm].aotf_percent = percent
