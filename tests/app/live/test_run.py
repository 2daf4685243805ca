"""The live run on the real core with the simulated microscope: recordings, images, faults, and the dark at the end."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from rdl_live._names import RAW_RECORDING, SR_RECORDING
from rdl_live.acquire import Plan, PlanChannel, TimePlan, ZPlan
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions, LiveOutcome
from rdl_live.errors import ConfigError, DeviceError, OutputError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import FrameFlag, open_recording
from rdl_live.optics import Microscope, PatternSet, Reconstructor, evenly_spaced
from rdl_live.stream import Result

pytest.importorskip("pymmcore_plus")

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

SIDE = 96


@pytest.fixture(scope="module")
def scope(root: Path) -> Microscope:
    """The demo microscope."""
    return load_microscope(root / "configs" / "demo.yaml")


def plan_of(points: int) -> Plan:
    return Plan(channels=(PlanChannel(name="488", power_percent=80, exposure_ms=5),), time=TimePlan(points=points))


def small(core: "CMMCorePlus") -> None:
    """A small chip; the specimen stands still, for drawing it takes longest."""
    core.setProperty("World", "Refresh_ms", 1e6)
    core.setProperty("Camera", "SensorSize_px", SIDE)


def fast(core: "CMMCorePlus") -> None:
    """Likewise, as fast as the computer can."""
    small(core)
    core.setProperty("World", "Realtime", 0)


def known_patterns() -> tuple[PatternSet, ...]:
    """Some patterns, for tests of everything else."""
    return (evenly_spaced(0.195, first_angle_deg=8, modulation=(0.9,)),)


def done(run: LiveRun) -> LiveOutcome:
    run.start()
    return run.finish()


def test_raw_read_back_and_reconstructed_offline_gives_the_live_images(scope: Microscope, tmp_path: Path) -> None:
    told: list[str] = []
    with LiveRun(
        scope, plan_of(70), tmp_path, LiveOptions(estimate_every_s=1.0), prepare=small, on_warning=told.append
    ) as run:
        outcome = done(run)
    raw, sr = open_recording(tmp_path / RAW_RECORDING), open_recording(tmp_path / SR_RECORDING)
    assert (outcome.raw.raw_frames, outcome.raw_frames_dropped, outcome.raw.series) == (630, 0, 70)
    assert raw.complete.all()
    status = outcome.pipeline
    assert outcome.sr.raw_frames == outcome.stats.images == status.results
    assert status.results + status.awaiting_patterns + outcome.sr_dropped == 70
    assert status.results >= 5
    compared = 0
    for index in np.flatnonzero(sr.valid[:, 0, 0])[::7].tolist():
        (record,) = sr.records(index)
        patterns = PatternSet.model_validate(record.metadata["pattern_set"])
        assert patterns.trusted
        damped = scope.channels[0].replace(otf_damping=record.metadata["otf_damping"])
        again = Reconstructor(scope, patterns, (SIDE, SIDE), channel=damped)
        on = record.metadata["calibrated_on"]["time"]
        again.calibrate(raw.read(on, on + 1)[0])
        image = again(raw.read(index, index + 1)[0]).numpy()
        live = sr.read(index, index + 1)[0, 0, 0]
        assert np.abs(live - image).max() < 1e-3 * image.max()
        compared += 1
    assert compared
    assert sr.layout.pixel_size_um == pytest.approx(scope.optics.pixel_size_um / 2)
    assert not told


def test_a_run_counts_light_delay_and_rate(scope: Microscope, tmp_path: Path) -> None:
    with LiveRun(scope, plan_of(8), tmp_path, LiveOptions(patterns=known_patterns()), prepare=fast) as run:
        outcome = done(run)
        assert run.status.raw_frames == 72
    # 10 W/cm2 at full power
    assert outcome.dose_j_cm2 == pytest.approx(10 * 0.8 * 0.005 * 72)
    assert outcome.stats.photons_per_pixel == pytest.approx(10 * 0.8 * 5, rel=0.25)
    latency = outcome.stats.latency
    assert latency is not None
    assert 0 < latency.p50 <= latency.p95
    assert outcome.denoiser == "none"
    assert not outcome.run.stopped


def test_a_slow_viewer_costs_images_and_no_raw_frame(scope: Microscope, tmp_path: Path) -> None:
    def slow(_: Result) -> None:
        time.sleep(0.6)

    options = LiveOptions(patterns=known_patterns(), queue_series=2)
    with LiveRun(scope, plan_of(40), tmp_path, options, prepare=fast, receivers=(slow,)) as run:
        outcome = done(run)
    assert outcome.raw.raw_frames == 360
    assert outcome.raw_frames_dropped == 0
    assert outcome.sr_dropped > 0
    assert outcome.sr_dropped + outcome.stats.images == 40
    assert outcome.pipeline.refused == 0
    assert open_recording(tmp_path / SR_RECORDING).valid.sum() == outcome.stats.images


def test_processing_that_fails_is_told_once_and_raw_is_complete(scope: Microscope, tmp_path: Path) -> None:
    two = PatternSet(patterns=known_patterns()[0].patterns[:2])
    told: list[str] = []
    options = LiveOptions(patterns=(two,))
    with LiveRun(scope, plan_of(6), tmp_path, options, prepare=fast, on_warning=told.append) as run:
        outcome = done(run)
    assert outcome.raw.raw_frames == 54
    assert outcome.stats.images == 0
    assert len(told) == 1
    assert "the recording goes on" in told[0]
    assert outcome.warnings == tuple(told)
    assert open_recording(tmp_path / RAW_RECORDING).provenance["warnings"] == told


def test_stopping_keeps_what_was_taken(scope: Microscope, tmp_path: Path) -> None:
    options = LiveOptions(patterns=known_patterns())
    with LiveRun(scope, plan_of(10_000), tmp_path, options, prepare=small) as run:
        run.start()
        while run.status.raw_frames < 30:
            time.sleep(0.01)
        run.stop()
        outcome = run.finish()
    assert outcome.run.stopped
    raw = open_recording(tmp_path / RAW_RECORDING)
    assert raw.valid.sum() == outcome.raw.raw_frames >= 30
    assert outcome.raw_frames_dropped == 0
    assert raw.complete[:-1].all()
    # The patterns that were given have the right waves, and not the phases of the light: that is said.
    assert not [text for text in outcome.warnings if "does not fit the patterns in use" not in text]


def test_a_run_that_is_left_early_ends_in_the_dark_with_closed_files(scope: Microscope, tmp_path: Path) -> None:
    from rdl_devices.sim import world_of

    threads = torch.get_num_threads()
    run = LiveRun(scope, plan_of(10_000), tmp_path, LiveOptions(patterns=known_patterns()), prepare=small)
    worlds = []

    def leave() -> None:
        with run:
            worlds.append(world_of(run.core))
            run.start()
            while run.status.raw_frames < 10:
                time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()
    (world,) = worlds
    assert not run.running
    assert not world.light.shutter_open
    assert not any(line.enabled for line in world.light.lines.values())
    assert not any("was not closed" in note for note in open_recording(tmp_path / RAW_RECORDING).notes)
    assert torch.get_num_threads() == threads


def test_a_device_that_refuses_ends_the_run_with_its_name(scope: Microscope, tmp_path: Path) -> None:
    from rdl_devices.sim import world_of

    def broken(core: "CMMCorePlus") -> None:
        fast(core)
        world_of(core).faults.refuse("AOTF", "Power_488_pct", 80.0)

    with (
        pytest.raises(DeviceError, match=r"AOTF.*80"),
        LiveRun(scope, plan_of(3), tmp_path, LiveOptions(patterns=known_patterns()), prepare=broken) as run,
    ):
        done(run)
    assert len(open_recording(tmp_path / RAW_RECORDING)) == 0


def test_a_missing_exposure_is_a_hole_and_no_image(scope: Microscope, tmp_path: Path) -> None:
    from rdl_devices.sim import world_of

    def flaky(core: "CMMCorePlus") -> None:
        fast(core)
        world_of(core).faults.fail_exposure(13)

    told: list[str] = []
    options = LiveOptions(patterns=known_patterns(), queue_series=10)
    with LiveRun(scope, plan_of(4), tmp_path, options, prepare=flaky, on_warning=told.append) as run:
        outcome = done(run)
    raw, sr = open_recording(tmp_path / RAW_RECORDING), open_recording(tmp_path / SR_RECORDING)
    assert raw.complete.tolist() == [True, False, True, True]
    assert FrameFlag(int(raw.flags[1, 1, 1])) & FrameFlag.MISSING
    assert sr.valid[:, 0, 0].tolist() == [True, False, True, True]
    assert outcome.raw_frames_dropped == 1
    assert outcome.pipeline.refused == 1
    assert any("angle 1 phase 1" in text for text in told)


def test_a_wrong_pattern_is_flagged_and_gives_no_image(scope: Microscope, tmp_path: Path) -> None:
    from rdl_devices.sim import world_of

    def hiccup(core: "CMMCorePlus") -> None:
        fast(core)
        core.setProperty("Camera", "SensorSize_px", 128)  # light enough to judge by the data
        world_of(core).faults.replace_pattern(4, 0)

    options = LiveOptions(patterns=known_patterns(), queue_series=10)
    with LiveRun(scope, plan_of(3), tmp_path, options, prepare=hiccup) as run:
        outcome = done(run)
    raw = open_recording(tmp_path / RAW_RECORDING)
    assert (raw.flags == 0).reshape(3, 9).tolist() == [[True] * 4 + [False] + [True] * 4] * 3
    assert (outcome.run.wrong_patterns, outcome.pipeline.refused, outcome.stats.images) == (3, 3, 0)
    assert outcome.raw.raw_frames == 27


def test_colours_and_planes_are_recorded_each(root: Path, tmp_path: Path) -> None:
    scope = load_microscope(root / "configs" / "demo-multicolour.yaml")
    names = [channel.name for channel in scope.channels[1:]]
    plan = Plan(
        channels=tuple(PlanChannel(name=name, power_percent=50, exposure_ms=5) for name in names),
        time=TimePlan(points=2),
        z=ZPlan(planes=2),
    )
    options = LiveOptions(patterns=known_patterns() * 2, queue_series=20)
    images: list[Result] = []
    with LiveRun(scope, plan, tmp_path, options, prepare=fast, receivers=(images.append,)) as run:
        outcome = done(run)
    assert (outcome.raw.raw_frames, outcome.sr.raw_frames) == (72, 8)
    by_key = {image.key: image for image in images}
    assert len(by_key) == 8
    for key, image in by_key.items():
        recorded = open_recording(tmp_path / SR_RECORDING, channel=key.channel, z=key.z)
        np.testing.assert_allclose(recorded.read(key.time, key.time + 1)[0, 0, 0], image.sr.numpy())
        assert image.channel == names[key.channel]


@pytest.mark.parametrize("name", [RAW_RECORDING, SR_RECORDING])
def test_recordings_are_never_replaced_unasked(scope: Microscope, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "zarr.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=name), LiveRun(scope, plan_of(1), tmp_path, prepare=fast):
        pass
    assert (tmp_path / name / "zarr.json").read_text(encoding="utf-8") == "{}"


def test_an_unknown_denoiser_is_refused_before_anything_is_opened(scope: Microscope, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--denoise none"):
        LiveRun(scope, plan_of(1), tmp_path, LiveOptions(denoise="magic"))
    assert not list(tmp_path.iterdir())
