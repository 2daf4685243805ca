"""A grating of glass on a rotator and a piezo: its stripes follow two voltages or angles, with no SLM at all."""

import math

from pymmcore_plus.experimental.unicore import GenericDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.grating import grating_for
from rdl_devices.sim.world import World


class SimGrating(SimDevice, GenericDevice):
    """Grating of the simulated microscope, in place of the SLM: Orientation_deg and Phase_deg, both triggered."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self._period_um, self._orientation_deg, self._phase_deg = 0.25, 0.0, 0.0
        self.add("Period_um", lambda: self._period_um, self._set_period, limits=(0.01, 100))
        # The trigger steps both; a rotator that turns by hand or slowly is `Turned_deg`.
        self.add("Orientation_deg", lambda: self._orientation_deg, self._turn, limits=(-360, 360), triggered=True)
        self.add("Turned_deg", lambda: self._orientation_deg, self._turn, limits=(-360, 360))
        self.add("Phase_deg", lambda: self._phase_deg, self._shift, limits=(-720, 720), triggered=True)
        self._place()

    def _set_period(self, um: float) -> None:
        self._period_um = um
        self._place()

    def _turn(self, degrees: float) -> None:
        self._orientation_deg = degrees
        self._place()

    def _shift(self, degrees: float) -> None:
        self._phase_deg = degrees
        self._place()

    def _place(self) -> None:
        """Put the stripes where the knobs say."""
        world, angle = self.world, math.radians(self._orientation_deg)
        world.settle()
        kx, ky = math.cos(angle) / self._period_um, math.sin(angle) / self._period_um
        world.display.put(grating_for(kx, ky, math.radians(self._phase_deg), world.geometry))
