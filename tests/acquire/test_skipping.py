"""How far a plan came, whether in time, and what it does where a series fails."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from rdl_live.acquire import Acquisition, Place, Plan, PlanChannel, TimePlan, estimate_plan
from rdl_live.acquire.progress import Pace, Skipped, progress_of
from rdl_live.errors import DeviceError
from rdl_live.files.recorder import FrameFlag
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import Keeper, is_dark, plan_of
from tests.busy import PATIENCE_S

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

PLACES = (Place(x_um=0, y_um=0, name="left"), Place(x_um=50, y_um=0, name="middle"), Place(x_um=100, y_um=0, name="r"))


def skipping(**more: object) -> Plan:
    """Return a plan of two colours at three positions, three times."""
    return plan_of(3, ("488", "560"), positions=PLACES, on_error="skip", **more)


@pytest.fixture
def _no_right(core: "UniMMCore", monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that does not come to the position at the right."""
    move = core.setXYPosition

    def refused(label: str, x_um: float, y_um: float) -> None:
        if x_um > 60:
            raise RuntimeError("axis x is blocked")
        move(label, x_um, y_um)

    monkeypatch.setattr(core, "setXYPosition", refused)


@pytest.mark.usefixtures("_no_right")
@pytest.mark.parametrize("sequence", ["hardware", "software"])
def test_a_position_that_fails_is_skipped_and_named_and_the_rest_goes_on(
    core: "UniMMCore", world: "World", microscope: Microscope, sequence: str
) -> None:
    keeper, told = Keeper(), []
    plan = skipping(sequence=sequence)
    run = Acquisition(core, microscope, plan, keeper, on_warning=told.append, check_patterns=False)
    progress = run.run().progress
    assert progress is not None
    assert (progress.series, progress.planned, progress.missing) == (12, 18, 6)
    assert {(one.series.position, one.place, one.channel) for one in progress.skipped} == {
        (2, "r", "488"),
        (2, "r", "560"),
    }
    assert all("axis x is blocked" in one.why for one in progress.skipped)
    assert "6 missing" in str(progress)
    assert "position 'r'" in str(progress)
    # Each said once, not at every time point.
    assert len(told) == 2
    assert "position 'r', 488: skipped" in told[0]
    # Every frame has its place, and holes are marked.
    assert len(keeper.tags) == 18 * 9
    for frame, tag in zip(keeper.frames, keeper.tags, strict=True):
        assert (frame is None) == (tag.position == 2) == bool(tag.flags & FrameFlag.MISSING)
    assert {exposure.field for exposure in world.exposures} == {world.dose.field(0, 0), world.dose.field(50, 0)}
    assert is_dark(core, world)


@pytest.mark.usefixtures("_no_right")
def test_by_default_a_position_that_fails_ends_the_plan(
    core: "UniMMCore", world: "World", microscope: Microscope
) -> None:
    run = Acquisition(core, microscope, skipping().replace(on_error="stop"), check_patterns=False)
    with pytest.raises(DeviceError, match="axis x is blocked"):
        run.run()
    assert (run.progress.series, run.progress.planned) == (4, 18)
    assert "14 missing: XY: position (100, 0) um failed" in str(run.progress)
    assert is_dark(core, world)


def test_a_series_that_fails_within_a_hardware_sequence_is_skipped_alone(
    core: "UniMMCore", world: "World", microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that stalls once: the rest of the burst is taken in a new one."""
    keeper = Keeper()
    plan = plan_of(6, on_error="skip")
    run = Acquisition(core, microscope, plan, keeper, check_patterns=False)
    once = [True]
    hand_on = run._engine._hand_on

    def stall(*args: object) -> object:
        if once and run.status.frames == 13:
            once.clear()
            raise DeviceError("Camera: has stalled")
        return hand_on(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(run._engine, "_hand_on", stall)
    progress = run.run().progress
    assert progress is not None
    assert (progress.series, progress.missing) == (5, 1)
    assert progress.skipped[0].where == "time point 1, 488"
    assert [tag.time for tag in keeper.tags] == [t for t in range(6) for _ in range(9)]
    holes = [i for i, frame in enumerate(keeper.frames) if frame is None]
    assert holes == list(range(13, 18))
    assert is_dark(core, world)


def test_what_fails_always_ends_the_plan(core: "UniMMCore", world: "World", microscope: Microscope) -> None:
    """Nobody wants a night of skipped series."""
    world.faults.refuse("AOTF", "Power_488_pct", 50)
    run = Acquisition(core, microscope, plan_of(100, on_error="skip"), check_patterns=False)
    with pytest.raises(DeviceError, match=r"3 series in a row failed.*AOTF"):
        run.run()
    assert len(run.progress.skipped) == 3
    assert is_dark(core, world)


def test_light_that_cannot_be_turned_off_is_never_skipped(
    core: "UniMMCore", world: "World", microscope: Microscope
) -> None:
    run = Acquisition(core, microscope, plan_of(100, on_error="skip"), check_patterns=False)
    run.start()
    _until(lambda: run.status.frames > 20)
    world.faults.stick("Shutter")
    world.faults.unplug("SLM")
    with pytest.raises(DeviceError, match=r"Shutter.*stuck"):
        run.wait(60)
    world.faults.clear()
    run._guard.make_safe()


def _until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# In time or late: by formulas ------------------------------------------------------------------------------


def timed(points: int, interval_s: float) -> Plan:
    """Return two colours, one position."""
    return Plan(
        channels=tuple(PlanChannel(name=n, power_percent=5, exposure_ms=5) for n in ("488", "560")),
        time=TimePlan(points=points, interval_s=interval_s),
    )


def test_a_plan_in_time_is_not_late_also_while_it_waits(microscope: Microscope) -> None:
    estimate = estimate_plan(timed(36, 3.0), microscope, (128, 128))
    for seconds in (0.0, 0.1, 2.9):
        progress = progress_of(estimate, 2, Pace(2, seconds, 0.2), (), ended=False)
        assert not progress.is_late
    assert progress_of(estimate, 2, Pace(20, 28.0, 2.5), (), ended=False).late_s == 0


def test_late_and_what_is_left_are_in_seconds(microscope: Microscope) -> None:
    estimate = estimate_plan(timed(36, 3.0), microscope, (128, 128))
    assert estimate.duration_s == pytest.approx(105 + estimate.point_s)
    # 7 series: the eighth, the second of time point 3, is due at 9 s + one time point; 20 s later it is not there.
    progress = progress_of(estimate, 2, Pace(7, 9 + estimate.point_s + 20, 21.0), (), ended=False)
    assert progress.late_s == pytest.approx(20)
    assert progress.done == f"7 of 72 series, 20 s late (planned: {estimate.duration_s:.0f} s)"
    # 3 s a series so far, 65 to come: longer than the plan's own 105 s.
    assert progress.remaining_s == pytest.approx(65 * 3.0)
    ended = progress_of(estimate, 2, Pace(7, 30.0, 21.0), (), ended=True, why="Camera: has stalled")
    assert ended.remaining_s == 0
    assert str(ended).endswith("65 missing: Camera: has stalled")
    record = ended.as_record()
    assert (record["series"], record["planned_series"], record["missing_series"]) == (7, 72, 65)
    assert record["why"] == "Camera: has stalled"


def test_a_whole_plan_lacks_nothing(microscope: Microscope) -> None:
    estimate = estimate_plan(timed(36, 3.0), microscope, (128, 128))
    progress = progress_of(estimate, 2, Pace(72, estimate.duration_s + 0.3, 20.0), (), ended=True)
    assert (progress.lack, progress.done, progress.is_late) == ("", "72 of 72 series", False)
    assert progress.as_record()["skipped"] == []


def test_skipped_series_are_listed(microscope: Microscope) -> None:
    from rdl_live.files.recorder import SeriesKey

    estimate = estimate_plan(timed(2, 0.0), microscope, (128, 128))
    gone = (Skipped(SeriesKey(1, 0, 0, 1), "", "560", "XY: blocked"),)
    progress = progress_of(estimate, 2, Pace(4, estimate.duration_s, 1.0), gone, ended=True)
    assert (progress.series, progress.missing) == (3, 1)
    assert progress.as_record()["skipped"] == [
        {"time": 1, "position": 0, "z": 0, "channel": 1, "place": "", "channel_name": "560", "why": "XY: blocked"}
    ]
    assert progress.lack == "1 missing: 1 skipped, the first: time point 1, 560: XY: blocked"
