"""Rows 1 to 9 of docs/faults.md: devices that refuse, lose, stall and vanish. The light, the words, and the file."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rdl_live.acquire import Acquisition, Plan, PlanChannel, hardware_of, open_core, shutdown
from rdl_live.errors import DeviceError, OutputError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FrameFlag, FrameTag, Recorder
from rdl_live.optics import Microscope
from tests.busy import BUSY
from tests.faults.conftest import SIDE, Bench, until

if TYPE_CHECKING:
    from pathlib import Path

BRIGHT = 128
"""Pixels a side from which patterns are judged by the data."""


@pytest.mark.parametrize(
    ("device", "name", "value"),
    [("AOTF", "Power_488_pct", 80.0), ("Lasers", "Enable_488", 1), ("AOTF", "Blanking", "Exposure")],
)
def test_01_a_light_that_refuses_its_value(bench: Bench, device: str, name: str, value: object) -> None:
    bench.world.faults.refuse(device, name, value)
    with pytest.raises(DeviceError, match=rf"{device}: {name} = .*refuses"):
        bench.done(bench.run())
    assert not bench.world.exposures
    assert bench.dark
    assert len(bench.raw) == bench.verified() == 0


@pytest.mark.parametrize("how", ["upload", "absent"])
def test_02_an_slm_that_is_absent_or_takes_no_pictures(bench: Bench, how: str) -> None:
    run = bench.run()
    with pytest.raises(DeviceError, match="SLM: "), run:  # noqa: PT012  # the fault comes after the checks in the dark
        bench.world.faults.fail_upload("SLM") if how == "upload" else bench.world.faults.unplug("SLM")
        run.start()
        run.finish()
    bench.world.faults.clear()
    assert not bench.world.exposures
    assert bench.dark
    assert len(bench.raw) == bench.verified() == 0


def test_03_one_exposure_that_fails(bench: Bench) -> None:
    bench.world.faults.fail_exposure(9 + 4)
    outcome = bench.done(bench.run())
    raw = bench.raw
    assert raw.complete.tolist() == [True, False, True, True]
    assert FrameFlag(int(raw.flags[1, 1, 1])) & FrameFlag.MISSING
    assert (raw.valid.sum(), bench.verified(), outcome.raw_frames_dropped) == (35, 35, 1)
    assert bench.sr.valid[:, 0, 0].tolist() == [True, False, True, True]
    # Later frames are where they belong: by the pattern that the world says it showed.
    shown = [exposure.pattern_index for exposure in bench.world.exposures]
    assert shown == [i % 9 for i in range(36)]
    records = raw.records(2)
    assert [record.pattern_id for record in records] == list(range(9))
    assert any("angle 1 phase 1" in text for text in bench.told)
    assert bench.dark


def test_04_a_frame_that_comes_twice(bench: Bench) -> None:
    """The camera's own count says that it is the same one: it is left out, told, and nothing is shifted.

    The core counts it as one of the frames that were asked for, so the last exposure is not made: a hole.
    """
    bench.world.faults.repeat_frame(9 + 4)
    outcome = bench.done(bench.run())
    assert bench.raw.complete.tolist() == [True, True, True, False]
    assert (bench.verified(), outcome.stats.images, outcome.raw_frames_dropped) == (35, 3, 1)
    assert FrameFlag(int(bench.raw.flags[3, 2, 2])) & FrameFlag.MISSING
    assert any("Camera: sent frame 13 of a sequence twice" in text for text in bench.told)


def test_04_one_less_of_a_camera_that_cannot_count(bench: Bench) -> None:
    """Nobody knows then which frame it is: the whole series is refused, and the next one is right by its patterns."""
    mute = bench.scope.model_dump()
    mute["hardware"]["camera"]["frame_index_tag"] = None
    bench.world.faults.fail_exposure(9 + 4)
    outcome = bench.done(bench.run(scope=Microscope.model_validate(mute)))
    raw = bench.raw
    assert raw.complete.tolist() == [True, False, True, True]
    assert not raw.valid[1].any()
    assert (bench.verified(), outcome.stats.images, outcome.pipeline.refused) == (27, 3, 1)
    assert [record.pattern_id for record in raw.records(2)] == list(range(9))
    assert bench.dark


def test_04_one_too_many_of_a_camera_that_cannot_count(bench: Bench) -> None:
    """Neither camera nor SLM can be asked: the data tell, and the next series is right again."""
    mute = bench.scope.model_dump()
    mute["hardware"]["camera"]["frame_index_tag"] = mute["hardware"]["slm"]["index_property"] = None
    bench.core.setProperty("Camera", "SensorSize_px", BRIGHT)
    bench.world.faults.repeat_frame(9 + 2)
    outcome = bench.done(bench.run(scope=Microscope.model_validate(mute), exposure_ms=10))
    assert outcome.run.wrong_patterns >= 2
    assert (outcome.stats.images, outcome.pipeline.refused) == (3, 1)
    assert bench.sr.valid[:, 0, 0].tolist() == [True, False, True, True]
    assert not bench.raw.flags[2:].any()
    assert any("wrong pattern in series 1" in text for text in bench.told)
    assert bench.dark


@pytest.mark.parametrize("frames", [1, 2, 4, 8])
def test_05_an_slm_that_starts_some_frames_off(bench: Bench, frames: int) -> None:
    """An SLM that cannot be asked: the data tell, the frames are flagged, and no image is made of them."""
    mute = bench.scope.model_dump()
    mute["hardware"]["slm"]["index_property"] = None
    bench.core.setProperty("Camera", "SensorSize_px", BRIGHT)
    bench.world.faults.shift_slm(frames)
    outcome = bench.done(bench.run(3, scope=Microscope.model_validate(mute), exposure_ms=10))
    assert outcome.run.wrong_patterns >= 3
    assert (outcome.stats.images, outcome.pipeline.refused) == (0, 3)
    assert any("wrong pattern" in text for text in bench.told)
    flags = bench.raw.flags.reshape(3, 9)
    assert all(any(FrameFlag(int(flag)) & FrameFlag.WRONG_PATTERN for flag in row) for row in flags)
    assert bench.verified() == 27


def test_06_a_camera_that_stalls(bench: Bench) -> None:
    run = bench.run(None)
    with pytest.raises(DeviceError, match=r"Camera: .*stalled"), run:  # noqa: PT012
        run.start()
        until(lambda: run.status.raw_frames > 20)
        bench.world.faults.hang("Camera")
        dark_s = until(lambda: not any(bench.world.light.share(nm, exposing=True) for nm in bench.world.light.lines))
        bench.world.faults.clear()
        run.finish()
    assert dark_s < (1.0 + 2.0) * BUSY  # the camera's time-out, and the guard's patience
    assert bench.dark
    assert bench.verified() == run.status.raw_frames > 20
    assert bench.raw.complete[:-1].all()


@pytest.mark.parametrize("sequence", ["hardware", "software"])
def test_07_a_camera_that_is_unplugged(bench: Bench, sequence: str) -> None:
    run = bench.run(None, plan={"sequence": sequence})
    with pytest.raises(DeviceError, match="Camera"), run:  # noqa: PT012
        run.start()
        until(lambda: run.status.raw_frames > 20)
        bench.world.faults.unplug("Camera")
        run.finish()
    bench.world.faults.clear()
    assert bench.dark
    assert bench.verified() == run.status.raw_frames > 20


def test_08_a_buffer_that_overflows(bench: Bench) -> None:
    """The core's buffer holds few frames and the sink is held up: a loud end, and what was saved is valid."""
    bench.core.setProperty("Camera", "SensorSize_px", 256)
    bench.core.setCircularBufferMemoryFootprint(1)

    def hold_up(frame: object, tag: FrameTag) -> None:
        del frame
        if tag.time == 1:
            time.sleep(0.5)

    run = bench.run(50, on_frame=hold_up)
    with pytest.raises(DeviceError, match="buffer overflowed"):
        bench.done(run)
    assert bench.dark
    assert bench.verified() == run.status.raw_frames < 450


def test_08_a_buffer_of_micro_managers_own_camera_that_overflows(root: "Path") -> None:
    """The C++ DemoCamera in the real circular buffer."""
    scope = load_microscope(root / "configs" / "mm-demo.yaml")
    core = open_core(scope)
    try:
        from rdl_live.acquire.sequence_reader import read_sequence

        core.setCircularBufferMemoryFootprint(1)
        core.setExposure(1.0)
        core.startSequenceAcquisition("Camera", 200, 0.0, True)
        until(lambda: core.isBufferOverflowed())
        camera = hardware_of(scope).camera
        with pytest.raises(DeviceError, match="Camera: the core's buffer overflowed"):
            list(read_sequence(core, camera, 200, 0.01, lambda: False))
    finally:
        shutdown(core, hardware_of(scope))


def test_09_a_recorder_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    failed_s = 0.0

    class Full(Recorder):
        """As on a full disk."""

        def append(self, frame: "np.ndarray[Any, np.dtype[Any]]", tag: FrameTag) -> None:
            nonlocal failed_s
            if tag.time == 3:
                failed_s = failed_s or time.perf_counter()
                raise OutputError("no space is left on the disk")
            super().append(frame, tag)

    monkeypatch.setattr("rdl_live.app.live.recordings.Recorder", Full)
    run = bench.run(None)
    with pytest.raises(OutputError, match="no space is left"), run:  # noqa: PT012
        run.start()
        until(lambda: failed_s > 0)
        until(lambda: not any(bench.world.light.share(nm, exposing=True) for nm in bench.world.light.lines))
        dark_s = time.perf_counter() - failed_s
        run.finish()
    assert dark_s < 1.0 * BUSY
    assert bench.dark
    assert not bench.core.isSequenceRunning()
    assert bench.verified() == 27


def test_01_micro_managers_own_devices_refuse_a_value(root: "Path") -> None:
    """The C++ DA488 of Micro-Manager's demo: a value out of its limits is refused before anything is lit."""
    scope = load_microscope(root / "configs" / "mm-demo.yaml")
    described = scope.model_dump()
    described["hardware"]["light"][0]["power"]["per_percent"] = 1.0  # 100 V where 5 are the most
    beyond = Microscope.model_validate(described)
    bright = PlanChannel(name=beyond.channels[0].name, power_percent=90, exposure_ms=1)
    core = open_core(scope)
    try:
        with pytest.raises(DeviceError, match=r"DA488: Voltage = 90.*out of its limits"):
            Acquisition(core, beyond, Plan(channels=(bright,)))
        assert float(core.getProperty("DA488", "Voltage")) == 0
        assert not core.getShutterOpen("Shutter")
    finally:
        shutdown(core, hardware_of(scope))


def test_the_chip_is_as_small_as_these_tests_think(bench: Bench) -> None:
    bench.done(bench.run(1))
    assert bench.raw.shape == (1, 3, 3, SIDE, SIDE)
