"""Moving stage and focus from the window: simulated stages, Micro-Manager's own, and stubborn ones."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rdl_live.acquire import Plan, PlanChannel, TimePlan
from rdl_live.app.session import stage_mover
from rdl_live.app.session.notices import Notices
from rdl_live.app.session.stage_mover import StageMover
from rdl_live.app.session.stage_watch import StageWatch
from rdl_live.errors import DeviceError
from rdl_live.files import load_microscope
from rdl_live.optics.hardware import Hardware, Travel
from rdl_live.view.live.session import Activity
from tests.busy import PATIENCE_S

pytest.importorskip("pymmcore_plus")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class SlowCore:
    """A stage that moves until it is let go."""

    def __init__(self) -> None:
        self.xy, self.z = (0.0, 0.0), 0.0
        self.sent: list[tuple[float, float]] = []
        self.arrived = threading.Event()
        self.halted = threading.Event()

    def setXYPosition(self, label: str, x: float, y: float) -> None:  # noqa: N802
        assert label == "XY"
        self.sent.append((x, y))

    def waitForDevice(self, label: str) -> None:  # noqa: N802
        assert label
        until(lambda: self.arrived.is_set() or self.halted.is_set())
        if not self.halted.is_set():
            self.xy = self.sent[-1]

    def getXYPosition(self, label: str) -> tuple[float, float]:  # noqa: N802
        assert label
        return self.xy

    def getPosition(self, label: str) -> float:  # noqa: N802
        assert label
        return self.z

    def stop(self, label: str) -> None:
        assert label
        self.halted.set()


@pytest.fixture
def hardware(root: Path) -> Hardware:
    found = load_microscope(root / "configs" / "demo.yaml").hardware
    assert found is not None
    return found


@pytest.fixture
def slow(hardware: Hardware) -> Iterator[tuple[SlowCore, StageMover, Notices]]:
    core, notices = SlowCore(), Notices()
    watch = StageWatch(core, "XY", "Z")  # type: ignore[arg-type]
    mover = StageMover(core, hardware, watch, notices)  # type: ignore[arg-type]
    yield core, mover, notices
    core.arrived.set()
    mover.close()
    watch.close()


Slow = tuple[SlowCore, StageMover, Notices]


def test_steps_during_a_move_add_up(slow: Slow) -> None:
    core, mover, _ = slow
    mover.move({"x": 10.0, "y": 0.0})
    until(lambda: core.sent)
    for _ in range(3):
        mover.move({"x": 2.0}, by=True)
    mover.move({"y": 1.0}, by=True)
    core.arrived.set()
    until(lambda: not mover.moving)
    assert core.sent == [(10.0, 0.0), (16.0, 1.0)]


def test_a_stop_halts_the_stage_and_forgets_what_was_to_come(slow: Slow) -> None:
    core, mover, notices = slow
    mover.move({"x": 10.0, "y": 0.0})
    until(lambda: core.sent)
    mover.move({"x": 99.0, "y": 0.0})
    mover.stop()
    until(lambda: core.halted.is_set() and not mover.moving)
    assert core.sent == [(10.0, 0.0)]
    assert not notices.after(0), "where a halted stage rests is no fault"


def test_a_recording_waits_for_a_stage_that_moves_and_then_nothing_moves(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, mover, notices = slow
    mover.move({"x": 10.0, "y": 0.0})
    until(lambda: core.sent)
    monkeypatch.setattr(stage_mover, "REST_S", 0.01)
    with pytest.raises(DeviceError, match="moving for"):
        mover.hold()
    monkeypatch.setattr(stage_mover, "REST_S", PATIENCE_S)
    threading.Timer(0.05, core.arrived.set).start()
    mover.hold()
    assert core.xy == (10.0, 0.0)
    mover.move({"x": 50.0, "y": 0.0})
    mover.move({"z": 1.0}, by=True)
    assert not mover.moving
    assert any("stop it first" in one.text for one in notices.after(0))
    mover.release()
    mover.move({"x": 50.0, "y": 0.0})
    until(lambda: core.xy == (50.0, 0.0))
    assert core.sent == [(10.0, 0.0), (50.0, 0.0)]


def test_limits_of_the_microscope_file_are_kept(hardware: Hardware, slow: Slow) -> None:
    core, _, notices = slow
    travel = Travel(x_um=(-100, 100), z_um=(-5, 5))
    core.arrived.set()
    watch = StageWatch(core, "XY", "Z")  # type: ignore[arg-type]
    limited = hardware.model_copy(update={"travel": travel})
    mover = StageMover(core, limited, watch, notices)  # type: ignore[arg-type]
    try:
        mover.move({"x": 101.0, "y": 0.0})
        until(lambda: any("hardware.travel, -100 to 100 um" in one.text for one in notices.after(0)))
        mover.move({"z": -6.0})
        until(lambda: any("z = -6 um is outside" in one.text for one in notices.after(0)))
        mover.move({"x": 100.0, "y": 1e4})
        until(lambda: core.xy == (100.0, 1e4))
        assert core.sent == [(100.0, 1e4)]
    finally:
        mover.close()
        watch.close()
    with pytest.raises(ValueError, match="lower limit first"):
        Travel(z_um=(5, -5))


def test_what_a_microscope_does_not_have_is_named(hardware: Hardware) -> None:
    notices, core = Notices(), SlowCore()
    watch = StageWatch(core, None, None)  # type: ignore[arg-type]
    bare = hardware.model_copy(update={"stage": None, "focus": None})
    mover = StageMover(core, bare, watch, notices)  # type: ignore[arg-type]
    mover.move({"x": 1.0}, by=True)
    mover.move({"z": 1.0}, by=True)
    assert ["hardware.stage" in one.text or "hardware.focus" in one.text for one in notices.after(0)] == [True, True]
    mover.close()
    watch.close()


def test_the_simulated_microscope_moves_and_rests_while_it_records(root: Path, tmp_path: Path) -> None:
    from tests.app.session.test_session import Sitting

    sitting = Sitting(root)
    session = sitting.session
    session.start()
    try:
        sitting.until(lambda: session.snapshot.activity is Activity.IDLE and session.snapshot.stage.xy_um is not None)
        session.move({"x": 12.0, "y": -7.0, "z": 0.5})
        sitting.until(lambda: sitting.world.stage_um == (12.0, -7.0, 0.5))
        sitting.until(lambda: (session.snapshot.stage.xy_um, session.snapshot.stage.z_um) == ((12.0, -7.0), 0.5))
        session.move({"x": 1e6, "y": 0.0})
        sitting.until(lambda: any("beyond the travel" in one.text for one in session.notices(0)))
        assert sitting.world.stage_um == (12.0, -7.0, 0.5)
        plan = Plan(
            name="night",
            channels=(PlanChannel(name="488", power_percent=50, exposure_ms=5),),
            time=TimePlan(points=None),
        )
        session.record(tmp_path / "run", plan)
        sitting.until(lambda: session.snapshot.activity is Activity.RECORDING and session.snapshot.counts.raw)
        session.move({"x": 5.0}, by=True)
        session.move({"z": 5.0}, by=True)
        assert any("stop it first" in one.text for one in session.notices(0))
        sitting.until(lambda: session.snapshot.counts.raw > 20)
        assert sitting.world.stage_um == (12.0, -7.0, 0.5)
        session.stop()
        sitting.until(lambda: session.snapshot.activity is Activity.IDLE)
        session.move({"x": 5.0}, by=True)
        sitting.until(lambda: sitting.world.stage_um == (17.0, -7.0, 0.5))
    finally:
        session.close()
        assert session.join(PATIENCE_S)


def test_the_stages_of_micro_managers_own_demo_move(root: Path) -> None:
    pytest.importorskip("mm_test_adapters")
    from rdl_live.acquire import open_core, shutdown

    scope = load_microscope(root / "configs" / "mm-demo.yaml")
    assert scope.hardware is not None
    core: Any = open_core(scope)
    notices = Notices()
    watch = StageWatch(core, scope.hardware.stage, scope.hardware.focus)
    mover = StageMover(core, scope.hardware, watch, notices)
    try:
        mover.move({"x": 100.0, "y": 50.0, "z": 2.0})
        mover.move({"x": -20.0, "z": 1.0}, by=True)
        until(lambda: not mover.moving)
        assert core.getXYPosition(scope.hardware.stage) == pytest.approx((80.0, 50.0), abs=0.5)
        assert core.getPosition(scope.hardware.focus) == pytest.approx(3.0, abs=0.1)
        assert not notices.after(0)
    finally:
        mover.close()
        watch.close()
        shutdown(core, scope.hardware)
