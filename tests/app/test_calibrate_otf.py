"""The OTF from beads of a forward model that has no grid and no OTF of the program's (`benchmarks.phasors`)."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from benchmarks.phasors import Eye, Points, seen
from rdl_live.app.calibrate_otf import OtfCalibration, calibrate_otf
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import load_microscope
from rdl_live.optics import Otf

NA, EMISSION_UM, PIXEL_UM, SIZE = 1.49, 0.525, 0.065, 256
CUTOFF = 2 * NA / EMISSION_UM
HEAD = f"""
name: beads
optics: {{na: {NA}, pixel_size_um: {PIXEL_UM}}}
camera: {{offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.6}}
channels:
- name: green
  excitation_nm: 488
  emission_nm: {1e3 * EMISSION_UM:g}
"""


def beads(count: int, seed: int) -> Points:
    """Return up to 25 points that lie 2 um apart or more."""
    rng = np.random.default_rng(seed)
    places = 2.4 + 2.9 * np.mgrid[0:5, 0:5].reshape(2, -1).T + rng.uniform(-0.4, 0.4, (25, 2))
    return Points(places[:count], rng.uniform(0.6, 1.6, count))


def adu(light: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    electrons = rng.poisson(np.clip(light, 0, None) + 2) + rng.normal(0, 1.6, light.shape)
    return np.clip(np.round(electrons / 0.5 + 100), 0, 65535).astype(np.uint16)


def sim_series(points: Points, photons: float, eye: Eye) -> np.ndarray:
    """Return light (9, y, x) of stripes of 190 nm."""
    frames = []
    for angle in np.deg2rad([10, 70, 130]):
        way = points.place_um[:, 1] * np.cos(angle) + points.place_um[:, 0] * np.sin(angle)
        for phase in 2 * np.pi / 3 * np.arange(3):
            stripes = 1 + 0.6 * np.cos(2 * np.pi * way / 0.19 + phase)
            frames.append(seen(points, photons / 9 * points.light * stripes, eye, SIZE))
    return np.array(frames)


def measured(folder: Path, frames: np.ndarray, **options: object) -> OtfCalibration:
    (folder / "M.yaml").write_text(HEAD, encoding="utf-8")
    tifffile.imwrite(folder / "beads.tif", frames, photometric="minisblack")
    return calibrate_otf(folder / "beads.tif", folder / "M.yaml", folder / "otf.yaml", bead_um=0.0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("damping_um", [0.0, 0.06, 0.15])
def test_series_of_beads_show_the_otf(damping_um: float, tmp_path: Path) -> None:
    light = sim_series(beads(22, 1), 9000, Eye(NA, EMISSION_UM, PIXEL_UM, damping_um))
    found = measured(tmp_path, adu(light, 2)).otf
    assert found.beads >= 18
    assert found.slope_um == pytest.approx(damping_um, abs=max(4 * found.slope_error_um, 0.002))
    assert found.slope_error_um < 0.006
    (tmp_path / "with.yaml").write_text(
        HEAD + "".join(f"  {line}\n" for line in (tmp_path / "otf.yaml").read_text().splitlines()), encoding="utf-8"
    )
    (tmp_path / "curve.yaml").write_text(HEAD + "  otf_file: otf.mrc\n", encoding="utf-8")
    k = torch.linspace(0.05, 0.9, 12, dtype=torch.float64) * CUTOFF
    s = k / CUTOFF
    ideal = 2 / torch.pi * (torch.acos(s) - s * torch.sqrt(1 - s * s))
    expected = ideal * torch.exp(-damping_um * k) * torch.sinc(k * PIXEL_UM)
    for name in ("with.yaml", "curve.yaml"):
        scope = load_microscope(tmp_path / name)
        assert torch.allclose(Otf.of(scope)(k, 0 * k), expected, atol=0.02), name


def test_each_bead_of_a_focus_series_counts_where_it_is_sharpest(tmp_path: Path) -> None:
    points, eye = beads(20, 3), Eye(NA, EMISSION_UM, PIXEL_UM, 0.06)
    tilt = points.place_um[:, 0] / (SIZE * PIXEL_UM) - 0.5
    planes = []
    for plane in range(5):
        # Blur beside the focus, which the stage's tilt puts into planes 1 to 3.
        blur = 0.12 * np.abs(plane - 2 - np.round(2 * tilt))
        parts = [
            seen(
                Points(points.place_um[blur == one], points.light[blur == one]),
                4000 * points.light[blur == one],
                eye,
                SIZE,
                blur_um=float(one),
            )
            for one in np.unique(blur)
        ]
        planes.append(sum(parts))
    found = measured(tmp_path, adu(np.array(planes), 4), plain=True).otf
    assert found.slope_um == pytest.approx(0.06, abs=max(4 * found.slope_error_um, 0.005))
    with pytest.raises(DataError, match="--plain"):
        measured(tmp_path, adu(np.array(planes), 4), overwrite=True)


def test_pairs_are_left_out(tmp_path: Path) -> None:
    single = beads(24, 5)
    doubled = single.place_um[:5] + np.array([0.0, 0.15])
    points = Points(np.concatenate([single.place_um, doubled]), np.concatenate([single.light, single.light[:5]]))
    light = 6000 * seen(points, points.light, Eye(NA, EMISSION_UM, PIXEL_UM, 0.06), SIZE)
    found = measured(tmp_path, adu(light, 6)[None], plain=True).otf
    assert found.beads <= found.found - 4
    assert found.slope_um == pytest.approx(0.06, abs=max(4 * found.slope_error_um, 0.005))


def test_too_few_beads_and_other_names_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    light = sim_series(beads(2, 1), 9000, Eye(NA, EMISSION_UM, PIXEL_UM))
    with pytest.raises(DataError, match=r"beads.tif: only [0-2] single bright beads"):
        measured(tmp_path, adu(light, 2))
    with pytest.raises(ConfigError, match=r"must end in .yaml"):
        calibrate_otf(tmp_path / "beads.tif", tmp_path / "M.yaml", tmp_path / "otf.tif")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["M.yaml", "beads.tif"]
