"""A live run without patterns: on the simulated microscope with a mirror in place of its SLM."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope
from rdl_live.files.recorder import open_recording
from rdl_live.stream import Result
from tests.app.reconstruct.test_widefield import network

pytest.importorskip("pymmcore_plus")

from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus


def faster(core: "CMMCorePlus") -> None:
    core.setProperty("World", "Realtime", 0)
    core.setProperty("Camera", "SensorSize_px", 64)


def run_of(root: Path, out: Path | None, denoise: str, results: list[Result], points: int | None = 4) -> LiveRun:
    plan = Plan(
        channels=(PlanChannel(name="488", power_percent=50, exposure_ms=10),),
        time=TimePlan(points=points),
        roi=Region(x=0, y=0, width=48, height=32),
    )
    options = LiveOptions(denoise=denoise, processing="thread", queue_series=8)
    scope = load_microscope(root / "configs" / "demo-widefield.yaml")
    return LiveRun(scope, plan, out, options, prepare=faster, receivers=(results.append,))


def test_single_frames_are_recorded_and_shown_in_photons(root: Path, tmp_path: Path) -> None:
    results: list[Result] = []
    with run_of(root, tmp_path, "none", results) as run:
        run.start()
        outcome = run.finish()
    assert (outcome.raw.raw_frames, outcome.sr.raw_frames, outcome.warnings) == (4, 4, ())
    assert all(result.main == "widefield" and set(result.images) == {"widefield"} for result in results)
    assert all(len(result.patterns) == 0 and result.fits for result in results)
    with open_recording(tmp_path / "raw.ome.zarr") as raw, open_recording(tmp_path / "sr.ome.zarr") as sr:
        assert raw.shape == (4, 1, 1, 32, 48)
        photons = (raw.read(0, 4)[:, 0, 0].astype(np.float64) - 100) * 0.46
        np.testing.assert_allclose(sr.read(0, 4).reshape(4, 32, 48), photons, rtol=1e-5, atol=1e-3)
    assert photons.mean() > 5  # the mirror lights the sample


def test_a_network_super_resolves_them_and_the_recording_has_its_pixels(root: Path, tmp_path: Path) -> None:
    results: list[Result] = []
    with run_of(root, tmp_path, str(network(tmp_path)), results) as run:
        with pytest.raises(ConfigError, match=r"1 pixel\(s\) for one of the camera's each way, those of this run 2"):
            run.use_denoiser("none")
        run.start()
        outcome = run.finish()
    assert (outcome.raw.raw_frames, outcome.sr.raw_frames) == (4, 4)
    assert {name: tuple(image.shape) for name, image in results[-1].images.items()} == {
        "widefield": (32, 48),
        "sr": (64, 96),
    }
    with open_recording(tmp_path / "sr.ome.zarr") as sr:
        assert sr.shape[-2:] == (64, 96)
        assert sr.pixel_size_um == pytest.approx(0.0325)


def test_weights_for_series_are_refused_before_anything_is_opened(root: Path) -> None:
    with pytest.raises(ConfigError, match="denoise SIM series, and 'demo-widefield' is of modality widefield"):
        run_of(root, None, "rdl", [])
