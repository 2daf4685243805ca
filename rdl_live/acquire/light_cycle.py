"""The light of a hardware sequence: powers that the camera's trigger steps, in step with the patterns."""

from collections.abc import Sequence

from rdl_live.acquire.devices import Devices, powered
from rdl_live.acquire.faults import asking
from rdl_live.optics.hardware import ChannelLight, Value

Place = tuple[str, str]
Lit = tuple[ChannelLight, float]
"""A channel and its power in percent."""


class LightCycle:
    """Steps light between channels by hardware, where every property that differs can be sequenced."""

    def __init__(self, devices: Devices) -> None:
        """Only look."""
        self._devices = devices
        self._running: list[Place] = []

    @property
    def switches(self) -> bool:
        """Whether a trigger steps the light now."""
        return bool(self._running)

    def can_switch(self, one: ChannelLight, other: ChannelLight) -> bool:
        """Return whether a trigger can switch from one channel to another."""
        if one is other:
            return True
        first, second = self._values((one, 1.0)), self._values((other, 1.0))
        if first.keys() != second.keys():
            return False  # a setting of one channel that nobody knows how to undo
        core = self._devices.core
        return all(core.isPropertySequenceable(*place) for place in first if first[place] != second[place])

    def prepare(self, frames: Sequence[Lit]) -> None:
        """Load and start what changes within one cycle of frames; nothing where one channel is lit throughout.

        Raises:
            DeviceError: a sequence that is refused, or too long.
            RunStopped: the run was stopped.
        """
        values = [self._values(lit) for lit in frames]
        core = self._devices.core
        for place in values[0]:
            steps = [one[place] for one in values]
            if all(step == steps[0] for step in steps):
                continue
            device, name = place
            with (
                self._devices.gated(device),
                asking(device, f"a sequence of {len(steps)} values of {name}"),
            ):
                core.loadPropertySequence(device, name, [str(step) for step in steps])
                self._running.append(place)
                core.startPropertySequence(device, name)

    def stop(self) -> None:
        """Stop stepping; what was stepped is turned off where the safe state knows how, before it may be lit again."""
        running, self._running = self._running, []
        core = self._devices.core
        for device, name in running:
            with asking(device, f"stopping the sequence of {name}"):
                core.stopPropertySequence(device, name)
        off = {setting.place: setting for setting in self._devices.hardware.safe_state}
        for place in running:
            if place in off:
                self._devices.set(off[place], always=True)

    def _values(self, lit: Lit) -> dict[Place, Value]:
        """Return the value of every property that any channel sets, in the light of one channel."""
        light, percent = lit
        hardware = self._devices.hardware
        off = {setting.place: setting.value for setting in hardware.safe_state}
        values: dict[Place, Value] = {}
        for other in hardware.light:
            for setting in other.settings:
                if setting.place in off:
                    values[setting.place] = off[setting.place]
            values[other.power.device, other.power.property] = hardware.off(other.power).value
        for setting in (*light.settings, powered(light.power, percent)):
            values[setting.place] = setting.value
        return values
