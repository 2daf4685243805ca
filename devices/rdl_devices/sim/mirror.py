"""A mirror in place of the SLM: even light, as in widefield, TIRF or light-sheet microscopes."""

from pymmcore_plus.experimental.unicore import GenericDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.grating import EVEN
from rdl_devices.sim.world import World


class SimMirror(SimDevice, GenericDevice):
    """Mirror of the simulated microscope. It has nothing to be set."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self.world.settle()
        self.world.display.put(EVEN)
