"""The light of a run: colours and shutter, set by the engine, and what of it is shown to the user.

What is shown covers every moment: a colour that is being set is shown from before the first device is asked until the
last has confirmed it, marked as such, together with what it replaces.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.lamp import Lamp, LampState
from rdl_live.acquire.light_cycle import LightCycle
from rdl_live.optics.hardware import ChannelLight


class RunLight:
    """Belongs to the acquisition's thread; `is_open` and `lamps` may be asked from any."""

    def __init__(self, devices: Devices) -> None:
        """Only take what is needed; it is taken for dark."""
        self._devices = devices
        self._cycle = LightCycle(devices)
        self._now = _Now()
        self.opened_s = 0.0
        """When the light path was last asked to open [s], by `time.monotonic`."""
        self.beat: Callable[[], None] = lambda: None
        """Called before the light comes on."""

    @property
    def is_open(self) -> bool:
        """Whether the light path is open, as far as the devices have said."""
        return self._now.is_open

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """What lights the sample; empty in the dark."""
        now = self._now
        return now.lamps if now.is_open else ()

    def shine(self, asked: Lamp, light: ChannelLight) -> None:
        """Set one colour and no other, and read it back.

        Raises:
            DeviceError: refused, or reads back otherwise.
            RunStopped: the run was stopped.
        """
        before = self._now
        if not before.is_open:
            self._now = _Now(lamps=changing(asked))
        elif before.asked != asked:  # else it is only read back again
            self._now = _Now(True, changing(*before.lamps, asked))
        if self._devices.hardware.shutter is None:
            self._opens()  # nothing else holds it back
        found = self._devices.light(light, asked.power_percent)
        self._now = _Now(self._now.is_open, (asked._replace(power_percent=found),), asked)

    def cycle(self, frames: Sequence[Lamp], lights: Sequence[ChannelLight]) -> None:
        """Let the camera's trigger step the light through colours and powers; nothing where it is but one.

        Raises:
            DeviceError: a sequence that is refused, or too long.
            RunStopped: the run was stopped.
        """
        colours = tuple(dict.fromkeys(frames))
        if len(colours) > 1:
            self._now = _Now(self._now.is_open, tuple(one._replace(state=LampState.STEPPED) for one in colours))
        self._cycle.prepare([(light, one.power_percent) for light, one in zip(lights, frames, strict=True)])

    def can_step(self, one: ChannelLight, other: ChannelLight) -> bool:
        """Return whether a trigger can switch from one channel to another."""
        return self._cycle.can_switch(one, other)

    def stop_cycle(self) -> None:
        """Stop stepping; what was stepped is turned off.

        Raises:
            DeviceError: it is not.
        """
        if self._cycle.switches:
            self.goes_dark()
        self._cycle.stop()

    def open(self) -> None:
        """Let the light through, if it is not.

        Raises:
            DeviceError: the shutter is stuck, or the watchdog takes no beat.
            RunStopped: the run was stopped.
        """
        ready = self._now
        if ready.is_open:
            return
        self._opens()
        self._devices.shutter(True)
        self._now = ready._replace(is_open=True)

    def close(self) -> None:
        """Keep the light from the sample: by the shutter, and where there is none by the safe state.

        Raises:
            DeviceError: it is stuck; it counts as open then.
        """
        self.goes_dark()
        self._devices.close()
        self.went_dark()

    def goes_dark(self) -> None:
        """Note that it is being made dark."""
        self._now = _Now(self._now.is_open, changing(*self._now.lamps))

    def went_dark(self) -> None:
        """Note that it is dark."""
        self._now = _Now()

    def _opens(self) -> None:
        if self._now.is_open:
            return
        self.beat()
        self.opened_s = time.monotonic()
        # Also if it fails half-way: then it is to be closed.
        self._now = _Now(True, changing(*self._now.lamps))


class _Now(NamedTuple):
    """Exchanged as a whole: others read it meanwhile."""

    is_open: bool = False
    lamps: tuple[Lamp, ...] = ()
    """What shines while the light path is open."""
    asked: Lamp | None = None
    """The one colour that is set, as it was asked for."""


def changing(*lamps: Lamp) -> tuple[Lamp, ...]:
    """Return lamps, each once, as ones that are being set."""
    return tuple(dict.fromkeys(lamp._replace(state=LampState.CHANGING) for lamp in lamps))
