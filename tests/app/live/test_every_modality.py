"""Every modality the same way: simulated, recorded and shown live, reconstructed from the file, exported, read back."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch

from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.truth import nrmse
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.files import load_microscope
from rdl_live.files.recorder import export_tiffs, open_recording
from rdl_live.optics.modality import modality_of
from rdl_live.optics.modality_kinds import MODALITIES
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.stream import Result

pytest.importorskip("pymmcore_plus")

from rdl_devices.sim import world_of
from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

SIDE, PHOTONS, POINTS = 96, 400.0, 2
PATTERNED = "\nhardware:\n  patterns: {kind: none}\n"

ROWS = {
    "2d-sim": ("modality: 2d-sim", {}, 2),
    "2d-sim, nonlinear": (
        "modality: 2d-sim\npattern: {angles: 5, phases: 5, harmonics: 2}",
        {"response": {"switching": 1.5}},
        3,
    ),
    "hexagonal": ("modality: hexagonal", {}, 2),
    "widefield": ("modality: widefield", {}, 1),
}
"""Section of the microscope file, settings of the simulation, pixels of the image for one of the camera's."""


def test_no_modality_is_forgotten() -> None:
    assert {row.partition(",")[0] for row in ROWS} == set(MODALITIES.names())


def file_of(root: Path, folder: Path, section: str) -> Path:
    text = (root / "configs" / "demo-widefield.yaml").read_text(encoding="utf-8")
    text = text.replace("modality: widefield", section)
    if "modality: widefield" not in section:
        text = text.replace("\nhardware:\n", PATTERNED)
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    name = "demo-widefield.cfg"
    (folder / name).write_text((root / "configs" / name).read_text(encoding="utf-8"), encoding="utf-8")
    return path


def reconstructed(raw: Path, microscope: Path, out: Path) -> npt.NDArray[np.float32]:
    with OfflineRun(raw, microscope, torch.device("cpu"), Options(workers=1)) as run:
        run.reconstruct(out)
    return tifffile.imread(out)


def apart(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return nrmse(torch.from_numpy(one), torch.from_numpy(other))


@pytest.mark.parametrize("row", ROWS)
def test_from_specimen_to_exported_file(row: str, root: Path, tmp_path: Path) -> None:
    section, settings, factor = ROWS[row]
    path = file_of(root, tmp_path, section)
    scope = load_microscope(path)
    specimen = SpecimenSettings(kind="filaments", seed=2)
    shape = (SIDE, SIDE)
    true = simulate(scope, specimen, photons=PHOTONS, shape=shape, seed=3, upsample=2, **settings).series(0)
    truth = true.total.numpy()
    assert truth.shape == (factor * SIDE, factor * SIDE)
    frames = itertools.cycle([true.expected[slot].numpy() for slot in scope.pattern.slots])

    def seen_by_the_camera(core: "CMMCorePlus") -> None:
        core.setProperty("World", "Realtime", 0)
        core.setProperty("Camera", "SensorSize_px", SIDE)
        world_of(core)._expected = lambda *_: next(frames)  # type: ignore[method-assign]

    plan = Plan(
        channels=(PlanChannel(name="488", power_percent=50, exposure_ms=10),),
        time=TimePlan(points=POINTS),
        roi=Region(x=0, y=0, width=SIDE, height=SIDE),
    )
    results: list[Result] = []
    out = tmp_path / "run"
    out.mkdir()
    modality = modality_of(scope)
    # Found in the same light; a run that searches for them waits for a processor, and so would a test of it.
    known = (modality.estimate(true.adu, scope),) if modality.searches else None
    options = LiveOptions(processing="thread", patterns=known, queue_series=2 * POINTS)
    with LiveRun(scope, plan, out, options, prepare=seen_by_the_camera, receivers=(results.append,)) as run:
        run.start()
        outcome = run.finish()
    assert outcome.raw.raw_frames == POINTS * scope.pattern.frames
    assert {result.main for result in results} == {scope.image_name}
    with open_recording(out / "raw.ome.zarr") as raw:
        assert raw.shape == (POINTS, *scope.pattern.counts, *shape)
        recorded = raw.read(0, 1).reshape(scope.pattern.frames, *shape)
    expected = true.expected.reshape(scope.pattern.frames, *shape).numpy()
    light = (recorded - scope.camera.offset_adu) * scope.camera.gain_e_per_adu
    assert max(apart(one.astype(np.float32), other) for one, other in zip(light, expected, strict=True)) < 0.3
    with open_recording(out / "sr.ome.zarr") as sr:
        live = sr.read(0, POINTS).reshape(POINTS, *truth.shape)
    offline = reconstructed(out / "raw.ome.zarr", path, tmp_path / "offline.tif").reshape(live.shape)
    (written,) = export_tiffs(out / "raw.ome.zarr", tmp_path / "raw.ome.tif")
    back = reconstructed(written.path, path, tmp_path / "back.tif").reshape(live.shape)
    np.testing.assert_allclose(back, offline, rtol=1e-5, atol=1e-3)
    assert apart(live[-1], offline[-1]) < 0.1
    widefield = true.expected.mean(dim=(0, 1)).numpy()
    error, plain = apart(offline[-1], truth), apart(widefield, truth)
    assert error < (0.6 * plain if factor > 1 else 0.2)
