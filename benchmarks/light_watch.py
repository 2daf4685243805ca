"""Compares, at every moment, the light that a program shows with the light that the simulated world has.

There is no tolerance in time for what the program says: a colour that is confirmed must be lit with its power, and what
is lit must be shown. Only what the program itself says to be changing may be on or off. The world is read before and
after the program is asked, and what differs must do so at several comparisons running, for both may change in between.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdl_devices.sim import World
    from rdl_live.acquire.lamp import Lamp

Light = dict[str, float]
"""Power of each line that reaches the sample [percent]."""

EVERY_S = 0.004
"""The world is looked at so often while it is waited for."""
RUNNING, RUNNING_S = 3, 0.05
"""Comparisons running, and the time between the first and the last of them, that differ where something is wrong. It
is shorter than anybody can read."""
TOGETHER_S = 1.0
"""Colours that are lit within so long were lit together."""
SAME = 0.01


@dataclass(frozen=True)
class Shown:
    """What a program shows."""

    lamps: tuple[tuple[str, float], ...]
    """Channel and power [percent] of each colour."""
    changing: bool = False
    """Whether it says that these are being set."""
    stepped: bool = False
    """Whether it says that hardware switches through these, one at a time."""


class LightWatch:
    """Compares what is shown with a world, whenever `compare` is called."""

    def __init__(self, world: "Callable[[], World | None]") -> None:
        """Take what returns the world of the moment; None while there is none."""
        self._world = world
        self._recent: deque[tuple[float, frozenset[str]]] = deque()
        self._wrong: dict[str, tuple[int, float]] = {}
        """What differs: for how many comparisons running, and since when."""
        self._changes_since: float | None = None
        self.compared = 0
        """How often what is shown was compared with the world."""
        self.lit = 0
        """Of these, how often there was light."""
        self.confirmed = 0
        """Of these, how often what was shown was said to be confirmed."""
        self.stepped = 0
        """Of these, how often it was said to be switched by hardware."""
        self.changing_s = 0.0
        """The longest time for which light was said to be changing [s]."""
        self.colours: set[frozenset[str]] = set()
        """Colours that were lit together within a second."""
        self.differences: list[str] = []

    def forget(self) -> None:
        """Forget what was seen: another world."""
        self._recent.clear()
        self._wrong.clear()

    def compare(self, shown: Callable[[], Shown | None], what: str = "") -> None:
        """Compare what is shown at this moment; `what` says in a difference what was going on.

        Args:
            shown: asked once; None where the program says that it does not know.
            what: added to a difference.
        """
        before = self.light
        says = shown()
        after = self.light
        now = time.perf_counter()
        self.compared += 1
        seen = frozenset(before) | frozenset(after)
        self._note_colours(now, seen)
        if says is None:
            return
        if seen:
            self.lit += 1
            self.confirmed += not says.changing and not says.stepped
            self.stepped += says.stepped
        if not says.changing:
            self._changes_since = None
        elif self._changes_since is None:
            self._changes_since = now
        else:
            self.changing_s = max(self.changing_s, now - self._changes_since)
        wrong = set(wrong_in(says, before)) & set(wrong_in(says, after))
        self._wrong = {one: self._wrong.get(one, (0, now)) for one in wrong}
        for one, (times, since) in list(self._wrong.items()):
            self._wrong[one] = times + 1, since
            if times + 1 >= RUNNING and now - since >= RUNNING_S:
                self._differ(f"{one}, for {now - since:.2f} s", says, what)
                self._wrong[one] = 0, now  # not told again at once

    @property
    def light(self) -> Light:
        """Power of each line that reaches the sample now [percent]."""
        world = self._world()
        if world is None:
            return {}
        shares = {str(nm): 100 * world.light.share(nm, exposing=True) for nm in world.light.lines}
        return {name: share for name, share in shares.items() if share > 0}

    def _note_colours(self, now: float, seen: frozenset[str]) -> None:
        self._recent.append((now, seen))
        while self._recent[0][0] < now - TOGETHER_S:
            self._recent.popleft()
        self.colours.add(frozenset(name for _, names in self._recent for name in names))

    def _differ(self, text: str, says: Shown, what: str) -> None:
        if len(self.differences) < 50:
            self.differences.append(f"{text}; shown: {says} {what}".strip())


def shown_of(lamps: "Iterable[Lamp]") -> Shown:
    """Return what lamps of a run say."""
    from rdl_live.acquire.lamp import LampState

    lamps = tuple(lamps)
    states = {lamp.state for lamp in lamps}
    return Shown(
        tuple((lamp.channel, lamp.power_percent) for lamp in lamps),
        LampState.CHANGING in states,
        LampState.STEPPED in states,
    )


def wrong_in(says: Shown, light: Light) -> list[str]:
    """Return what of this differs from the light of a moment."""
    found = [f"{n} is lit at {p:.3g} % and not shown so" for n, p in light.items() if not _names(says, n, p)]
    if says.changing:
        return found
    off = [f"{n} is shown at {p:.3g} % and not lit so" for n, p in says.lamps if not _same(light.get(n, 0.0), p)]
    if not says.stepped:
        return found + off
    return found + (["none that is shown is lit"] if len(off) == len(says.lamps) else [])


def _names(says: Shown, name: str, percent: float) -> bool:
    return any(one == name and _same(power, percent) for one, power in says.lamps)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(one, other)
