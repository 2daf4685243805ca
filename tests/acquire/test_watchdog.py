"""What ends the light when the program itself fails: a hardware watchdog, and exceptions in any thread."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdl_live.acquire import Acquisition, hardware_of, open_core, shutdown
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.files import load_microscope
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Keeper, is_dark, plan_of

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

TIMEOUT_S = 1.0


@pytest.fixture
def guarded(root: Path, tmp_path: Path) -> Iterator[tuple["UniMMCore", "World", Microscope]]:
    """A microscope with a hardware watchdog, in its own world."""
    from rdl_devices.sim import world_of

    configs = root / "configs"
    cfg = (configs / "demo.cfg").read_text(encoding="utf-8").replace("Realtime,1", "Realtime,0")
    device = "#py pyDevice,Lasers,rdl_devices.sim.lasers,SimLasers\n"
    assert device in cfg
    cfg = cfg.replace(device, f"{device}#py pyDevice,Interlock,rdl_devices.sim.watchdog,SimWatchdog\n")
    extra = "#py Property,Camera,SensorSize_px,64\n#py Property,World,Refresh_ms,1000000\n"
    (tmp_path / "demo.cfg").write_text(cfg + extra, encoding="utf-8")
    role = "  watchdog: {device: Interlock, property: Heartbeat, every_s: 0.1}\n  setup:\n"
    text = (configs / "demo.yaml").read_text(encoding="utf-8").replace("  setup:\n", role)
    (tmp_path / "demo.yaml").write_text(text, encoding="utf-8")
    scope = load_microscope(tmp_path / "demo.yaml")
    core = open_core(scope)
    yield core, world_of(core), scope
    world_of(core).faults.clear()
    shutdown(core, hardware_of(scope))


def _until(fact: Callable[[], bool], patience_s: float = 20.0) -> float:
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < patience_s, "it never came"
        time.sleep(0.01)
    return time.monotonic() - began


def _light(world: "World") -> bool:
    return world.light.share(488, exposing=True) > 0


def test_the_heart_beats_while_a_run_is_alive(guarded: tuple["UniMMCore", "World", Microscope]) -> None:
    core, world, scope = guarded
    core.setProperty("Interlock", "Timeout_s", 30 * TIMEOUT_S)
    assert core.getProperty("Interlock", "Tripped") == 1
    keeper = Keeper()
    Acquisition(core, scope, plan_of(5), keeper, check_patterns=False).run()
    assert len(keeper.tags) == 45
    # Every frame had light: the interlock was held open.
    assert all(exposure.irradiance[488] > 0 for exposure in world.exposures)
    assert not [t for t in threading.enumerate() if t.name == "rdl-heartbeat"]


def test_without_a_beat_the_hardware_goes_dark(guarded: tuple["UniMMCore", "World", Microscope]) -> None:
    """A driver holds the run with the light on, for ever: no software can help, and the hardware does."""
    core, world, scope = guarded
    core.setProperty("Interlock", "Timeout_s", TIMEOUT_S)
    impatient = scope.model_dump()
    impatient["hardware"]["camera"]["timeout_s"] = 0.2
    run = Acquisition(core, Microscope.model_validate(impatient), plan_of(None, sequence="software"))
    run.start()
    _until(lambda: run.status.frames > 5)
    _until(lambda: _light(world))
    world.faults.hang("SLM")  # the next pattern never comes, and the shutter stays open
    _until(lambda: not _light(world))
    assert world.light.shutter_open
    assert core.getProperty("Interlock", "Tripped") == 1
    world.faults.clear()
    run.stop()
    run.wait()
    assert is_dark(core, world)


def test_a_watchdog_that_takes_no_beat_ends_the_run(guarded: tuple["UniMMCore", "World", Microscope]) -> None:
    core, world, scope = guarded
    core.setProperty("Interlock", "Timeout_s", 30 * TIMEOUT_S)
    run = Acquisition(core, scope, plan_of(None))
    run.start()
    _until(lambda: run.status.frames > 5)
    world.faults.unplug("Interlock")
    with pytest.raises(DeviceError, match=r"Interlock: Heartbeat = .*heartbeat of the watchdog"):
        run.wait(20)
    world.faults.clear()
    assert is_dark(core, world)


def test_without_its_watchdog_there_is_no_light_at_all(guarded: tuple["UniMMCore", "World", Microscope]) -> None:
    core, world, scope = guarded
    world.faults.unplug("Interlock")
    with pytest.raises(DeviceError, match="Interlock"):
        Acquisition(core, scope, plan_of(3)).run()
    assert not world.exposures
    world.faults.clear()


def test_a_watchdog_that_is_not_there_is_told(core: "UniMMCore", microscope: Microscope) -> None:
    described = microscope.model_dump()
    described["hardware"]["watchdog"] = {"device": "Nowhere", "property": "Beat"}
    with pytest.raises(ConfigError, match="watchdog: there is no device 'Nowhere'"):
        Acquisition(core, Microscope.model_validate(described), plan_of(1))


def test_an_exception_in_any_thread_ends_the_run_in_the_dark(
    core: "UniMMCore", world: "World", microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: heard.append(str(args.exc_value)))
    mine = threading.excepthook
    run = Acquisition(core, microscope, plan_of(None), check_patterns=False)
    run.start()
    _until(lambda: run.status.frames > 0)

    def break_down() -> None:
        raise ZeroDivisionError("somebody else's trouble")

    thread = threading.Thread(target=break_down, name="somebody-else")
    thread.start()
    thread.join()
    with pytest.raises(DeviceError, match=r"somebody-else.*somebody else's trouble"):
        run.wait(20)
    assert is_dark(core, world)
    assert heard == ["somebody else's trouble"]
    assert threading.excepthook is mine
