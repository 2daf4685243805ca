"""Compares, at every moment, the light that a program shows with the light that the simulated world has."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdl_devices.sim import World

Lamps = Sequence[tuple[str, float]]
"""Channel and power in percent of each colour that is lit."""

EVERY_S = 0.004
"""The world is looked at so often; a line that hardware switches shines for an exposure of 5 ms and more."""
BEHIND_S = 0.15
"""Light that has been on for so long, and is on after it, must be shown: a device is set and read back, and a screen
drawn, in this time."""
RECENT_S = 1.0
"""Light that is shown must have been on in this time, or come on in `BEHIND_S`: between two series there is none."""
LEAST = 5
"""Fewer looks at the world in that time say nothing: the computer was busy with something else."""
SAME = 0.01


class LightWatch:
    """Looks at a world in a thread of its own; `compare` is called with what is shown. A context manager."""

    def __init__(self, world: "Callable[[], World | None]") -> None:
        """Take what returns the world of the moment; None while there is none."""
        self._world = world
        self._looks: deque[tuple[float, dict[str, float]]] = deque(maxlen=round(4 * RECENT_S / EVERY_S))
        self._claims: deque[tuple[float, Lamps, str]] = deque()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="light-watch", daemon=True)
        self.compared = 0
        """How often what is shown was compared with the world."""
        self.lit = 0
        """Of these, how often there was light."""
        self.colours: set[frozenset[str]] = set()
        """Colours that were lit together within a second."""
        self.differences: list[str] = []

    def __enter__(self) -> "LightWatch":
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def forget(self) -> None:
        """Forget what was seen: another world."""
        with self._lock:
            self._looks.clear()
        self._claims.clear()

    def compare(self, shown: Lamps, what: str = "") -> None:
        """Compare what is shown at this moment; `what` says in a difference what was going on."""
        now = time.perf_counter()
        with self._lock:
            recent = [look for look in self._looks if look[0] > now - RECENT_S]
        self.compared += 1
        if len(recent) < LEAST:
            return
        seen = {name for _, light in recent for name in light}
        self.lit += bool(seen)
        self.colours.add(frozenset(seen))
        self._claims.append((now, shown, what))
        while self._claims and self._claims[0][0] < now - BEHIND_S:
            self._judge(*self._claims.popleft())

    def _judge(self, at: float, shown: Lamps, what: str) -> None:
        """Compare what was shown at a time with what was lit before and after it."""
        with self._lock:
            timed = [(look, light) for look, light in self._looks if at - RECENT_S < look < at + BEHIND_S]
        looks = [light for _, light in timed]
        after = [light for look, light in timed if look > at][:1]
        around = [light for look, light in timed if at - BEHIND_S < look <= at] + after
        for name, percent in _always(around).items() if len(around) >= LEAST and after else ():
            if not any(one == name and _same(power, percent) for one, power in shown):
                self._differ(f"{name} is lit at {percent:.3g} % and not shown so", shown, what)
        # Where hardware switches colours, those that are due are shown, too: one of them must be lit.
        if (
            shown
            and len(looks) >= LEAST
            and not any(_same(light.get(name, 0.0), power) for light in looks for name, power in shown)
        ):
            found = sorted({f"{name} {power:.3g} %" for light in looks for name, power in light.items()})
            self._differ(f"none that is shown was lit, but {', '.join(found) or 'nothing'}", shown, what)

    def dark_within(self, seconds: float) -> bool:
        """Wait until the world is dark; return whether it was in time."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            if not self.light:
                return True
            time.sleep(EVERY_S)
        return not self.light

    def _differ(self, text: str, shown: Lamps, what: str) -> None:
        if len(self.differences) < 50:
            self.differences.append(f"{text}; shown: {list(shown)} {what}".strip())

    def _look(self) -> None:
        while not self._over.wait(EVERY_S):
            light = self.light
            with self._lock:
                self._looks.append((time.perf_counter(), light))

    @property
    def light(self) -> dict[str, float]:
        """Power of each line that reaches the sample now [percent]."""
        world = self._world()
        if world is None:
            return {}
        shares = {str(nm): 100 * world.light.share(nm, exposing=True) for nm in world.light.lines}
        return {name: share for name, share in shares.items() if share > 0}


def _always(looks: list[dict[str, float]]) -> dict[str, float]:
    """Return what was lit, and with the same power, at every look."""
    first, *others = looks
    return {name: power for name, power in first.items() if all(_same(one.get(name, 0.0), power) for one in others)}


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(one, other)
