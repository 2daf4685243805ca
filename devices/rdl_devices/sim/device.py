"""What all simulated devices share: their world, their faults, and properties that say who refused what."""

from collections.abc import Callable, Sequence
from typing import Any

from pymmcore_plus.experimental.unicore import Device

from rdl_devices.sim.registry import joined
from rdl_devices.sim.sequencer import Sequencer
from rdl_devices.sim.world import World
from rdl_live.errors import DeviceError

FAULT = "Fault"
"""Property that breaks and mends a device."""
NO_FAULT = "None"
SLOW_S = 0.2
"""Delay of a device whose fault is Slow."""
SEQUENCE_MAX = 10_000

Value = bool | int | float | str


class SimDevice(Device):
    """A device of the simulated world. Mixed in before one of the device classes of pymmcore-plus.

    Every call asks the world's faults first. Values are converted to the property's type and checked against
    its limits here; whatever is refused raises a DeviceError that names device, property and value.
    """

    def __init__(self, world: World | None = None) -> None:
        """Join a world: the one given, or that of the hub loaded before."""
        self.world = world or joined()
        super().__init__()
        self._sequencers: dict[str, Sequencer[Any]] = {}
        self._fault = NO_FAULT
        self.add(FAULT, self._get_fault, self._set_fault, allowed=(NO_FAULT, *self.faults()))

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can go wrong with this device, by the value of its property Fault."""
        faults, label = self.world.faults, self.get_label
        return {
            "Unplug": lambda: faults.unplug(label()),
            "Hang": lambda: faults.hang(label()),
            "Slow": lambda: faults.slow(label(), SLOW_S),
            "Refuse": lambda: faults.refuse(label()),
        }

    def add(
        self,
        name: str,
        getter: Callable[[], Value],
        setter: Callable[[Any], None] | None = None,
        *,
        limits: tuple[float, float] | None = None,
        allowed: Sequence[Value] | None = None,
        triggered: bool = False,
    ) -> None:
        """Add a property; its type is that of its value now.

        Args:
            name: of the property.
            getter: returns the value.
            setter: takes a new one; read-only where absent.
            limits: least and largest value.
            allowed: the values there are.
            triggered: whether hardware can step it through a sequence, one value an exposure.
        """
        sequencer: Sequencer[Any] | None = None
        if triggered and setter is not None:
            sequencer = self._sequencers[name] = Sequencer(setter)
            self.world.triggered.append(sequencer.trigger)
        self.register_property(
            name,
            property_type=type(getter()),
            getter=lambda _: getter(),
            setter=None if setter is None else lambda _, value: setter(value),
            limits=limits,
            allowed_values=allowed,
            is_read_only=setter is None,
            sequence_max_length=SEQUENCE_MAX if sequencer else 0,
            sequence_loader=(lambda _, values: sequencer.load(values)) if sequencer else None,
            sequence_starter=(lambda _: sequencer.start()) if sequencer else None,
            sequence_stopper=(lambda _: sequencer.stop()) if sequencer else None,
        )

    def check(self) -> None:
        """Return when the device may answer; raises DeviceError where it is unplugged or was unloaded."""
        self.world.faults.check(self.get_label())
        if self.world.closed:
            raise DeviceError(f"{type(self).__name__}: its simulated world has ended; load the configuration again")

    def get_property_value(self, prop_name: str) -> Any:
        """Return the value of a property."""
        if prop_name != FAULT:
            self.check()
        return super().get_property_value(prop_name)

    def set_property_value(self, prop_name: str, value: Any) -> None:
        """Set a property.

        Raises:
            DeviceError: unknown, read-only, of the wrong type, out of its limits or refused by the device.
        """
        label = self.get_label()
        if prop_name != FAULT:
            self.check()
            self.world.faults.check_value(label, prop_name, value)
        try:
            super().set_property_value(prop_name, self._typed(prop_name, value))
        except (ValueError, KeyError) as error:
            raise DeviceError(f"{label}: cannot set {prop_name} = {value!r}: {error}") from error

    def load_property_sequence(self, prop_name: str, sequence: Sequence[Any]) -> None:
        """Take the values that the camera's trigger steps through; see `set_property_value`."""
        label = self.get_label()
        self.check()
        for value in sequence:
            self.world.faults.check_value(label, prop_name, value)
        try:
            super().load_property_sequence(prop_name, [self._typed(prop_name, value) for value in sequence])
        except (ValueError, KeyError, RuntimeError) as error:
            raise DeviceError(
                f"{label}: cannot load a sequence of {len(sequence)} values of {prop_name}: {error}"
            ) from error

    def shutdown(self) -> None:
        """Leave the world."""
        mine = [sequencer.trigger for sequencer in self._sequencers.values()]
        self.world.triggered[:] = [fire for fire in self.world.triggered if fire not in mine]

    def _typed(self, name: str, value: Any) -> Any:
        """Return a value as the property's type; configuration files give text."""
        info = self.get_property_info(name)
        kind = info.type.to_python() or str
        if kind is str:
            return str(value)
        number = float(value)
        if kind is int and number != int(number):
            raise ValueError("a whole number is needed")
        return kind(number)

    def _get_fault(self) -> str:
        return self._fault

    def _set_fault(self, name: str) -> None:
        self.world.faults.clear(self.get_label())
        self._fault = name
        if name != NO_FAULT:
            self.faults()[name]()
