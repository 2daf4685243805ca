"""Every modality the same way: simulated, recorded and shown live, reconstructed from the file, exported, read back."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.modality_kinds import MODALITIES
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.specimen import Simulation, SimulationSettings, SpecimenSettings
from rdl_live.specimen.simulation import SimulatedSeries
from rdl_live.stream import Result

pytest.importorskip("pymmcore_plus")

from rdl_devices.sim import world_of
from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

SIDE, PHOTONS, POINTS = 96, 400.0, 2
PATTERNED = "\nhardware:\n  patterns: {kind: none}\n"

LIT = "{name: TIRF, incidence_na: 1.42}, {name: GI, incidence_na: 1.36}"
THREE_BEAMS = {"modulation_of": (0.5, 0.5)}


@dataclass(frozen=True)
class Row:
    """One modality: section of the microscope file, settings of the simulation, pixels of an image for a camera's."""

    section: str
    factor: int = 2
    settings: dict[str, Any] = field(default_factory=dict)
    lit: str = ""
    """Illuminations of the colour."""
    gain: float = 0.6
    """Error of the image relative to the widefield's, at most."""


ROWS = {
    "2d-sim": Row("modality: 2d-sim"),
    "2d-sim, TIRF and GI": Row("modality: 2d-sim", lit=LIT),
    "2d-sim, one direction": Row("modality: 2d-sim\npattern: {angles: 1, phases: 5}", gain=0.9),
    "2d-sim, two directions": Row("modality: 2d-sim\npattern: {angles: 2, phases: 4}", gain=0.75),
    "2d-sim, nonlinear": Row(
        "modality: 2d-sim\npattern: {angles: 5, phases: 5, harmonics: 2}", 3, {"response": {"switching": 1.5}}
    ),
    "2d-sim, three beams": Row("modality: 2d-sim\npattern: {angles: 3, phases: 5, harmonics: 2}", 3, THREE_BEAMS),
    "hexagonal": Row("modality: hexagonal"),
    "widefield": Row("modality: widefield", 1),
}


def test_no_modality_is_forgotten() -> None:
    assert {row.partition(",")[0] for row in ROWS} == set(MODALITIES.names())


def file_of(root: Path, folder: Path, row: Row) -> Path:
    text = (root / "configs" / "demo-widefield.yaml").read_text(encoding="utf-8")
    text = text.replace("modality: widefield", row.section)
    if "modality: widefield" not in row.section:
        text = text.replace("\nhardware:\n", PATTERNED)
    if row.lit:
        text = text.replace("    emission_nm: 525\n", f"    emission_nm: 525\n    illuminations: [{row.lit}]\n")
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    name = "demo-widefield.cfg"
    (folder / name).write_text((root / "configs" / name).read_text(encoding="utf-8"), encoding="utf-8")
    return path


def reconstructed(raw: Path, microscope: Path, out: Path, channel: str) -> npt.NDArray[np.float32]:
    with OfflineRun(raw, microscope, torch.device("cpu"), Options(workers=1, channel=channel)) as run:
        run.reconstruct(out)
    return tifffile.imread(out)


def apart(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return nrmse(torch.from_numpy(one), torch.from_numpy(other))


def simulated(scope: Microscope, row: Row) -> dict[str, SimulatedSeries]:
    """Return one series of each channel, of the same specimen."""
    found = {}
    for channel in scope.channels:
        settings = dict(row.settings)
        depths = settings.pop("modulation_of", None)
        patterns = nominal_patterns(scope, channel, seed=3, modulation=depths) if depths else None
        recording = SimulationSettings(photons=PHOTONS, shape=(SIDE, SIDE), seed=3, upsample=2, **settings)
        specimen = SpecimenSettings(kind="filaments", seed=2)
        found[channel.name] = Simulation(scope, specimen, recording, patterns=patterns, channel=channel).series(0)
    return found


def run_of(scope: Microscope, true: dict[str, SimulatedSeries], out: Path, points: int, **options: Any) -> list[Result]:
    """Record some time points of what the camera sees of the series; return the images that were made meanwhile."""
    one_point = [series.expected[slot].numpy() for series in true.values() for slot in scope.pattern.slots]
    frames = itertools.cycle(one_point)

    def seen_by_the_camera(core: "CMMCorePlus") -> None:
        core.setProperty("World", "Realtime", 0)
        core.setProperty("Camera", "SensorSize_px", SIDE)
        world_of(core)._expected = lambda *_: next(frames)  # type: ignore[method-assign]

    plan = Plan(
        channels=tuple(PlanChannel(name=name, power_percent=50, exposure_ms=10) for name in true),
        time=TimePlan(points=points),
        roi=Region(x=0, y=0, width=SIDE, height=SIDE),
    )
    results: list[Result] = []
    out.mkdir()
    made = LiveOptions(processing="thread", queue_series=2 * points * len(true), **options)
    with LiveRun(scope, plan, out, made, prepare=seen_by_the_camera, receivers=(results.append,)) as run:
        run.start()
        outcome = run.finish()
    assert outcome.raw.raw_frames == points * len(one_point)
    assert {result.main for result in results} <= {scope.image_name}
    return results


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "direction" in name else []) for name in ROWS]
)
def test_from_specimen_to_exported_file(name: str, root: Path, tmp_path: Path) -> None:
    row = ROWS[name]
    path = file_of(root, tmp_path, row)
    scope = load_microscope(path)
    true, modality, out = simulated(scope, row), modality_of(scope), tmp_path / "run"
    # Found in the same light; a run that searches for them waits for a processor, and so would a test of it.
    known = [modality.estimate(one.adu, scope, channel=scope.channel(colour)) for colour, one in true.items()]
    results = run_of(scope, true, out, POINTS, patterns=tuple(known) if modality.searches else None)
    assert {result.channel for result in results} == set(true)
    (written,) = export_tiffs(out / "raw.ome.zarr", tmp_path / "raw.ome.tif")
    for number, (colour, series) in enumerate(true.items()):
        truth = series.total.numpy()
        assert truth.shape == (row.factor * SIDE, row.factor * SIDE)
        with open_recording(out / "raw.ome.zarr", channel=number) as raw:
            assert raw.shape == (POINTS, *scope.pattern.counts, SIDE, SIDE)
            recorded = raw.read(0, 1).reshape(scope.pattern.frames, SIDE, SIDE)
        expected = series.expected.reshape(scope.pattern.frames, SIDE, SIDE).numpy()
        light = (recorded - scope.camera.offset_adu) * scope.camera.gain_e_per_adu
        assert max(apart(one.astype(np.float32), other) for one, other in zip(light, expected, strict=True)) < 0.3
        with open_recording(out / "sr.ome.zarr", channel=number) as sr:
            live = sr.read(0, POINTS).reshape(POINTS, *truth.shape)
        offline = reconstructed(out / "raw.ome.zarr", path, tmp_path / f"offline-{number}.tif", colour)
        back = reconstructed(written.path, path, tmp_path / f"back-{number}.tif", colour)
        np.testing.assert_allclose(back, offline, rtol=1e-5, atol=1e-3)
        offline = offline.reshape(live.shape)
        assert apart(live[-1], offline[-1]) < 0.1
        error, plain = apart(offline[-1], truth), apart(series.expected.mean(dim=(0, 1)).numpy(), truth)
        assert error < (row.gain * plain if row.factor > 1 else 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ROWS if name != "widefield"])
def test_patterns_are_found_while_it_runs(name: str, root: Path, tmp_path: Path) -> None:
    """Nobody gives them: the first series that the pipeline has time for say what they are."""
    row = ROWS[name]
    scope = load_microscope(file_of(root, tmp_path, row))
    true = simulated(scope, row)
    results = run_of(scope, true, tmp_path / "run", 40, estimate_every_s=0.2)
    for colour, series in true.items():
        last = [result for result in results if result.channel == colour][-1]
        for found, one in zip(last.patterns, series.patterns, strict=True):
            wanted = one.canonical()
            assert found.trusted
            assert np.hypot(found.kx - wanted.kx, found.ky - wanted.ky) * SIDE * scope.optics.pixel_size_um < 0.1
        plain = apart(series.expected.mean(dim=(0, 1)).numpy(), series.total.numpy())
        assert apart(last.sr.numpy(), series.total.numpy()) < row.gain * plain
