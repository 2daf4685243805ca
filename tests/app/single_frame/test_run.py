"""Single frames on the simulated microscope, with a series of patterns now and then."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdl_live.app.live.values import LiveOptions
from rdl_live.app.single_frame.check import Check
from rdl_live.app.single_frame.run import CHECKS, SingleFrameRun
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import open_recording
from rdl_live.optics.single_frames import in_even_light
from rdl_live.restore.ranges import check_microscope
from rdl_live.stream import Result
from rdl_models import find_weights, read_card
from tests.app.reconstruct.test_widefield import network

pytest.importorskip("pymmcore_plus")

from rdl_live.acquire import Acquisition, Limits, Plan, PlanChannel, Region, TimePlan
from rdl_live.acquire.core import _ended_run, refuse_if_busy, running_on

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

PATTERNS = 9


def faster(core: "CMMCorePlus") -> None:
    core.setProperty("World", "Realtime", 0)
    core.setProperty("Camera", "SensorSize_px", 128)


def plan_of(points: int | None, **more: object) -> Plan:
    return Plan(
        modality="single-frame",
        check_every=3,
        channels=(PlanChannel(name="488", power_percent=50, exposure_ms=10),),
        time=TimePlan(points=points),
        roi=Region(x=0, y=0, width=96, height=96),
        **more,
    )


def run_of(root: Path, out: Path | None, plan: Plan, denoise: str, **more: object) -> SingleFrameRun:
    options = LiveOptions(denoise=denoise, processing="thread", queue_series=8)
    return SingleFrameRun(load_microscope(root / "configs" / "demo.yaml"), plan, out, options, prepare=faster, **more)


def test_a_series_is_taken_every_so_often_and_compared(root: Path, tmp_path: Path) -> None:
    results: list[Result] = []
    checks: list[Check] = []
    weights = str(network(tmp_path))
    with run_of(root, tmp_path, plan_of(5), weights, receivers=(results.append,), on_check=checks.append) as run:
        run.start()
        outcome = run.finish()
    assert (outcome.raw.raw_frames, outcome.raw_frames_dropped, outcome.sr.raw_frames) == (5, 0, 5)
    assert sorted(result.key.time for result in results) == [0, 1, 2, 3, 4]
    assert all(result.main == "sr" for result in results)
    assert [check.time for check in checks] == [0, 3]
    # An untrained network makes the enlarged image: as far from SIM as the widefield image is, which is no gain.
    assert all(check.found is not None and check.found.error == pytest.approx(1, abs=1e-3) for check in checks)
    with open_recording(tmp_path / "raw.ome.zarr") as raw, open_recording(tmp_path / CHECKS) as series:
        assert (raw.shape, series.shape) == ((5, 1, 1, 96, 96), (2, 3, 3, 96, 96))
        # Even light and stripes bring the same light.
        assert abs(float(raw.read(0, 5).mean() - 100) / float(series.read(0, 2).mean() - 100) - 1) < 0.2


def test_a_stop_ends_all_parts_in_the_dark(root: Path) -> None:
    frames: list[object] = []
    with run_of(root, None, plan_of(None), "none", on_frame=lambda *one: frames.append(one)) as run:
        run.start()
        while len(frames) < 4:  # a part is over, another has begun
            assert run.running
            time.sleep(0.01)
        run.light.make_safe()
        run.end()
        assert not run.running
        assert not run.light.lit
        taken = len(frames)
    assert len(frames) == taken


def test_the_limit_counts_series_and_single_frames_together(root: Path) -> None:
    scope = load_microscope(root / "configs" / "demo.yaml")
    plan = plan_of(6)
    with run_of(root, None, plan, "none") as run:
        single = run._acquisition.estimate.total_dose_j_cm2  # type: ignore[union-attr]
    assert single is not None
    together = single * (1 + 2 * PATTERNS / 6)
    for share, refused in ((0.99, True), (1.01, False)):
        limited = plan.replace(limits=Limits(total_dose_j_cm2=share * together).model_dump())
        run = SingleFrameRun(scope, limited, None, LiveOptions(processing="thread"), prepare=faster)
        if refused:
            with pytest.raises(ConfigError, match="together would give"):
                run.__enter__()
        else:
            with run:
                pass


def test_an_endless_run_ends_well_at_the_limit_of_the_plan(root: Path) -> None:
    scope = load_microscope(root / "configs" / "demo.yaml")
    with run_of(root, None, plan_of(6), "none") as run:
        single = run._acquisition.estimate.total_dose_j_cm2 / 6  # type: ignore[union-attr,operator]
    every = plan_of(None).check_every
    # A series of patterns, all its single frames, another series, and one single frame.
    limit = single * (2 * PATTERNS + every + 1.5)
    plan = plan_of(None).replace(limits=Limits(total_dose_j_cm2=limit).model_dump())
    with SingleFrameRun(scope, plan, None, LiveOptions(processing="thread"), prepare=faster) as run:
        run.start()
        run.wait(240)
        run.end()
        report = run._report
    assert report.status.series == every + 1
    assert report.dose_j_cm2 is not None
    assert report.dose_j_cm2 <= limit
    assert f"after {every + 1} time points" in str(report.limit_reached)
    assert f"limits.total_dose_j_cm2 {limit:g} J/cm2" in str(report.limit_reached)


def test_what_cannot_be_taken_is_refused_by_name(root: Path) -> None:
    scope = load_microscope(root / "configs" / "demo.yaml")
    hardware = scope.hardware
    assert hardware is not None
    blind = scope.replace(hardware={**hardware.model_dump(), "even": ()})
    with pytest.raises(ConfigError, match=r"hardware\.even of the microscope file does not say"):
        SingleFrameRun(blind, plan_of(2), None)
    with pytest.raises(ConfigError, match="leave it out, or choose single-frame"):
        plan_of(2).replace(modality="3d-sim").check(scope)
    with pytest.raises(ConfigError, match="denoise SIM series"):
        run_of(root, None, plan_of(2), "rdl")


def test_a_plain_acquisition_says_where_such_a_plan_runs(root: Path) -> None:
    from rdl_live.acquire import open_core, shutdown

    scope = load_microscope(root / "configs" / "demo.yaml")
    core = open_core(scope)
    try:
        with pytest.raises(ConfigError, match="run this plan in the window"):
            Acquisition(core, scope, plan_of(2))
    finally:
        shutdown(core, scope.hardware)


def test_weights_that_learnt_from_simulated_series_are_for_single_frames(root: Path) -> None:
    """They have seen the mean of series of many patterns, and a single frame has none."""
    run_of(root, None, plan_of(2), "dfcan")
    card = read_card(find_weights("dfcan"))
    assert card.valid["angles"].low > 1
    scope = in_even_light(load_microscope(root / "configs" / "demo.yaml"))
    assert check_microscope(card, scope) == []
    nine = card.model_copy(update={"config": {**card.config, "channels": 9}})
    with pytest.raises(ConfigError, match="trained for angles"):
        check_microscope(nine, scope)


def test_a_comparison_that_breaks_is_not_swallowed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Check:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("rdl_live.app.single_frame.check.Comparison.__call__", broken)
    run = run_of(root, tmp_path, plan_of(2), str(network(tmp_path)))
    with pytest.raises(ZeroDivisionError, match="a defect"), run:  # noqa: PT012
        run.start()
        run.finish()


def test_series_do_not_heap_up_where_comparing_is_slow(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, checks = threading.Event(), list[Check]()

    def slow(_: object, series: object, channel: object, time: int, *more: object) -> Check:
        del series, channel, more
        assert go_on.wait(60)
        return Check(time, "488", 0, 0, None, "slow")

    def seen(check: Check) -> None:
        checks.append(check)
        if "still compares" in check.why:
            go_on.set()

    monkeypatch.setattr("rdl_live.app.single_frame.comparing.WAITING", 1)
    monkeypatch.setattr("rdl_live.app.single_frame.check.Comparison.__call__", slow)
    with run_of(root, tmp_path, plan_of(6), str(network(tmp_path)), on_check=seen) as run:
        run.start()
        run.finish()
    assert {check.time: check.why for check in checks} == {0: "slow", 3: "the computer still compares those before"}


def spaced(points: int | None, interval_s: float, check_every: int = 2) -> Plan:
    return plan_of(points).replace(check_every=check_every, time={"points": points, "interval_s": interval_s})


def test_the_interval_holds_across_series_and_frames_are_stamped_from_the_beginning(root: Path, tmp_path: Path) -> None:
    came: list[float] = []
    with run_of(root, tmp_path, spaced(5, 0.5), "none", on_frame=lambda *_: came.append(time.monotonic())) as run:
        run.start()
        run.finish()
    assert came[4] - came[0] > 1.5  # four intervals; the first frame may have been late
    with open_recording(tmp_path / "raw.ome.zarr") as raw:
        times = [record.timestamp_s for point in range(5) for record in raw.records(point)]
    assert all(later > before for before, later in itertools.pairwise(times)), times


def test_whoever_ends_the_core_finds_it_between_two_parts(root: Path, tmp_path: Path) -> None:
    with run_of(root, tmp_path, spaced(None, 300, check_every=1), "none") as run:
        run.start()
        until(lambda: run.status.raw_frames == 1 and run.core.mda.is_running() is False)
        assert running_on(run.core) is run
        with pytest.raises(DeviceError, match="running already"):
            refuse_if_busy(run.core)
        assert _ended_run(run.core) == []
        assert not run.running
        assert not run.light.lit
        assert run.status.raw_frames == 1


def test_power_follows_within_a_part(root: Path, tmp_path: Path) -> None:
    with run_of(root, tmp_path, plan_of(None).replace(check_every=10_000), "none") as run:
        run.start()
        until(lambda: run.status.raw_frames > 3)
        run.follow(run.plan.replace(channels=[{"name": "488", "power_percent": 7, "exposure_ms": 10}]))
        until(lambda: any(lamp.power_percent == 7 for lamp in run.light.lamps))
        assert run.status.raw_frames < 10_000
        run.stop()


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_latest_of_every_colour_and_place_counts(root: Path) -> None:
    run = run_of(root, None, plan_of(3), "none")
    run._tell_of(Check(0, "488", 0, 0, None, "it is dim"))
    run._tell_of(Check(0, "488", 1, 0, None, "it moves"))
    assert ["dim" in one or "moves" in one for one in run.doubts] == [True, True]
