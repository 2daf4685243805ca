"""What is shown of the light, against the world, at every single call of a device: there is no moment between them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.light_watch import shown_of, wrong_in
from rdl_live.acquire import Acquisition, Lamp, LampState, Region
from rdl_live.acquire.plan import Plan
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Keeper, is_dark, plan_of

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=32, y=32, width=32, height=32)
CALLS = (
    "setProperty",
    "waitForDevice",
    "getProperty",
    "setShutterOpen",
    "getShutterOpen",
    "setExposure",
    "loadSLMSequence",
    "displaySLMImage",
    "startPropertySequence",
    "stopPropertySequence",
    "startSequenceAcquisition",
    "stopSequenceAcquisition",
    "snapImage",
)
NONE_YET = "none that is shown is lit"
"""Allowed while hardware switches, for it does so in steps of its own."""


class Moments:
    """Compares before and after every call of the core that a run makes."""

    def __init__(self, core: "UniMMCore", world: "World", patch: pytest.MonkeyPatch) -> None:
        self.run: Acquisition | None = None
        self.seen: dict[LampState, set[tuple[tuple[str, float], ...]]] = {}
        self.wrong: list[str] = []
        self._world = world
        for name in CALLS:
            patch.setattr(core, name, self._watched(name, getattr(core, name)))

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self._look(f"before {name}{arguments[:3]}")
            result = real(*arguments)
            self._look(f"after {name}{arguments[:3]}")
            return result

        return called

    def _look(self, when: str) -> None:
        if self.run is None:
            return
        lamps = self.run.lamps
        world = {str(nm): 100 * self._world.light.share(nm, exposing=True) for nm in self._world.light.lines}
        found = wrong_in(shown_of(lamps), {name: power for name, power in world.items() if power})
        self.wrong += [f"{when}: {one}; shown {lamps}" for one in found if one != NONE_YET]
        for state in {lamp.state for lamp in lamps}:
            self.seen.setdefault(state, set()).add(tuple((lamp.channel, lamp.power_percent) for lamp in lamps))


@pytest.fixture
def moments(core: "UniMMCore", world: "World", monkeypatch: pytest.MonkeyPatch) -> Moments:
    return Moments(core, world, monkeypatch)


def colours(*powers: tuple[str, float], **more: Any) -> Plan:
    channels = [{"name": name, "power_percent": power, "exposure_ms": 5} for name, power in powers]
    return plan_of(2, roi=SMALL, **more).replace(channels=channels)


def ran(core: "UniMMCore", microscope: Microscope, moments: Moments, plan: Plan) -> None:
    moments.run = Acquisition(core, microscope, plan, Keeper(), check_patterns=False)
    moments.run.run()
    assert moments.wrong == []
    assert moments.run.lamps == ()


@pytest.mark.parametrize("sequence", ["hardware", "software"])
def test_one_colour(core: "UniMMCore", world: "World", microscope: Microscope, moments: Moments, sequence: str) -> None:
    ran(core, microscope, moments, colours(("488", 71.0), sequence=sequence))
    assert moments.seen[LampState.READ_BACK] == moments.seen[LampState.CHANGING] == {(("488", 71.0),)}
    assert is_dark(core, world)


def test_colours_that_software_switches(
    core: "UniMMCore", world: "World", microscope: Microscope, moments: Moments
) -> None:
    """With the shutter open: while one replaces the other, both are shown, for either may be lit."""
    ran(core, microscope, moments, colours(("488", 10.0), ("560", 40.0), sequence="software"))
    assert moments.seen[LampState.READ_BACK] == {(("488", 10.0),), (("560", 40.0),)}
    assert (("488", 10.0), ("560", 40.0)) in moments.seen[LampState.CHANGING]
    assert is_dark(core, world)


def test_colours_that_hardware_switches(
    core: "UniMMCore", world: "World", microscope: Microscope, moments: Moments
) -> None:
    """All of the sequence are shown, and that they are not read back."""
    ran(core, microscope, moments, colours(("488", 10.0), ("560", 40.0)))
    assert moments.seen[LampState.STEPPED] == {(("488", 10.0), ("560", 40.0))}
    assert is_dark(core, world)


def test_a_microscope_without_a_shutter(
    core: "UniMMCore", world: "World", microscope: Microscope, moments: Moments
) -> None:
    """Its light is on as soon as it is set, and between time points it is turned off by the safe state."""
    bare = microscope.model_dump()
    bare["hardware"]["shutter"] = None
    core.setShutterOpen("Shutter", True)
    dark_between: list[bool] = []
    try:
        plan = colours(("488", 10.0), ("560", 40.0), sequence="software").replace(time={"points": 3, "interval_s": 0.3})
        moments.run = Acquisition(core, Microscope.model_validate(bare), plan, Keeper(), check_patterns=False)
        engine = moments.run._engine
        closed = engine.teardown_event

        def close(event: Any) -> None:
            closed(event)
            if not event.keep_shutter_open:
                dark_between.append(not any(world.light.share(nm, exposing=True) for nm in world.light.lines))

        engine.teardown_event = close  # type: ignore[method-assign]
        moments.run.run()
    finally:
        core.setShutterOpen("Shutter", False)
    assert moments.wrong == []
    assert dark_between == [True] * 3
    assert is_dark(core, world)


def test_the_bar_is_right_while_a_shutter_is_slow(
    core: "UniMMCore", world: "World", microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A soak saw 71 % shown while the world had none yet: the shutter was asked to open, and the computer was busy."""
    run = Acquisition(core, microscope, colours(("488", 71.0)), Keeper(), check_patterns=False)
    real, seen = core.setShutterOpen, []

    def opened(label: str, is_open: bool) -> None:
        if is_open:
            seen.append((run.lamps, world.light.share(488, exposing=True)))
        real(label, is_open)

    monkeypatch.setattr(core, "setShutterOpen", opened)
    run.run()
    assert seen == [((Lamp("488", 71.0, LampState.CHANGING),), 0.0)] * len(seen)
    assert seen
