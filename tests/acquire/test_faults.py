"""What goes wrong ends before the exposure or at it, is told with device and value, and the light goes off in time."""

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest

from rdl_live.acquire import Acquisition, IlluminationGuard, ManyProblemsError, Region, hardware_of
from rdl_live.acquire.guard import side_by_side
from rdl_live.errors import DeviceError, OutputError
from rdl_live.files.recorder import FrameFlag, FrameTag
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Frame, Keeper, is_dark, plan_of
from tests.busy import BUSY

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=0, y=0, width=32, height=32)
Ways = Literal["hardware", "software"]
both = pytest.mark.parametrize("sequence", ["hardware", "software"])


def fail(core: "UniMMCore", microscope: Microscope, sequence: Ways = "hardware") -> tuple[str, Keeper]:
    """Run a plan that must fail, within a second; return the message and what was recorded."""
    keeper = Keeper()
    run = Acquisition(core, microscope, plan_of(3, roi=SMALL, sequence=sequence), keeper, check_patterns=False)
    began = time.perf_counter()
    with pytest.raises(DeviceError) as caught:
        run.run()
    assert time.perf_counter() - began < 5.0 * BUSY
    return str(caught.value), keeper


@both
def test_an_aotf_that_refuses_its_power(
    core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways
) -> None:
    world.faults.refuse("AOTF", "Power_488_pct", 50)
    message, keeper = fail(core, microscope, sequence)
    assert "AOTF: Power_488_pct = 50" in message
    assert not keeper.tags
    assert not world.exposures
    assert is_dark(core, world)


@both
def test_an_slm_whose_upload_fails(core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways) -> None:
    world.faults.fail_upload("SLM")
    message, keeper = fail(core, microscope, sequence)
    assert "SLM: upload of" in message
    assert not keeper.tags
    assert not world.exposures
    assert is_dark(core, world)


@both
def test_a_frame_of_another_size_ends_it(
    core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways
) -> None:
    """Of a region that somebody else sets meanwhile: named with both sizes, and never recorded."""
    keeper = Keeper()
    run = Acquisition(core, microscope, plan_of(3, roi=SMALL, sequence=sequence), keeper, check_patterns=False)
    core.setROI("Camera", 0, 0, 16, 48)
    with pytest.raises(DeviceError, match="Camera: sent a frame of 16 x 48 pixels, where 32 x 32 are set"):
        run.run()
    assert not keeper.tags
    assert is_dark(core, world)


def test_an_slm_that_starts_a_frame_late(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    core.setProperty("SLM", "StartShift", 1)
    message, keeper = fail(core, microscope)
    assert "SLM: PatternIndex is 1 before the first exposure, and should be 0" in message
    assert not keeper.tags
    assert not world.exposures
    assert is_dark(core, world)


def test_an_slm_that_slips_without_telling(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    """As the one above, with an SLM that cannot be asked: the data tell."""
    mute = microscope.model_dump()
    mute["hardware"]["slm"]["index_property"] = None
    world.faults.shift_slm(1)
    keeper = Keeper()
    bright = plan_of(1).replace(channels=[{"name": "488", "power_percent": 100, "exposure_ms": 10}])
    report = Acquisition(core, Microscope.model_validate(mute), bright, keeper).run()
    assert report.wrong_patterns >= 3
    assert any(tag.flags & FrameFlag.WRONG_PATTERN for tag in keeper.tags)


@both
def test_a_shutter_stuck_closed(core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways) -> None:
    world.faults.stick("Shutter")
    message, keeper = fail(core, microscope, sequence)
    assert "Shutter: shutter was set open but reads back closed" in message
    assert not keeper.tags
    assert not world.exposures
    assert is_dark(core, world)


def test_a_shutter_stuck_open(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    """The lasers and the AOTF go dark nevertheless, and what is not dark is told."""
    core.setShutterOpen("Shutter", True)
    world.faults.stick("Shutter")
    message, keeper = fail(core, microscope)
    assert "Shutter: shutter was set closed but reads back open" in message
    assert not keeper.tags
    assert all(world.light.share(nm, exposing=True) == 0 for nm in world.settings.lines)
    world.faults.clear()
    core.setShutterOpen("Shutter", False)


@both
def test_one_failed_exposure_is_a_hole(
    core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways
) -> None:
    world.faults.fail_exposure(9 + 5)
    keeper = Keeper()
    plan = plan_of(3, roi=SMALL, sequence=sequence)
    report = Acquisition(core, microscope, plan, keeper, check_patterns=False).run()
    assert (report.status.frames, report.status.missing) == (26, 1)
    assert [i for i, frame in enumerate(keeper.frames) if frame is None] == [14]
    assert [tag.pattern_id for tag in keeper.tags] == [9 + i % 9 for i in range(27)]
    assert keeper.tags[14].flags & FrameFlag.MISSING
    assert is_dark(core, world)


@both
def test_an_unplugged_camera_ends_the_run(
    core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways
) -> None:
    keeper = Keeper()

    def unplug(_: Frame | None, tag: FrameTag) -> None:
        if tag.time == 1:
            world.faults.unplug("Camera")

    plan = plan_of(1000, roi=SMALL, sequence=sequence)
    run = Acquisition(core, microscope, plan, keeper, on_frame=unplug, check_patterns=False)
    with pytest.raises(DeviceError, match="Camera"):
        run.run()
    assert len(keeper.tags) < 1000
    assert is_dark(core, world)


def test_a_stalled_camera(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    impatient = microscope.model_dump()
    impatient["hardware"]["camera"]["timeout_s"] = 0.3
    scope = Microscope.model_validate(impatient)
    done = threading.Event()

    def hang(_: Frame | None, tag: FrameTag) -> None:
        if tag.phase == 2 and not done.is_set():
            done.set()
            world.faults.hang("Camera")

    run = Acquisition(core, scope, plan_of(1000, roi=SMALL), on_frame=hang, check_patterns=False)
    run.start()
    assert done.wait(10)
    began = time.perf_counter()
    dark_after = _dark_after(world, began)
    world.faults.clear()
    with pytest.raises(DeviceError, match=r"Camera: .*stalled"):
        run.wait()
    assert dark_after < 0.3 + 1.0
    assert is_dark(core, world)


@both
def test_a_recorder_that_fails(core: "UniMMCore", world: "World", microscope: Microscope, sequence: Ways) -> None:
    class Full(Keeper):
        failed_s = 0.0

        def append(self, frame: Frame, tag: FrameTag) -> None:
            super().append(frame, tag)
            if len(self.tags) == 12:
                self.failed_s = time.perf_counter()
                raise OutputError("the disk is full")

    full = Full()
    plan = plan_of(None, roi=SMALL, sequence=sequence)
    run = Acquisition(core, microscope, plan, full, check_patterns=False)
    with pytest.raises(OutputError, match="disk is full"):
        run.run()
    assert time.perf_counter() - full.failed_s < 1.0 * BUSY
    assert len(full.tags) == 12
    assert is_dark(core, world)


def test_processing_that_fails_costs_no_frame(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    def broken(_: Frame | None, __: FrameTag) -> None:
        raise ValueError("no such array")

    keeper = Keeper()
    told: list[str] = []
    run = Acquisition(
        core, microscope, plan_of(2, roi=SMALL), keeper, on_frame=broken, on_warning=told.append, check_patterns=False
    )
    report = run.run()
    assert report.status.frames == 18
    assert isinstance(report.processing_error, ValueError)
    assert len(told) == 1
    assert is_dark(core, world)


def test_every_step_of_the_guard_runs(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    guard = IlluminationGuard(core, hardware_of(microscope))
    core.setShutterOpen("Shutter", True)
    for nm in world.settings.lines:
        core.setProperty("AOTF", f"Power_{nm}_pct", 30)
        core.setProperty("Lasers", f"Enable_{nm}", 1)
    world.faults.refuse("AOTF", "Power_405_pct")
    world.faults.stick("Shutter")
    with pytest.raises(ManyProblemsError) as caught:
        guard.make_safe()
    assert "Power_405_pct" in str(caught.value)
    assert "Shutter" in str(caught.value)
    assert len(caught.value.errors) == 2
    assert float(core.getProperty("AOTF", "Power_560_pct")) == 0
    assert not any(core.getProperty("Lasers", f"Enable_{nm}") for nm in world.settings.lines)
    world.faults.clear()
    guard.make_safe()
    assert is_dark(core, world)
    guard.release()


def test_a_busy_computer_is_no_device_that_hangs() -> None:
    """Threads that compute take the turns of the device's thread, and those in which it is waited for."""
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            sum(range(1000))

    def answers() -> None:
        for _ in range(20):  # a fifth of a second, where nothing else runs
            time.sleep(0.01)

    interval, threads = sys.getswitchinterval(), [threading.Thread(target=busy) for _ in range(4)]
    sys.setswitchinterval(0.02)
    try:
        for thread in threads:
            thread.start()
        assert side_by_side({"AOTF": [answers]}) == []
    finally:
        over.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()


def test_a_device_that_hangs_keeps_no_other_waiting(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    core.setShutterOpen("Shutter", True)
    core.setProperty("AOTF", "Power_488_pct", 30)
    guard = IlluminationGuard(core, hardware_of(microscope))
    world.faults.hang("Lasers")
    began = time.perf_counter()
    with pytest.raises(DeviceError, match="Lasers: did not answer"):
        guard.make_safe()
    assert time.perf_counter() - began < 1.5 * BUSY
    world.faults.clear()
    assert not core.getShutterOpen("Shutter")
    assert float(core.getProperty("AOTF", "Power_488_pct")) == 0
    guard.make_safe()
    guard.release()


@pytest.mark.parametrize("moment", ["start", "middle"])
def test_two_errors_are_both_told(core: "UniMMCore", world: "World", microscope: Microscope, moment: str) -> None:
    def break_down(_: Frame | None, tag: FrameTag) -> None:
        if tag.time == 1:
            world.faults.stick("Shutter")

    class Full(Keeper):
        def append(self, frame: Frame, tag: FrameTag) -> None:
            super().append(frame, tag)
            if tag.time == 2:
                raise OutputError("the disk is full")

    if moment == "start":
        world.faults.refuse("SLM", "TriggerMode")
        world.faults.refuse("AOTF", "Blanking", "Closed", times=1)
    run = Acquisition(core, microscope, plan_of(9, roi=SMALL), Full(), on_frame=break_down, check_patterns=False)
    with pytest.raises((DeviceError, OutputError)) as caught:
        run.run()
    message = str(caught.value)
    assert ("Blanking" in message) if moment == "start" else ("disk is full" in message and "Shutter" in message)
    assert all(world.light.share(nm, exposing=True) == 0 for nm in world.settings.lines)
    world.faults.clear()
    core.setShutterOpen("Shutter", False)


def _dark_after(world: "World", began: float, patience_s: float = 5.0) -> float:
    """Return after how many seconds the sample was dark."""
    dark: Callable[[], bool] = lambda: not any(world.light.share(nm, exposing=True) for nm in world.settings.lines)  # noqa: E731
    while not dark() and time.perf_counter() - began < patience_s:
        time.sleep(0.005)
    return time.perf_counter() - began
