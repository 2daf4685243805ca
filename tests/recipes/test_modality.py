"""The recipe "add a modality" of CONTRIBUTING.md: one file outside of the program, and its registration."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch

from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.errors import ConfigError
from rdl_live.files import RawWriter, load_microscope
from rdl_live.files.recorder import open_recording
from rdl_live.optics.modality_kinds import MODALITIES
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.stream import Result

from .toy_modality import KIND

pytest.importorskip("pymmcore_plus")

from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

STRIPES = "pattern:\n  angles: 3\n  phases: 3\n  order: angle-phase\n"


@pytest.fixture
def _registered() -> Iterator[None]:
    MODALITIES.register(KIND)
    yield
    MODALITIES.forget(KIND.name)


def file_of(root: Path, folder: Path, section: str = "pattern: {contrast: 0.8}") -> Path:
    text = (root / "configs" / "demo.yaml").read_text(encoding="utf-8")
    assert STRIPES in text
    path = folder / "m.yaml"
    path.write_text(text.replace(STRIPES, f"modality: sectioning\n{section}\n"), encoding="utf-8")
    (folder / "demo.cfg").write_text((root / "configs" / "demo.cfg").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def reconstructed(raw: Path, microscope: Path, out: Path) -> tuple[npt.NDArray[np.float32], dict[str, object]]:
    with OfflineRun(raw, microscope, torch.device("cpu"), Options(workers=1)) as run:
        report = run.reconstruct(out).as_dict()
    return tifffile.imread(out), report


def sectioned(adu: npt.NDArray[np.generic], offset: float, gain: float) -> npt.NDArray[np.float64]:
    """The formula of the paper, on frames (3, y, x)."""
    one, two, three = (adu.astype(np.float64) - offset) * gain
    return np.sqrt(2 * ((one - two) ** 2 + (one - three) ** 2 + (two - three) ** 2)) / 3 / 0.8


@pytest.mark.usefixtures("_registered")
def test_a_modality_of_another_package_is_simulated_and_reconstructed(root: Path, tmp_path: Path) -> None:
    path = file_of(root, tmp_path)
    scope = load_microscope(path)
    series = simulate(scope, SpecimenSettings(kind="filaments", haze=0.5), shape=(64, 64), photons=400.0).series(0)
    assert series.adu.shape == (1, 3, 64, 64)
    assert series.truth.shape == (64, 64)
    raw = tmp_path / "raw.tif"
    with RawWriter(raw, (1, 64, 64), scope.pattern, scope.optics.pixel_size_um) as writer:
        writer.write(series.adu.numpy())
    image, report = reconstructed(raw, path, tmp_path / "out.tif")
    camera = scope.camera
    np.testing.assert_allclose(
        image, sectioned(series.adu[0].numpy(), camera.offset_adu, camera.gain_e_per_adu), rtol=1e-4, atol=1e-3
    )
    assert report["modality"] == "sectioning"
    assert report["mcnr"] is None
    # Nearer to what is in focus than the mean of the frames, which holds all of the haze.
    truth = series.truth.numpy()
    assert abs(image.mean() - truth.mean()) < abs(series.expected.mean().item() - truth.mean())


@pytest.mark.usefixtures("_registered")
def test_it_is_recorded_live_and_its_images_are_those_of_the_recording(root: Path, tmp_path: Path) -> None:
    path = file_of(root, tmp_path)

    def faster(core: "CMMCorePlus") -> None:
        core.setProperty("World", "Realtime", 0)
        core.setProperty("Camera", "SensorSize_px", 64)

    plan = Plan(
        channels=(PlanChannel(name="488", power_percent=50, exposure_ms=10),),
        time=TimePlan(points=2),
        roi=Region(x=0, y=0, width=48, height=32),
    )
    results: list[Result] = []
    out = tmp_path / "run"
    out.mkdir()
    options = LiveOptions(processing="thread")
    with LiveRun(load_microscope(path), plan, out, options, prepare=faster, receivers=(results.append,)) as run:
        run.start()
        outcome = run.finish()
    assert outcome.raw.raw_frames == 6
    assert outcome.warnings == ()
    assert [result.main for result in results] == ["section", "section"]
    assert {name: tuple(image.shape) for name, image in results[0].images.items()} == {
        "widefield": (32, 48),
        "section": (32, 48),
    }
    with open_recording(out / "raw.ome.zarr") as raw:
        assert raw.shape == (2, 1, 3, 32, 48)
    with open_recording(out / "sr.ome.zarr") as sr:
        live = sr.read(0, 2).reshape(2, 32, 48)
    offline, _ = reconstructed(out / "raw.ome.zarr", path, tmp_path / "out.tif")
    np.testing.assert_allclose(offline, live, rtol=1e-4, atol=1e-3)


@pytest.mark.usefixtures("_registered")
def test_its_own_keys_are_checked(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pattern\.contrats: unknown key; did you mean 'contrast'"):
        load_microscope(file_of(root, tmp_path, "pattern: {contrats: 0.8}"))
    with pytest.raises(ConfigError, match=r"pattern\.phases"):
        load_microscope(file_of(root, tmp_path, "pattern: {phases: 5}"))


def test_an_unknown_one_is_named_with_those_there_are(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"modality: 'sectioning' is wrong: there is no modality 'sectioning'; there"):
        load_microscope(file_of(root, tmp_path))
