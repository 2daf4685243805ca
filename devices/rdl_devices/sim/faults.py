"""What goes wrong, on demand: faults that a test or a user injects into the simulated microscope.

Devices ask here before they act. Nothing fails unless it was asked for.
"""

import threading
import time
from dataclasses import dataclass

from rdl_live.errors import DeviceError

ANY = object()
"""Stands for every value in `Faults.refuse`."""


@dataclass
class _Refusal:
    """A value that a property does not take, `times` times (or for ever)."""

    value: object
    times: int | None


class Faults:
    """The faults of one world. Devices are named by their label in the core."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.clear()

    def clear(self, device: str | None = None) -> None:
        """Mend one device, or all of them; what hangs goes on."""
        with self._lock:
            if device is None:
                self._refusals: dict[tuple[str, str], _Refusal] = {}
                self._unplugged: set[str] = set()
                self._hanging: set[str] = set()
                self._stuck: set[str] = set()
                self._no_upload: set[str] = set()
                self._delay_s: dict[str, float] = {}
                self._failing: set[int] = set()
                self._repeated: set[int] = set()
                self._exposures = 0
                self._replaced: dict[int, int] = {}
                self.slm_shift = 0
            else:
                self._refusals = {key: fault for key, fault in self._refusals.items() if key[0] != device}
                for group in (self._unplugged, self._hanging, self._stuck, self._no_upload):
                    group.discard(device)
                self._delay_s.pop(device, None)
            # A new event for what hangs later; those that wait hold the old one.
            self._released.set()
            self._released = threading.Event()

    def refuse(self, device: str, name: str = "*", value: object = ANY, *, times: int | None = None) -> None:
        """Let a device refuse a value (or any) of a property (or of all, "*"), `times` times or for ever."""
        with self._lock:
            self._refusals[device, name] = _Refusal(value, times)

    def unplug(self, device: str) -> None:
        """Pull a device's cable: everything asked of it raises, a running camera delivers nothing more."""
        self._add(self._unplugged, device)

    def hang(self, device: str) -> None:
        """Let a device never answer (until it is mended or the world closed)."""
        self._add(self._hanging, device)

    def slow(self, device: str, seconds: float) -> None:
        """Let every answer of a device take this much longer."""
        with self._lock:
            self._delay_s[device] = seconds

    def stick(self, device: str) -> None:
        """Let a shutter stay as it is, without a word; only reading it back shows it."""
        self._add(self._stuck, device)

    def fail_upload(self, device: str) -> None:
        """Let an SLM refuse images and sequences."""
        self._add(self._no_upload, device)

    def fail_exposure(self, index: int = 0) -> None:
        """Let the exposure with this index, counted from now, fail: a snap raises, a sequence has a hole."""
        with self._lock:
            self._failing.add(self._exposures + index)

    def repeat_frame(self, index: int = 0) -> None:
        """Let the frame of the exposure with this index, counted from now, come twice in a sequence."""
        with self._lock:
            self._repeated.add(self._exposures + index)

    def shift_slm(self, frames: int) -> None:
        """Let SLM sequences run `frames` ahead of the camera (behind where negative)."""
        self.slm_shift = frames

    def replace_pattern(self, index: int, other: int) -> None:
        """Let the SLM show pattern `other` of a sequence where `index` is due."""
        with self._lock:
            self._replaced[index] = other

    def _add(self, group: set[str], device: str) -> None:
        with self._lock:
            group.add(device)

    # What devices ask -----------------------------------------------------------------------------------

    def check(self, device: str) -> None:
        """Return when a device may answer.

        Raises:
            DeviceError: it is unplugged.
        """
        delay = self._delay_s.get(device)
        if delay:
            time.sleep(delay)
        while (released := self._blocked(device)) is not None:
            released.wait()
        if device in self._unplugged:
            raise DeviceError(f"{device}: does not answer (unplugged); check its cable and load it again")

    def _blocked(self, device: str) -> threading.Event | None:
        """Return what a hanging device waits for."""
        with self._lock:
            return self._released if device in self._hanging else None

    def check_value(self, device: str, name: str, value: object) -> None:
        """Raise DeviceError where a device refuses a value of a property."""
        with self._lock:
            key = next((k for k in ((device, name), (device, "*")) if k in self._refusals), None)
            if key is None:
                return
            refusal = self._refusals[key]
            if refusal.value is not ANY and not _same(refusal.value, value):
                return
            if refusal.times is not None:
                refusal.times -= 1
                if refusal.times <= 0:
                    del self._refusals[key]
        raise DeviceError(f"{device}: refuses {name} = {value!r}; check the device and try again")

    def check_upload(self, device: str, what: str) -> None:
        """Raise DeviceError where an SLM takes no images."""
        if device in self._no_upload:
            raise DeviceError(f"{device}: upload of {what} failed; check the SLM board and try again")

    def sticks(self, device: str) -> bool:
        """Return whether a shutter stays as it is."""
        return device in self._stuck

    def exposure_fails(self) -> bool:
        """Count one exposure and return whether it fails."""
        with self._lock:
            self._exposures += 1
            return self._exposures - 1 in self._failing

    def frame_repeats(self) -> bool:
        """Return whether the frame of the last exposure comes twice."""
        with self._lock:
            return self._exposures - 1 in self._repeated

    def shown(self, index: int, count: int) -> int:
        """Return which of `count` patterns an SLM shows in place of the one that is due."""
        due = (index + self.slm_shift) % count
        return self._replaced.get(due, due) % count


def _same(first: object, second: object) -> bool:
    """Return whether two property values are the same: numbers by value, the rest as text."""
    try:
        return float(str(first)) == float(str(second))
    except ValueError:
        return str(first) == str(second)
