"""Microscope files that do not fit the data, and planes out of focus: no pattern is trusted, and the advice names the
cause."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile

from rdl_live.files import load_microscope
from rdl_live.optics import PatternSet, estimate_patterns
from tests.cases.fast import variants
from tests.cases.test_in_step import agreement, reconstructed, untrusted

Folder = Callable[[str], Path]
WRONG: dict[str, dict[str, Any]] = {
    "NA 0.8": {"na": 0.8},
    "NA 1.1": {"na": 1.1},
    "pixels twice as large": {"pixel": 0.13},
    "pixels half as large": {"pixel": 0.0325},
    "far red": {"channels": [{"name": "640", "excitation_nm": 640, "emission_nm": 680}]},
}


def estimated(raw: Path, scope: Path) -> PatternSet:
    """Return the patterns of the first series of a file."""
    microscope = load_microscope(scope)
    frames = tifffile.imread(raw)[: microscope.pattern.frames]
    shape = (microscope.pattern.angles, microscope.pattern.phases, *frames.shape[-2:])
    return estimate_patterns(frames.reshape(shape).astype(np.float32), microscope)


@pytest.mark.parametrize("name", variants(WRONG, ("NA 0.8",)))
def test_a_wrong_microscope_file_is_not_trusted(
    make_cases: ModuleType, case: Folder, tmp_path: Path, name: str
) -> None:
    make_cases.scope(tmp_path / "M.yaml", **WRONG[name])
    found = estimated(case("wrong-na") / "raw.tif", tmp_path / "M.yaml")
    assert not any(pattern.trusted for pattern in found)
    for pattern in found:
        assert "optics.na, optics.pixel_size_um and the wavelengths" in pattern.doubt
        assert pattern.modulation[0] <= 1


def test_the_right_file_is(make_cases: ModuleType, case: Folder, tmp_path: Path) -> None:
    folder = case("wrong-na")
    assert estimated(folder / "raw.tif", folder / "M-right.yaml").trusted
    make_cases.scope(tmp_path / "M.yaml", na=1.42)
    assert estimated(folder / "raw.tif", tmp_path / "M.yaml").trusted


def test_one_orientation_with_another_period(make_cases: ModuleType, case: Folder) -> None:
    folder = case("wrong-na")
    odd = make_cases.clean(make_cases.curves(), period=0.224)[2]
    series = make_cases.clean(make_cases.curves())
    series[2] = odd
    scope = load_microscope(folder / "M-right.yaml")
    found = estimate_patterns(make_cases.camera(series, 100, 3).astype(np.float32), scope)
    assert [pattern.trusted for pattern in found] == [True, True, False]
    assert "period 224 nm" in found[2].doubt


def test_planes_out_of_focus(case: Folder) -> None:
    folder = case("defocused-planes")
    images, report = reconstructed(folder / "stack.tif", folder / "M.yaml")
    assert all(pattern["trusted"] and pattern["modulation"] > 0.7 for pattern in report["patterns"])
    assert untrusted(report) == [0, 6]
    assert "out of focus" in report["series"][0]["why"]
    alone, lone = reconstructed(folder / "plane-0.tif", folder / "M.yaml")
    assert untrusted(lone) == [0]
    assert not any(pattern["trusted"] for pattern in lone["patterns"])
    # Blur: nothing in the band that only SIM gives.
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(512, 0.0325), np.fft.fftfreq(512, 0.0325)))
    for blurred in (images[0], alone[0]):
        spectrum = np.abs(np.fft.fft2(blurred)) ** 2
        assert spectrum[(k > 6) & (k < 9)].sum() < 1e-2 * (np.abs(np.fft.fft2(images[3])) ** 2)[(k > 6) & (k < 9)].sum()
    focus, _ = reconstructed(folder / "plane-3.tif", folder / "M.yaml")
    assert agreement(images[3], focus[0]) > 0.98


@pytest.mark.parametrize("defocus_um", variants((0.4, 0.6, 0.9), (0.6,)))
def test_one_plane_out_of_focus_is_not_good(make_cases: ModuleType, case: Folder, defocus_um: float) -> None:
    series = make_cases.clean(make_cases.curves(160, 5, 30), defocus_um=defocus_um)
    scope = load_microscope(case("wrong-na") / "M-right.yaml")
    found = estimate_patterns(make_cases.camera(series, 60, 3).astype(np.float32), scope)
    assert not any(pattern.trusted for pattern in found)
