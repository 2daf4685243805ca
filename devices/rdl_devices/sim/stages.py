"""XY stage and focus drive: where the camera looks."""

from collections.abc import Sequence

from pymmcore_plus.core import FocusDirection
from pymmcore_plus.experimental.unicore import StageDevice, XYStageDevice

from rdl_devices.sim.device import SEQUENCE_MAX, SimDevice
from rdl_devices.sim.sequencer import Sequencer
from rdl_devices.sim.world import World
from rdl_live.errors import DeviceError

TRAVEL_UM = 10_000.0
"""Travel of the XY stage to either side [um]."""
FOCUS_TRAVEL_UM = 100.0


class SimXYStage(SimDevice, XYStageDevice):
    """XY stage of the simulated microscope: a point seen at r in the image lies at r + position in the dish."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self._origin = (0.0, 0.0)

    def set_position_um(self, x: float, y: float) -> None:
        """Move to a position [um]; raises DeviceError beyond the travel."""
        self.check()
        self.world.faults.check_value(self.get_label(), "Position", (x, y))
        there = (x + self._origin[0], y + self._origin[1])
        if max(abs(there[0]), abs(there[1])) > TRAVEL_UM:
            raise DeviceError(f"{self.get_label()}: ({x:g}, {y:g}) um is beyond the travel of +-{TRAVEL_UM:g} um")
        self.world.settle()
        self.world.stage_um = (*there, self.world.stage_um[2])

    def get_position_um(self) -> tuple[float, float]:
        """Return the position [um]."""
        self.check()
        return self.world.stage_um[0] - self._origin[0], self.world.stage_um[1] - self._origin[1]

    def home(self) -> None:
        """Move to the middle of the travel and make it the origin."""
        self._origin = (0.0, 0.0)
        self.set_position_um(0.0, 0.0)

    def stop(self) -> None:
        """Stay: moves take no time here."""

    def set_origin_x(self) -> None:
        """Call this x 0."""
        self._origin = (self.world.stage_um[0], self._origin[1])

    def set_origin_y(self) -> None:
        """Call this y 0."""
        self._origin = (self._origin[0], self.world.stage_um[1])


class SimFocus(SimDevice, StageDevice):
    """Focus drive of the simulated microscope: in focus at 0; hardware sequences by the camera's trigger."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self._origin = 0.0
        self._sequencer: Sequencer[float] = Sequencer(self._move)
        self.world.triggered.append(self._sequencer.trigger)

    def set_position_um(self, val: float) -> None:
        """Move to a position [um]; raises DeviceError beyond the travel."""
        self.check()
        self.world.faults.check_value(self.get_label(), "Position", val)
        self._check_travel(val)
        self._move(val)

    def get_position_um(self) -> float:
        """Return the position [um]."""
        self.check()
        return self.world.stage_um[2] - self._origin

    def get_focus_direction(self) -> FocusDirection:
        """Return that larger positions bring the objective towards the sample."""
        return FocusDirection.TowardSample

    def home(self) -> None:
        """Move to the focus and make it the origin."""
        self._origin = 0.0
        self.set_position_um(0.0)

    def stop(self) -> None:
        """Stay: moves take no time here."""

    def set_origin(self) -> None:
        """Call this position 0."""
        self._origin = self.world.stage_um[2]

    def get_sequence_max_length(self) -> int:
        """Return how many positions a sequence can have."""
        return SEQUENCE_MAX

    def send_sequence(self, sequence: Sequence[float]) -> None:
        """Take the positions that the camera's trigger steps through [um]."""
        self.check()
        for position in sequence:
            self.world.faults.check_value(self.get_label(), "Position", position)
            self._check_travel(position)
        self._sequencer.load(tuple(sequence))

    def start_sequence(self) -> None:
        """Wait for the camera's first exposure."""
        self.check()
        self._sequencer.start()

    def stop_sequence(self) -> None:
        """Stay where the sequence is."""
        self._sequencer.stop()

    def shutdown(self) -> None:
        """Leave the world."""
        super().shutdown()
        self.world.triggered[:] = [fire for fire in self.world.triggered if fire != self._sequencer.trigger]

    def _check_travel(self, position: float) -> None:
        if abs(position + self._origin) > FOCUS_TRAVEL_UM:
            raise DeviceError(f"{self.get_label()}: {position:g} um is beyond the travel of +-{FOCUS_TRAVEL_UM:g} um")

    def _move(self, position: float) -> None:
        self.world.settle()
        x, y, _ = self.world.stage_um
        self.world.stage_um = (x, y, position + self._origin)
