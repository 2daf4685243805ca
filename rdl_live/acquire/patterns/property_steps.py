"""Properties that take another value with each pattern: set one by one, or stepped by hardware through a sequence."""

from collections.abc import Mapping, Sequence

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.faults import asking
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import Setting, Value

Place = tuple[str, str]


class PropertySteps:
    """Values of properties by pattern id."""

    def __init__(self, devices: Devices, values: Mapping[int, Mapping[Place, Value]]) -> None:
        """Look only: nothing is set."""
        self._devices, self._core, self._values = devices, devices.core, values
        self._loaded: list[Place] = []
        self._running: list[Place] = []

    def check(self) -> None:
        """Raise DeviceError where a device cannot take a value; nothing is set."""
        settings = {
            (place, value): Setting(device=place[0], property=place[1], value=value)
            for one in self._values.values()
            for place, value in one.items()
        }
        self._devices.check_takes(settings.values())

    def lacks(self, ids: Sequence[int]) -> str | None:
        """Return why hardware cannot step through the values of these patterns; None where it can."""
        for device, name in self._varying(ids):
            if not self._core.isPropertySequenceable(device, name):
                return f"{device}: {name} cannot be stepped by a trigger"
            longest = int(self._core.getPropertySequenceMaxLength(device, name))
            if longest < len(ids):
                return f"{device}: holds a sequence of {longest} values of {name} and the plan needs {len(ids)}"
        return None

    def show(self, pattern_id: int) -> None:
        """Set the values of one pattern, and read them back."""
        for place, value in self._values[pattern_id].items():
            self._devices.set(Setting(device=place[0], property=place[1], value=value))

    def load(self, ids: Sequence[int]) -> None:
        """Set what all these patterns have in common, and load sequences of what differs."""
        varying = self._varying(ids)
        for place, value in self._values[ids[0]].items():
            if place not in varying:
                self._devices.set(Setting(device=place[0], property=place[1], value=value))
        self._loaded = []
        for device, name in varying:
            steps = [str(self._values[one][device, name]) for one in ids]
            with asking(device, f"a sequence of {len(steps)} values of {name}"):
                self._core.loadPropertySequence(device, name, steps)
            self._loaded.append((device, name))

    def start(self) -> None:
        """Begin with the first value; the trigger steps on."""
        for place in self._loaded:
            device, name = place
            self._running.append(place)  # also if it fails half-way: then it is to be stopped
            with asking(device, f"start of the sequence of {name}"):
                self._core.startPropertySequence(device, name)

    def stop(self) -> None:
        """Stop stepping. All are stopped, whatever one raises.

        Raises:
            DeviceError: the first that refused.
        """
        running, self._running = self._running, []
        errors: list[DeviceError] = []
        for place in running:
            device, name = place
            self._devices.forget_place(place)  # it stays at whichever value came last
            try:
                with asking(device, f"stopping the sequence of {name}"):
                    self._core.stopPropertySequence(device, name)
            except DeviceError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _varying(self, ids: Sequence[int]) -> list[Place]:
        """Return what differs between these patterns."""
        first = self._values[ids[0]]
        return [place for place in first if any(self._values[one][place] != first[place] for one in ids)]
