"""A pattern board with running orders of its own, as ferroelectric SLMs have them: nothing can be uploaded to it.

Running orders 0, 1, ... show the whole series of one laser line each, three orientations of three phases, stepped by
the camera. The orders from 50 on show the phases of one orientation each, likewise stepped by the camera, those from
100 on one pattern each; those of the first line come first.
"""

import math

from pymmcore_plus.experimental.unicore import GenericDevice

from rdl_devices.sim.device import SimDevice
from rdl_devices.sim.grating import Grating, grating_for
from rdl_devices.sim.world import World

ORIENTATION = 50
"""First running order of a single orientation."""
SINGLE = 100
"""First running order of a single pattern."""
ORIENTATIONS = (8.0, 68.0, 128.0)
"""Direction of the stripes' wave vector [degrees]."""
PHASES = (0.0, 120.0, 240.0)
"""Phases at the corner of the camera chip [degrees]."""
USED = 0.9
"""Share of the finest stripes that the objective passes."""


class SimBoard(SimDevice, GenericDevice):
    """Pattern board of the simulated microscope, in place of the SLM. Dark until it is activated."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self._order, self._active = 0, False
        lines = self.world.settings.lines
        self._count = len(ORIENTATIONS) * len(PHASES)
        turned = range(ORIENTATION, ORIENTATION + len(lines) * len(ORIENTATIONS))
        known = (*range(len(lines)), *turned, *range(SINGLE, SINGLE + len(lines) * self._count))
        self.add("RunningOrder", lambda: self._order, self._choose, allowed=known)
        self.add("Activated", lambda: int(self._active), self._activate, allowed=(0, 1))
        self.add("PatternIndex", lambda: self.world.display.shown().index)

    def period_um(self, nm: int) -> float:
        """Return the period of the stripes stored for a laser line [um]."""
        return nm * 1e-3 / (2 * self.world.settings.optics.na * USED)

    def _stored(self) -> list[Grating]:
        """Return what the chosen order shows."""
        lines = self.world.settings.lines
        if self._order < ORIENTATION:
            return self._series(lines[self._order])
        if self._order < SINGLE:
            number, turn = divmod(self._order - ORIENTATION, len(ORIENTATIONS))
            return self._series(lines[number])[turn * len(PHASES) : (turn + 1) * len(PHASES)]
        number, place = divmod(self._order - SINGLE, self._count)
        return [self._series(lines[number])[place]]

    def _series(self, nm: int) -> list[Grating]:
        k = 1 / self.period_um(nm)
        return [
            grating_for(
                k * math.cos(math.radians(angle)),
                k * math.sin(math.radians(angle)),
                math.radians(phase),
                self.world.geometry,
            )
            for angle in ORIENTATIONS
            for phase in PHASES
        ]

    def _choose(self, order: int) -> None:
        self.world.settle()
        self._order, self._active = order, False
        self.world.display.put(None)

    def _activate(self, active: int) -> None:
        world = self.world
        world.settle()
        self._active = bool(active)
        if not active:
            world.display.put(None)
            return
        world.display.store(self._stored())
        world.display.start()
