"""A stop that comes in the midst of the engine's settings: the light stays off, and the run ends as stopped.

The stop comes in the very call that sets a device: before it does, or after it did and before it is read back. So both
orders of the two threads are certain, however fast or busy the computer is.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from rdl_live.acquire import Acquisition, Region, open_core, shutdown
from rdl_live.acquire.devices import Devices
from rdl_live.acquire.light_gate import LightGate, RunStopped
from rdl_live.acquire.safe_light import SafeLight
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import Setting
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import is_dark, plan_of

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=32, y=32, width=32, height=32)
STEPS = {
    "blanking": ("setProperty", ("AOTF", "Blanking", "Exposure")),
    "laser": ("setProperty", ("Lasers", "Enable_488", 1)),
    "power": ("setProperty", ("AOTF", "Power_488_pct", 50.0)),
    "shutter": ("setShutterOpen", ("Shutter", True)),
    "colours": ("startPropertySequence", ("AOTF", "Power_488_pct")),
}


def interrupt(
    core: "UniMMCore", patch: pytest.MonkeyPatch, call: tuple[str, tuple[Any, ...]], moment: str, do: Callable[[], None]
) -> list[None]:
    """Let `do` happen once, before or after a call of the core; what is returned has an entry then."""
    name, wanted = call
    real, done = getattr(core, name), []

    def called(*arguments: Any) -> Any:
        now = arguments == wanted and not done
        if now:
            done.append(None)
        if now and moment == "before":
            do()
        result = real(*arguments)
        if now and moment == "after":
            do()
        return result

    patch.setattr(core, name, called)
    return done


def lit(world: "World") -> bool:
    return any(world.light.share(nm, exposing=True) for nm in world.settings.lines)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_stop_in_a_setting_of_the_light(
    core: "UniMMCore",
    world: "World",
    microscope: Microscope,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    moment: str,
) -> None:
    channels = ("488", "560") if step == "colours" else ("488",)
    run = Acquisition(core, microscope, plan_of(None, channels, roi=SMALL), check_patterns=False)
    light: list[bool] = []

    def stop() -> None:
        run.stop()
        run.make_safe()  # to its end: whatever the engine sets now comes after the dark
        light.append(lit(world))

    came = interrupt(core, monkeypatch, STEPS[step], moment, stop)
    for name in ("setProperty", "setShutterOpen", "startPropertySequence", "startSequenceAcquisition"):
        real = getattr(core, name)

        def watched(*arguments: Any, real: Callable[..., Any] = real) -> Any:
            result = real(*arguments)
            if came:
                light.append(lit(world))
            return result

        monkeypatch.setattr(core, name, watched)
    run.start()
    report = run.wait(60.0)
    assert came
    assert report.stopped
    assert not any(light)
    assert not world.exposures
    assert report.status.frames == 0
    assert not run.lamps
    assert is_dark(core, world)


def test_make_safe_stops_a_run(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    """Or the next series would be lit again."""
    run = Acquisition(core, microscope, plan_of(None, roi=SMALL), check_patterns=False)
    run.start()
    run.make_safe()
    assert run.wait(60.0).stopped
    assert is_dark(core, world)


def test_a_stop_before_the_runner_has_begun(
    core: "UniMMCore", world: "World", microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner forgets a cancel that comes before its start; an endless plan must end nevertheless."""
    run = Acquisition(core, microscope, plan_of(None, roi=SMALL), check_patterns=False)
    real = core.mda.run

    def begin(*arguments: Any) -> None:
        run.stop()
        real(*arguments)

    monkeypatch.setattr(core.mda, "run", begin)
    run.start()
    assert run.wait(60.0).stopped
    assert not world.exposures
    assert is_dark(core, world)


def test_a_core_that_is_shut_down_stops_its_run(microscope: Microscope) -> None:
    """Or the run would light the sample again between the dark and the unloading of its devices."""
    core = open_core(microscope)
    core.setProperty("Camera", "SensorSize_px", 128)
    came = threading.Event()
    run = Acquisition(core, microscope, plan_of(None, roi=SMALL), on_frame=lambda *_: came.set(), check_patterns=False)
    run.start()
    assert came.wait(60.0)
    shutdown(core, microscope.hardware)
    assert not run.running
    assert run.wait().stopped


def test_what_goes_dark_without_a_stop_is_a_fault(
    core: "UniMMCore", world: "World", microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Acquisition(core, microscope, plan_of(None, roi=SMALL), check_patterns=False)
    came = interrupt(
        core, monkeypatch, STEPS["blanking"], "after", lambda: core.setProperty("AOTF", "Blanking", "Closed")
    )
    run.start()
    with pytest.raises(DeviceError, match="Blanking was set to Exposure but reads back Closed"):
        run.wait(60.0)
    assert came
    assert is_dark(core, world)


def test_a_stop_hides_no_other_fault(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    """After a stop only the dark is the stop's doing: a power that reads back as a third value is a fault."""
    del world
    hardware = microscope.hardware
    assert hardware is not None
    devices, stopped = Devices(core, hardware), True
    devices.gate = LightGate(hardware, lambda: stopped)
    core.setProperty("AOTF", "Power_488_pct", 0)
    wanted = Setting(device="AOTF", property="Power_488_pct", value=50)
    with pytest.raises(RunStopped):
        devices.verify(wanted)
    core.setProperty("AOTF", "Power_488_pct", 30)
    with pytest.raises(DeviceError, match="reads back 30"):
        devices.verify(wanted)
    with pytest.raises(RunStopped):
        devices.set(wanted)
    assert float(core.getProperty("AOTF", "Power_488_pct")) == 30
    devices.set(Setting(device="AOTF", property="Power_488_pct", value=0))  # to make dark is always allowed
    stopped = False
    with pytest.raises(DeviceError, match="reads back 0"):
        devices.verify(wanted)


def test_whoever_ends_the_watch_as_it_begins_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    light, errors = SafeLight(), []
    begin = threading.Thread.start

    def end() -> None:
        try:
            light.end_watch()
        except RuntimeError as error:
            errors.append(error)

    other = threading.Thread(target=end, daemon=True)

    def begun_late(thread: threading.Thread) -> None:
        if thread.name == "rdl-dark":
            begin(other)
            other.join(0.5)  # long enough to come to the thread that has not begun, or to the lock
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", begun_late)
    light.watch_stop()
    other.join(60)
    assert not other.is_alive()
    assert errors == []
