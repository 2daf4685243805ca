"""Single frames in the window's session: live, by a plan, and what it says where the network and SIM do not agree."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rdl_live.files.recorder import open_recording
from rdl_live.view.live.image_trust import ImageTrust
from rdl_live.view.live.session import Activity, Light
from rdl_models import load_weights, save_weights
from tests.app.reconstruct.test_widefield import network

pytest.importorskip("pymmcore_plus")

from rdl_live.acquire import Plan, PlanChannel, TimePlan
from tests.app.session.test_session import Sitting, sitting  # noqa: F401  # a fixture


def wrong(folder: Path) -> Path:
    """Return weights that add light where there is none."""
    good = load_weights(network(folder))
    with torch.no_grad():
        good.network.last.bias += 3
    path = folder / "wrong.safetensors"
    save_weights(path, good.network, good.card)
    return path


def test_live_from_single_frames_is_checked_and_what_disagrees_is_shown(
    sitting: Sitting,  # noqa: F811
    tmp_path: Path,
) -> None:
    session = sitting.session
    session.change(modality="single-frame", denoiser=str(wrong(tmp_path)))
    session.live()
    sitting.until(lambda: sitting.images is not None and sitting.images["sr"] is not None)
    sitting.until(lambda: session.snapshot.doubts)
    assert "does not agree with what the network makes of a single frame" in session.snapshot.doubts[0]
    assert "does not agree" in sitting.told
    trust = ImageTrust()
    assert sitting.images is not None
    trust.see_images(sitting.images)
    caution = trust.cautions(replace(session.snapshot, activity=Activity.LIVE))["sr"]
    assert "does not agree" in str(caution)
    session.stop()
    sitting.at(Activity.IDLE)
    assert session.snapshot.light is Light.OFF
    assert not sitting.lit


def test_a_plan_of_single_frames_is_recorded_with_its_series(sitting: Sitting, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "run"
    plan = Plan(
        modality="single-frame",
        check_every=2,
        channels=(PlanChannel(name="488", power_percent=50, exposure_ms=5),),
        time=TimePlan(points=3),
    )
    sitting.session.record(folder, plan)
    sitting.at(Activity.RECORDING)
    sitting.at(Activity.IDLE)
    with open_recording(folder / "raw.ome.zarr") as raw, open_recording(folder / "checks.ome.zarr") as checks:
        assert (raw.shape[:3], checks.shape[:3]) == ((3, 1, 1), (2, 3, 3))
        assert raw.valid.all()
        assert checks.complete.all()
    assert "error" not in sitting.told.lower()
