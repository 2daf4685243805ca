"""The session behind the window, on the real core with the simulated microscope: no screen is needed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdl_live.acquire import Plan, PlanChannel, TimePlan
from rdl_live.app.session.goals import Requests
from rdl_live.app.session.session import LiveSession
from rdl_live.files.recorder import open_recording
from rdl_live.view.live.image_trust import ImageTrust
from rdl_live.view.live.session import Activity, Images, Light, Settings, Severity
from tests.busy import BUSY

pytest.importorskip("pymmcore_plus")

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from rdl_devices.sim import World

SIDE = 96


class Sitting:
    """A session with its world, and patience."""

    def __init__(self, root: Path, microscope: str = "demo.yaml", **options: Any) -> None:
        self.worlds: list[World] = []
        settings = Settings("488", 80, 5, (0, 0, SIDE, SIDE))
        self.session = LiveSession(root / "configs" / microscope, Requests(settings), prepare=self._prepare, **options)
        self.images: Images | None = None
        self.says: set[str] = set()

    def _prepare(self, core: "CMMCorePlus") -> None:
        from rdl_devices.sim import world_of

        core.setProperty("World", "Refresh_ms", 1e6)
        core.setProperty("Camera", "SensorSize_px", SIDE)
        self.worlds.append(world_of(core))

    @property
    def world(self) -> "World":
        return self.worlds[-1]

    @property
    def lit(self) -> bool:
        """Whether light reaches the sample, by the world's truth."""
        return sum(self.world.light.share(nm, exposing=True) for nm in self.world.settings.lines) > 0

    def until(self, condition: Callable[[], object], patience_s: float = 240.0) -> None:
        """Wait for something; the time is only a bound for a machine that is busy."""
        deadline = time.monotonic() + patience_s
        while not condition():
            self.look()
            assert time.monotonic() < deadline, (self.session.snapshot, self.session.notices(0))
            time.sleep(0.01)

    def look(self) -> Images | None:
        """Do what the window does at each refresh."""
        self.images = self.session.take_images() or self.images
        self.says.add(self.session.snapshot.says)
        return self.images

    def at(self, activity: Activity) -> None:
        """Wait until it is at something."""
        self.until(lambda: self.session.snapshot.activity is activity)

    def image(self) -> Images:
        """Wait for a super-resolved image."""
        self.until(lambda: self.images is not None and (self.images["sim"] or self.images["denoised"]) is not None)
        assert self.images is not None
        return self.images

    @property
    def told(self) -> str:
        return "\n".join(notice.text for notice in self.session.notices(0))


@pytest.fixture
def sitting(root: Path) -> Iterator[Sitting]:
    """An open session, idle."""
    made = Sitting(root)
    made.session.start()
    made.at(Activity.IDLE)
    yield made
    made.session.close()
    assert made.session.join(60)
    assert made.session.snapshot.activity is Activity.CLOSED
    assert not made.lit


def test_it_opens_in_the_dark_and_knows_its_microscope(sitting: Sitting) -> None:
    snapshot = sitting.session.snapshot
    assert (snapshot.channels, snapshot.light, snapshot.chip) == (("488",), Light.OFF, (SIDE, SIDE))
    assert "none" in snapshot.denoisers
    assert snapshot.demo is not None
    assert snapshot.demo.kind == "filaments"
    assert not sitting.lit


def test_live_view_shows_images_and_records_nothing(sitting: Sitting, tmp_path: Path) -> None:
    sitting.session.live()
    images = sitting.image()
    assert images["raw"] is not None
    assert images["widefield"] is not None
    assert images["sim"] is not None
    assert images["raw"].field_um == pytest.approx(images["sim"].field_um)
    assert images["sim"].pixels.mean() == pytest.approx(images["widefield"].pixels.mean(), rel=0.1)
    sitting.until(lambda: sitting.session.snapshot.light is Light.ON)
    sitting.until(lambda: sitting.session.snapshot.readings.photons)
    snapshot = sitting.session.snapshot
    assert snapshot.activity is Activity.LIVE
    assert snapshot.dose_j_cm2
    assert snapshot.recording is None
    sitting.session.stop()
    sitting.at(Activity.IDLE)
    assert not sitting.lit
    assert not list(tmp_path.iterdir())
    assert not sitting.session.notices(0)


def test_where_there_are_no_patterns_none_are_said_to_be_searched_for(root: Path) -> None:
    sitting = Sitting(root, "demo-widefield.yaml")
    sitting.session.start()
    sitting.at(Activity.IDLE)
    sitting.session.live()
    sitting.until(lambda: sitting.images is not None and sitting.images["widefield"] is not None)
    sitting.until(lambda: "live; nothing is recorded" in sitting.says)
    assert not [one for one in sitting.says if "pattern" in one]
    sitting.session.close()
    assert sitting.session.join(60)


def test_power_and_exposure_follow_while_it_is_live(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.session.change(power_percent=20.0, exposure_ms=10.0)
    sitting.until(lambda: sitting.world.exposures[-1].exposure_ms == 10)
    sitting.until(lambda: sitting.world.exposures[-1].irradiance[488] == pytest.approx(2.0))
    assert sitting.session.snapshot.activity is Activity.LIVE
    assert sitting.session.snapshot.settings.power_percent == 20


def test_a_power_that_is_refused_is_told_and_ends_in_the_dark(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.world.faults.refuse("AOTF", "Power_488_pct", 33.0)
    sitting.session.change(power_percent=33.0)
    sitting.at(Activity.IDLE)
    assert not sitting.lit
    assert "AOTF" in sitting.told
    assert any(notice.severity is Severity.ERROR for notice in sitting.session.notices(0))
    sitting.session.change(power_percent=40.0)
    sitting.session.live()
    sitting.until(lambda: sitting.lit)


def test_another_region_begins_live_view_anew(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.session.change(region=(16, 32, 64, 48))
    sitting.until(lambda: (i := sitting.images) and i["sim"] is not None and i["sim"].pixels.shape == (96, 128))
    assert sitting.images is not None
    assert sitting.images["raw"] is not None
    assert sitting.images["raw"].pixels.shape == (48, 64)
    sitting.at(Activity.LIVE)


def test_a_snap_is_one_series_once_the_patterns_are_known(sitting: Sitting) -> None:
    sitting.session.snap()
    first = sitting.image().number
    sitting.at(Activity.IDLE)
    sitting.session.snap()
    sitting.until(lambda: sitting.images is not None and sitting.images.number > first)
    sitting.at(Activity.IDLE)
    counts = sitting.session.snapshot.counts
    assert (counts.raw, counts.images) == (9, 1)
    assert not sitting.lit


def test_what_is_live_is_recorded_until_it_is_stopped(sitting: Sitting, tmp_path: Path) -> None:
    sitting.session.live()
    sitting.image()
    sitting.session.record(tmp_path / "a" / "cells")
    sitting.at(Activity.RECORDING)
    sitting.until(lambda: (r := sitting.session.snapshot.recording) is not None and r.series >= 5)
    sitting.until(lambda: sitting.session.snapshot.counts.images >= 1)
    sitting.session.stop()
    sitting.at(Activity.IDLE)
    recording = sitting.session.snapshot.recording
    assert recording is not None
    raw, sr = open_recording(recording.raw), open_recording(recording.folder / "sr.ome.zarr")
    assert raw.complete.sum() >= 5
    assert sr.valid.sum() >= 1
    assert recording.written_bytes > 0
    assert not recording.running


def test_a_plan_is_recorded_to_its_end(sitting: Sitting, tmp_path: Path) -> None:
    plan = Plan(channels=(PlanChannel(name="488", power_percent=50, exposure_ms=5),), time=TimePlan(points=4))
    sitting.session.record(tmp_path / "plan", plan)
    sitting.at(Activity.RECORDING)
    sitting.at(Activity.IDLE)
    assert open_recording(tmp_path / "plan" / "raw.ome.zarr").complete.tolist() == [True] * 4
    sitting.session.record(tmp_path / "plan", plan)
    sitting.until(lambda: "is not overwritten" in sitting.told)


def test_stop_is_never_missed(sitting: Sitting) -> None:
    for wait_s in (0.0, 0.005, 0.03, 0.1, 0.2):
        sitting.session.live()
        time.sleep(wait_s)
        sitting.session.stop()
        sitting.at(Activity.IDLE)
        time.sleep(0.05)
        assert sitting.session.snapshot.activity is Activity.IDLE
        assert not sitting.lit


@pytest.mark.parametrize("device", ["Camera", "AOTF", "SLM", "Shutter"])
def test_stop_turns_the_light_off_within_a_second_also_where_a_device_hangs(sitting: Sitting, device: str) -> None:
    sitting.session.live()
    sitting.image()
    sitting.world.faults.hang(device)
    began = time.monotonic()
    sitting.session.stop()
    while sitting.lit:
        assert time.monotonic() - began < 1.0 * BUSY
        time.sleep(0.005)
    sitting.until(lambda: sitting.session.snapshot.activity in (Activity.IDLE, Activity.BROKEN))
    sitting.world.faults.clear()
    sitting.session.reconnect()
    sitting.until(lambda: len(sitting.worlds) == 2)
    sitting.at(Activity.IDLE)
    sitting.images = None
    sitting.session.live()
    sitting.image()


@pytest.mark.slow
def test_a_pattern_that_fades_is_told_with_the_image_until_it_is_back(sitting: Sitting) -> None:
    def trusted() -> list[bool]:
        return [one.trusted for one in sitting.images.seen] if sitting.images and sitting.images.seen else []

    sitting.session.live()
    sitting.image()
    sitting.until(lambda: any(trusted()))
    sitting.world.change(modulation=0.0)
    sitting.until(lambda: not any(trusted()))
    trust = ImageTrust()
    assert sitting.images is not None
    trust.see_images(sitting.images)
    assert "no pattern is trusted any more" in trust.words(sitting.session.snapshot)["sim"]
    sitting.world.change(modulation=0.85)
    sitting.until(lambda: all(trusted()))
    trust.see_images(sitting.images)
    assert not trust.words(sitting.session.snapshot)["sim"]


def test_what_was_only_slow_needs_no_reconnecting(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.world.faults.hang("SLM")
    sitting.session.stop()
    sitting.at(Activity.BROKEN)
    sitting.world.faults.clear()
    sitting.at(Activity.IDLE)
    sitting.images = None
    sitting.session.live()
    sitting.image()


def test_a_camera_that_is_unplugged_is_told_by_name(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.world.faults.unplug("Camera")
    sitting.at(Activity.IDLE)
    assert "Camera" in sitting.told
    assert not sitting.lit


def test_light_that_nobody_confirms_is_not_called_off(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.world.faults.hang("Lasers")
    sitting.session.stop()
    sitting.until(lambda: sitting.session.snapshot.light is Light.UNKNOWN)
    assert "BY HAND" in sitting.told
    sitting.world.faults.clear()


def test_knobs_of_the_demo_are_turned_while_it_runs(sitting: Sitting) -> None:
    sitting.session.live()
    sitting.image()
    sitting.session.turn(kind="beads", photons_per_ms=3.0, speed_um_s=0.5)
    sitting.until(lambda: sitting.world.settings.dye(488).specimen.kind == "beads")
    sitting.until(lambda: sitting.world.settings.dye(488).photons_per_pixel_ms == 3)
    assert sitting.world.settings.dye(488).specimen.speed_um_s == 0.5
    sitting.until(lambda: (demo := sitting.session.snapshot.demo) is not None and demo.kind == "beads")


def test_the_dose_goes_on_from_run_to_run_until_it_is_set_to_zero(sitting: Sitting) -> None:
    sitting.session.snap()
    sitting.image()
    sitting.at(Activity.IDLE)
    first = sitting.session.snapshot.dose_j_cm2
    assert first is not None
    sitting.session.snap()
    sitting.until(lambda: (sitting.session.snapshot.dose_j_cm2 or 0) > 1.01 * first)
    sitting.at(Activity.IDLE)
    sitting.session.reset_dose()
    sitting.until(lambda: sitting.session.snapshot.dose_j_cm2 == 0)


def test_devices_that_cannot_be_loaded_leave_a_session_that_says_so(root: Path, tmp_path: Path) -> None:
    (tmp_path / "M.yaml").write_text((root / "configs" / "demo.yaml").read_text().replace("demo.cfg", "none.cfg"))
    session = LiveSession(tmp_path / "M.yaml")
    session.start()
    deadline = time.monotonic() + 60
    while session.snapshot.activity is not Activity.BROKEN:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    session.live()
    while len(session.notices(0)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    told = [notice.text for notice in session.notices(0)]
    assert "none.cfg" in told[0]
    assert "Reconnect" in told[1]
    session.close()
    assert session.join(30)


def test_a_foreign_core_stays_open(root: Path) -> None:
    from rdl_live.acquire import open_core, shutdown
    from rdl_live.files import load_microscope

    scope = load_microscope(root / "configs" / "demo.yaml")
    core = open_core(scope)
    core.setProperty("Camera", "SensorSize_px", SIDE)
    try:
        made = Sitting(root, core=core)
        made.session.start()
        made.at(Activity.IDLE)
        made.session.live()
        made.image()
        made.session.close()
        assert made.session.join(60)
        assert not made.lit
        assert "Camera" in core.getLoadedDevices()
        core.snapImage()
    finally:
        shutdown(core, scope.hardware)
