"""What the SLM shows: one picture, or a sequence stepped by the camera, a timer or nobody."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from rdl_devices.sim.faults import Faults
from rdl_devices.sim.grating import EVEN, Grating, Image, analyse

REMEMBERED = 256
"""Pictures whose grating is remembered."""


class Trigger(StrEnum):
    """What steps a sequence."""

    EXTERNAL = "External"
    """Each exposure of the camera."""
    INTERNAL = "Internal"
    """The SLM's own timer, blind to the camera."""


@dataclass(frozen=True)
class Shown:
    """What is displayed at a moment."""

    grating: Grating | None
    index: int
    """Place in the running sequence; -1 for a single picture."""


class Display:
    """The SLM's memory and timing, by the gratings in its pictures. Safe to use from several threads."""

    def __init__(self, faults: Faults, now: Callable[[], float]) -> None:
        """`now` gives the world's time [s]."""
        self._faults, self._now = faults, now
        self._lock = threading.RLock()
        self._picture: Grating | None = None
        self._patterns: tuple[Grating | None, ...] = ()
        self._exposures = 0
        self._started_s = 0.0
        self.running = False
        self.trigger_mode = Trigger.EXTERNAL
        self.start_shift = 0
        """Patterns by which the sequence starts too late, a fault that users know."""
        self.interval_ms = 10.0
        """Time that each pattern is shown with the internal trigger."""
        self.exposure_ms = 0.0
        """Time after which a single picture goes dark; 0 leaves it on."""
        self.mirrored = False
        """Whether a mirror is in the way, which makes the light even whatever is displayed."""

    def show(self, image: Image) -> None:
        """Display one picture (y, x) uint8."""
        self.put(_library.grating(image))

    def put(self, grating: Grating | None) -> None:
        """Display one grating, or none: of a picture, or one of glass."""
        with self._lock:
            self._picture, self.running = grating, False
            self._started_s = self._now()

    def load(self, images: Sequence[Image]) -> None:
        """Take a sequence of pictures; it is shown from `start` on."""
        self.store([_library.grating(image) for image in images])

    def store(self, gratings: Sequence[Grating | None]) -> None:
        """Take a sequence of gratings; it is shown from `start` on."""
        with self._lock:
            self._patterns, self.running = tuple(gratings), False

    def start(self) -> None:
        """Show the first pattern of the sequence and wait for the trigger."""
        with self._lock:
            self.running = bool(self._patterns)
            self._exposures, self._started_s = 0, self._now()

    def stop(self) -> None:
        """Go on showing the pattern of now."""
        with self._lock:
            if self.running:
                self._picture, self.running = self.shown().grating, False
                self._started_s = self._now()

    def trigger(self, at_s: float) -> Shown:
        """Return what the exposure that begins at a world time [s] is exposed under, and count it."""
        with self._lock:
            if self.running:
                self._exposures += 1
            return self.shown(at_s)

    def shown(self, at_s: float | None = None) -> Shown:
        """Return what is displayed at a world time [s], by default now."""
        with self._lock:
            if self.mirrored:
                return Shown(EVEN, -1)
            age_ms = ((self._now() if at_s is None else at_s) - self._started_s) * 1e3
            if not self.running:
                over = 0 < self.exposure_ms <= age_ms
                return Shown(None if over else self._picture, -1)
            if self.trigger_mode is Trigger.EXTERNAL:
                turn = max(self._exposures - 1, 0)
            else:
                turn = int(age_ms / self.interval_ms)
            index = self._faults.shown(turn + self.start_shift, len(self._patterns))
            return Shown(self._patterns[index], index)


class _Library:
    """The gratings of the pictures seen last, for all displays: each picture is analysed once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Grating | None] = OrderedDict()

    def grating(self, image: Image) -> Grating | None:
        """Return the grating in a picture."""
        key = blake2b(image.tobytes(), digest_size=16, key=repr(image.shape).encode()).digest()
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = analyse(image)
        with self._lock:
            self._known[key] = found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found


_library = _Library()
