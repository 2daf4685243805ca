"""The light bar against the simulated world, at every moment: live view, and a plan of two colours."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("pymmcore_plus")
pytest.importorskip("qtpy")

from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication

from benchmarks.light_watch import LightWatch, Shown
from rdl_devices.sim import world_of
from rdl_devices.sim.world import World
from rdl_live.acquire import Plan, PlanChannel, TimePlan
from rdl_live.app.session.goals import Requests
from rdl_live.app.session.session import LiveSession
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Activity, Settings
from rdl_live.view.live.sim_widget import SimWidget
from tests.app.windows.clicker import shown_in

pytestmark = pytest.mark.usefixtures("screen", "own_memory")
SIDE = 64


class Sitting:
    """A widget at a microscope of three colours, live view set to 405 at 5 %."""

    def __init__(self, qtbot: QtBot, root: Path, folder: Path) -> None:
        self.session = LiveSession(
            root / "configs" / "demo-multicolour.yaml", Requests(Settings("405", 5.0, 5.0)), prepare=self._prepare
        )
        self.world: World | None = None
        self.widget = SimWidget(self.session, Memory("test"), folder)
        qtbot.addWidget(self.widget)
        self.widget.show()
        self.session.start()

    def _prepare(self, core: object) -> None:
        core.setProperty("World", "Refresh_ms", 1e6)  # type: ignore[attr-defined]
        core.setProperty("Camera", "SensorSize_px", SIDE)  # type: ignore[attr-defined]
        self.world = world_of(core)  # type: ignore[arg-type]

    @property
    def bar(self) -> str:
        return self.widget.bars.light.text()

    def _shown(self) -> Shown | None:
        self.widget.refresh()
        return shown_in(self.bar)

    def until(self, fact: Callable[[], object], watch: LightWatch | None = None) -> None:
        deadline = time.monotonic() + 60
        while not fact():
            assert time.monotonic() < deadline, (self.session.snapshot, self.session.notices(0))
            QApplication.processEvents()
            if watch is not None:
                watch.compare(self._shown)
            else:
                self.widget.refresh()
            time.sleep(0.005)


@pytest.fixture
def sitting(qtbot: QtBot, root: Path, tmp_path: Path) -> Iterator[Sitting]:
    """An idle one."""
    made = Sitting(qtbot, root, tmp_path / "recordings")
    made.until(lambda: made.session.snapshot.activity is Activity.IDLE)
    yield made
    made.widget.end()
    made.session.close()
    assert made.session.join(30)


def test_the_bar_is_what_the_world_has(sitting: Sitting, tmp_path: Path) -> None:
    """Two colours with 10 and 40 %, while live view is set to a third one; the power box is turned meanwhile."""
    session, watch = sitting.session, LightWatch(lambda: sitting.world)
    colours = (("488", 10.0), ("560", 40.0))
    plan = Plan(
        name="two colours",
        channels=tuple(PlanChannel(name=name, power_percent=power, exposure_ms=5) for name, power in colours),
        time=TimePlan(points=6, interval_s=0.4),
    )
    bars = set()

    def ended() -> bool:
        bars.add(sitting.bar)
        return session.snapshot.activity is Activity.IDLE

    session.live()
    sitting.until(lambda: sitting.bar == "LIGHT ON   405, 5 %", watch)
    session.change(power_percent=20.0)
    sitting.until(lambda: sitting.bar == "LIGHT ON   405, 20 %", watch)
    session.record(tmp_path / "recordings" / "plan", plan)
    sitting.until(lambda: session.snapshot.plan == "two colours", watch)
    controls = sitting.widget.controls
    sitting.until(lambda: not controls.power.isEnabled(), watch)
    assert not controls.exposure.isEnabled()
    assert not controls.channel.isEnabled()
    session.change(power_percent=77.0)  # by the program: the box is locked
    sitting.until(ended, watch)
    sitting.until(lambda: controls.power.isEnabled(), watch)
    assert watch.differences == []
    assert watch.compared > 100
    assert watch.lit > 20
    lit = {bar for bar in bars if "LIGHT ON" in bar and "405" not in bar}
    assert lit
    assert all(re.search(r"(488, 10 %|560, 40 %).*plan 'two colours'", bar) for bar in lit), lit
    assert sitting.world is not None
    assert {nm for exposure in sitting.world.exposures for nm in exposure.light} >= {488, 560}
    assert sitting.widget.bars.recording.text().startswith("recorded 12 of 12 series")


def test_how_far_a_plan_came_stays_when_the_error_is_dismissed(sitting: Sitting, tmp_path: Path) -> None:
    session = sitting.session
    plan = Plan(
        name="broken off",
        channels=tuple(PlanChannel(name=name, power_percent=10, exposure_ms=5) for name in ("488", "560")),
        time=TimePlan(points=30, interval_s=0.3),
    )
    session.record(tmp_path / "recordings" / "plan", plan)
    sitting.until(lambda: session.snapshot.recording is not None and session.snapshot.recording.series >= 4)
    assert sitting.world is not None
    sitting.world.faults.unplug("Camera")
    sitting.until(lambda: not session.snapshot.activity.busy)
    sitting.world.faults.clear()
    sitting.widget.refresh()
    sitting.widget.notices.dismiss()
    bar = sitting.widget.bars.recording
    assert re.match(r"recorded \d+ of 60 series", bar.text())
    assert re.search(r"\d+ missing: Camera", bar.text()), bar.text()
    assert "Camera" in bar.toolTip()
    from rdl_live.files.recorder import open_recording

    progress = open_recording(tmp_path / "recordings" / "plan" / "raw.ome.zarr").provenance["progress"]
    assert progress["planned_series"] == 60
    assert progress["missing_series"] == 60 - progress["series"] > 0
    assert "Camera" in progress["why"]
