"""What the engine asks of whatever makes the patterns; it knows no SLM, no board and no DAQ."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.faults import asking
from rdl_live.acquire.patterns.order import DisplayOrder, display_order
from rdl_live.acquire.patterns.property_steps import PropertySteps
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import Value
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.optics.pattern_roles import PatternRole, Stripes


class PatternSource(ABC):
    """Shows patterns by their ids, one by one or as a sequence that follows the camera.

    A kind says how its own device does that (`_show`, `_load`, `_start`, `_stop`, `_lacks`); the properties that
    change with the patterns of every kind (`steps`) are stepped here. Belongs to the acquisition's thread; `stop` may
    be called from another one.
    """

    patterns: Mapping[str, DisplayOrder]
    """The patterns of each channel of the plan."""

    def __init__(self, devices: Devices, microscope: Microscope, channels: Sequence[str]) -> None:
        """Look only: nothing is set.

        Args:
            devices: strict access to the core.
            microscope: whose hardware names this source.
            channels: those of the plan.

        Raises:
            ConfigError: patterns that this source cannot make.
        """
        self.devices, self.core, self.microscope = devices, devices.core, microscope
        self.role: PatternRole = devices.hardware.source
        self.patterns = {name: display_order(microscope, microscope.channel(name)) for name in channels}
        self.steps = PropertySteps(devices, self._values())
        self._loaded: tuple[int, ...] = ()
        self._runs = False

    # What the engine asks -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What a message calls it: the label of its device."""
        return str(next(iter(self.role.own_labels.values()), "patterns"))

    @property
    def ids(self) -> tuple[int, ...]:
        """Pattern ids of all channels of the plan, one after the other."""
        return tuple(sorted(one for order in self.patterns.values() for one in order.ids))

    def pieces(self, channel: str) -> tuple[tuple[int, ...], ...]:
        """Return the pattern ids of the sequences that a series is taken in; by default it is one."""
        return (self.patterns[channel].ids,)

    def lacks(self, ids: Sequence[int]) -> str | None:
        """Return why these patterns cannot follow the camera as one sequence; None where they can."""
        return self._lacks(ids) or self.steps.lacks(ids)

    def check(self, stepped: bool) -> None:
        """Check in the dark, before a run, whatever can be checked.

        Args:
            stepped: whether software will set the patterns one by one.

        Raises:
            ConfigError: the microscope file does not say how.
            DeviceError: a value that a device cannot take.
        """
        del stepped
        self.steps.check()

    def show(self, pattern_id: int) -> None:
        """Show one pattern, and wait until it is there."""
        self.steps.show(pattern_id)
        self._show(pattern_id)

    def prepare(self, ids: Sequence[int]) -> None:
        """Load a cycle of patterns, to follow the camera from `start` on."""
        if self._loaded != tuple(ids):
            self._loaded = ()
            self._load(ids)
            self._loaded = tuple(ids)
        self.steps.load(ids)

    def start(self) -> None:
        """Show the first pattern of the cycle; the camera steps on from here."""
        self._runs = True
        self._start()
        self.steps.start()

    def stop(self) -> None:
        """Follow the camera no longer; any number of times, any thread."""
        runs, self._runs = self._runs, False
        try:
            if runs:
                self._stop()
        finally:
            self.steps.stop()

    def forget(self) -> None:
        """Take nothing for loaded any more."""
        self._loaded = ()

    def check_place(self, expected: int, when: str) -> None:
        """Compare the place in the cycle that the device says it shows with the one it should show, if it says so.

        Raises:
            DeviceError: it is out of step.
        """
        index, device = getattr(self.role, "index_property", None), self.name
        if index is None:
            return
        with asking(device, f"reading {index}"):
            found = int(float(self.core.getProperty(device, index)))
        if found != expected:
            raise DeviceError(
                f"{device}: {index} is {found} {when}, and should be {expected}: patterns and frames "
                "are out of step; check the trigger line, and load the patterns again"
            )

    def nominal(self, channel: str, chip_um: tuple[float, float], corner_um: tuple[float, float]) -> PatternSet | None:
        """Return the stripes to be expected, for pixel areas of the image; None where nobody has described them.

        Args:
            channel: of the plan.
            chip_um: size of the whole camera chip in the sample, (y, x) [um].
            corner_um: where the image's corner lies on the chip, (y, x) [um].
        """
        del chip_um
        described = next((one for one in self.role.stripes if one.channel == channel), None)
        return None if described is None else _described(described, corner_um)

    # What a kind does -----------------------------------------------------------------------------------

    @abstractmethod
    def _show(self, pattern_id: int) -> None:
        """Show one pattern."""

    @abstractmethod
    def _load(self, ids: Sequence[int]) -> None:
        """Load a cycle."""

    @abstractmethod
    def _start(self) -> None:
        """Start the cycle at its first pattern."""

    @abstractmethod
    def _stop(self) -> None:
        """Stop the cycle."""

    @abstractmethod
    def _lacks(self, ids: Sequence[int]) -> str | None:
        """Return why the device cannot step through these by itself."""

    def _values(self) -> dict[int, dict[tuple[str, str], Value]]:
        """Return the values of all stepped properties by pattern id."""
        values: dict[int, dict[tuple[str, str], Value]] = {}
        for name, order in self.patterns.items():
            mine = [step for step in self.role.steps if step.channel in (None, name)]
            for slot, (angle, phase) in enumerate(order.slots):
                values[order.first_id + slot] = {
                    (step.device, step.property): step.value(slot, angle, phase) for step in mine
                }
        return values


def _described(stripes: Stripes, corner_um: tuple[float, float]) -> PatternSet:
    """Return stripes as the microscope file describes them; their phases are those at the corner of the chip."""
    patterns = []
    for angle in stripes.angles_deg:
        kx, ky = (f(math.radians(angle)) / stripes.period_um for f in (math.cos, math.sin))
        moved = 2 * math.pi * (kx * corner_um[1] + ky * corner_um[0])
        steps = (math.remainder(moved + math.radians(phase), 2 * math.pi) for phase in stripes.phases_deg)
        patterns.append(Pattern(kx=kx, ky=ky, phases_rad=tuple(steps)))
    return PatternSet(patterns=tuple(patterns))
