"""Runs without faults: series as hardware sequences or stepped by software, colours, planes, live."""

import math
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rdl_live.acquire import Acquisition, Place, Region, ZPlan, recording_layout
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.files.recorder import FrameFlag, FrameTag, Recorder, open_recording
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Keeper, is_dark, plan_of
from tests.busy import BUSY, PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

SMALL = Region(x=32, y=32, width=32, height=32)


def test_a_hundred_series_in_hardware_sequences(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    keeper = Keeper()
    run = Acquisition(core, microscope, plan_of(100, roi=SMALL), keeper, check_patterns=False)
    report = run.run()
    assert (report.status.frames, report.status.missing, report.status.series) == (900, 0, 100)
    assert report.status.bursts <= 2
    assert [tag.pattern_id for tag in keeper.tags] == [9 + i % 9 for i in range(900)]
    assert [truth.pattern_index for truth in world.exposures] == [i % 9 for i in range(900)]
    assert keeper.places == sorted(set(keeper.places))
    stamps = [tag.timestamp_s for tag in keeper.tags]
    assert stamps == sorted(stamps)  # type: ignore[type-var]
    assert is_dark(core, world)


def test_software_steps_through_the_same_indices(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    by_hardware, by_software = Keeper(), Keeper()
    Acquisition(core, microscope, plan_of(2, roi=SMALL), by_hardware, check_patterns=False).run()
    lit = [truth.light[488] for truth in world.exposures]
    world.exposures.clear()
    run = Acquisition(core, microscope, plan_of(2, roi=SMALL, sequence="software"), by_software, check_patterns=False)
    report = run.run()
    assert report.status.stepped
    assert report.status.bursts == 0
    assert by_software.places == by_hardware.places
    assert [truth.light[488] for truth in world.exposures] == lit
    assert is_dark(core, world)


def test_the_light_is_that_of_the_nominal_patterns(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    keeper = Keeper()
    run = Acquisition(core, microscope, plan_of(1, roi=SMALL), keeper, check_patterns=False)
    whole = run.patterns["488"].nominal(run.hardware.slm, (1024, 1024), (128 * 0.065, 128 * 0.065))
    here = run.nominal("488")
    run.run()
    for tag, truth in zip(keeper.tags, world.exposures, strict=True):
        light, pattern = truth.light[488], whole[tag.angle]
        sign = 1 if light.kx * pattern.kx + light.ky * pattern.ky > 0 else -1
        assert math.hypot(light.kx - sign * pattern.kx, light.ky - sign * pattern.ky) < 1e-5
        assert abs(math.remainder(sign * light.phase_rad - pattern.phases_rad[tag.phase], 2 * math.pi)) < 1e-2
        # The corner of the region, not that of the chip.
        moved = 2 * math.pi * 32 * 0.065 * (pattern.kx + pattern.ky)
        shift = here[tag.angle].phases_rad[tag.phase] - pattern.phases_rad[tag.phase]
        assert abs(math.remainder(shift - moved, 2 * math.pi)) < 1e-6


def test_colours_and_planes(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    plan = plan_of(2, ("405", "488", "560"), z=ZPlan(planes=2, step_um=0.4), roi=SMALL)
    keeper = Keeper()
    report = Acquisition(core, microscope, plan, keeper, check_patterns=False).run()
    assert report.status.frames == 2 * 2 * 3 * 9
    assert report.status.bursts == 2 * 2  # three colours in each
    assert keeper.places == sorted(set(keeper.places))
    lines = (405, 488, 560)
    for tag, truth in zip(keeper.tags, world.exposures, strict=True):
        assert list(truth.light) == [lines[tag.channel]]
        assert truth.pattern_index == tag.pattern_id
        assert truth.irradiance[lines[tag.channel]] == pytest.approx(5.0, rel=0.02)
    periods = [next(iter(truth.light.values())).period_um for truth in list(world.exposures)[0:27:9]]
    assert periods == sorted(periods)
    assert periods[2] > 1.2 * periods[0]
    assert world.stage_um[2] == pytest.approx(0.0)  # the focus is back where it was
    assert is_dark(core, world)


def test_positions_in_the_order_of_the_plan(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    places = (Place(x_um=0, y_um=0), Place(x_um=1, y_um=-1, z_um=0.5))
    seen: list[tuple[int, tuple[float, float, float]]] = []
    plan = plan_of(2, positions=places, roi=SMALL, sequence="software")
    run = Acquisition(
        core,
        microscope,
        plan,
        on_frame=lambda _, tag: seen.append((tag.position, world.stage_um)),
        check_patterns=False,
    )
    assert run.run().processing_error is None
    assert set(seen) == {(0, (0.0, 0.0, 0.0)), (1, (1.0, -1.0, 0.5))}
    assert [position for position, _ in seen[::9]] == [0, 1, 0, 1]
    core.setXYPosition(0, 0)


def test_the_stripes_are_checked_in_the_data(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    bright = plan_of(2).replace(channels=[{"name": "488", "power_percent": 100, "exposure_ms": 10}])
    report = Acquisition(core, microscope, bright, Keeper()).run()
    assert report.unjudged_series == 0
    assert report.wrong_patterns == 0
    world.faults.replace_pattern(4, 7)
    keeper = Keeper()
    told: list[str] = []
    report = Acquisition(core, microscope, bright, keeper, on_warning=told.append).run()
    flagged = [(tag.time, tag.angle, tag.phase) for tag in keeper.tags if tag.flags]
    assert flagged == [(0, 1, 1), (1, 1, 1)]
    assert report.wrong_patterns == 2
    assert len(told) == 1
    assert "angle 1 phase 1" in told[0]


def test_live_until_it_is_stopped(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    came: SimpleQueue[FrameTag] = SimpleQueue()
    run = Acquisition(
        core, microscope, plan_of(None, roi=SMALL), on_frame=lambda _, tag: came.put(tag), check_patterns=False
    )
    run.start()
    with pytest.raises(DeviceError, match="running already"):
        Acquisition(core, microscope, plan_of(1))
    came.get(timeout=PATIENCE_S)
    brighter = run.plan.replace(channels=[{"name": "488", "power_percent": 80, "exposure_ms": 5}])
    run.follow(brighter)
    power = 0
    while power != 80:
        power = came.get(timeout=PATIENCE_S).metadata["power_percent"]
    with pytest.raises(ConfigError, match="only power"):
        run.follow(plan_of(5))
    began = time.perf_counter()
    run.stop()
    report = run.wait()
    assert time.perf_counter() - began < 1.0 * BUSY
    assert report.stopped
    assert is_dark(core, world)
    with pytest.raises(DeviceError, match="has run already"):
        run.start()


def test_starting_and_stopping_leaves_nothing_behind(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    threads = set(threading.enumerate())
    engine = core.mda.engine
    for _ in range(20):
        run = Acquisition(core, microscope, plan_of(None, roi=SMALL), check_patterns=False)
        run.start()
        run.stop()
        run.wait()
    assert is_dark(core, world)
    assert set(threading.enumerate()) <= threads
    assert core.mda.engine is engine


def test_a_recording_holds_what_came(
    core: "UniMMCore", world: "World", microscope: Microscope, tmp_path: "Path"
) -> None:
    del world
    came: list[tuple[object, FrameTag]] = []
    plan = plan_of(3, ("488", "560"), roi=SMALL)
    path = tmp_path / "raw.ome.zarr"

    run = Acquisition(
        core, microscope, plan, on_frame=lambda frame, tag: came.append((frame, tag)), check_patterns=False
    )
    with Recorder(path, recording_layout(run, note="test")) as recorder:
        run.record_to(recorder)
        run.run()
        summary = recorder.close()
    assert (summary.raw_frames, summary.series, summary.missing) == (54, 6, 0)
    recordings = [open_recording(path, channel=channel) for channel in (0, 1)]
    assert [recording.corner for recording in recordings] == [(SMALL.y, SMALL.x)] * 2
    for frame, tag in came:
        assert np.array_equal(recordings[tag.channel][tag.time][tag.angle, tag.phase], frame)  # type: ignore[arg-type]
    assert len(came) == 54
    for number, recording in enumerate(recordings):
        assert np.array_equal(recording.pattern_ids.reshape(3, 9), np.tile(9 + 9 * number + np.arange(9), (3, 1)))
        recording.close()


def test_a_series_that_begins_late_says_so(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    """The listener holds the run up once; the series that was due meanwhile is flagged, and no other one."""
    del world

    def dawdle(_: object, tag: FrameTag) -> None:
        if (tag.time, tag.angle, tag.phase) == (1, 2, 2):
            time.sleep(2.0)

    keeper = Keeper()
    plan = plan_of(4, roi=SMALL).replace(time={"points": 4, "interval_s": 0.6})
    Acquisition(core, microscope, plan, keeper, on_frame=dawdle, check_patterns=False).run()
    late = {tag.time for tag in keeper.tags if tag.flags & FrameFlag.LATE}
    assert late <= {2, 3}
    assert 2 in late
