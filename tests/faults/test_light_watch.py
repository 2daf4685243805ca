"""The comparison of bar and world finds what is wrong, and nothing else."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.light_watch import LightWatch, Shown, shown_of
from rdl_live.acquire.lamp import Lamp, LampState

if TYPE_CHECKING:
    from rdl_devices.sim import World

BLUE = Shown((("488", 71.0),))


class FakeWorld:
    """Only its light."""

    def __init__(self, **percent: float) -> None:
        self.lines = (405, 488, 560)
        self.percent = {int(name[1:]): power for name, power in percent.items()}
        self.light = self

    def share(self, nm: int, *, exposing: bool) -> float:
        del exposing
        return self.percent.get(nm, 0.0) / 100


def watched(world: FakeWorld, shown: Callable[[], Shown | None], times: int = 12) -> LightWatch:
    watch = LightWatch(lambda: cast("World", world))
    for _ in range(times):
        watch.compare(shown)
        time.sleep(0.01)
    return watch


@pytest.mark.parametrize(
    ("world", "shown", "words"),
    [
        (FakeWorld(L488=33), BLUE, "488 is shown at 71 % and not lit so"),
        (FakeWorld(L488=71, L560=5), BLUE, "560 is lit at 5 % and not shown so"),
        (FakeWorld(L488=71), Shown(()), "488 is lit at 71 % and not shown so"),
        (FakeWorld(), BLUE, "488 is shown at 71 % and not lit so"),
        (FakeWorld(L560=5), replace(BLUE, changing=True), "560 is lit at 5 % and not shown so"),
        (FakeWorld(), Shown((("488", 71.0), ("560", 5.0)), stepped=True), "none that is shown is lit"),
        (FakeWorld(L488=70), Shown((("488", 71.0), ("560", 5.0)), stepped=True), "488 is lit at 70 %"),
    ],
)
def test_what_is_wrong_is_found(world: FakeWorld, shown: Shown, words: str) -> None:
    assert words in " ".join(watched(world, lambda: shown).differences)


@pytest.mark.parametrize(
    ("world", "shown"),
    [
        (FakeWorld(L488=71), BLUE),
        (FakeWorld(), Shown(())),
        (FakeWorld(), replace(BLUE, changing=True)),
        (FakeWorld(L560=5), Shown((("488", 71.0), ("560", 5.0)), stepped=True)),
        (FakeWorld(L560=5), None),
    ],
)
def test_what_is_right_is_no_difference(world: FakeWorld, shown: Shown | None) -> None:
    watch = watched(world, lambda: shown)
    assert watch.differences == []
    assert watch.compared == 12


def test_a_change_between_two_looks_is_no_difference() -> None:
    """The world goes dark after the program was asked, at every second comparison."""
    world = FakeWorld(L488=71)

    def asked() -> Shown:
        lit = bool(world.percent)
        world.percent = {} if lit else {488: 71.0}
        return BLUE if lit else Shown(())

    assert watched(world, asked).differences == []


def test_lamps_of_a_run_say_what_is_known() -> None:
    assert shown_of([Lamp("488", 71.0)]) == BLUE
    assert shown_of([Lamp("488", 71.0, LampState.CHANGING)]) == replace(BLUE, changing=True)
    assert shown_of([Lamp("488", 71.0, LampState.STEPPED)]) == replace(BLUE, stepped=True)
    assert shown_of([]) == Shown(())
