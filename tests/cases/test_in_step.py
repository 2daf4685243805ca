"""Recordings with frames that were lost, doubled, exchanged or dimmed: the series that do not fit are named, all others
are kept. Those of 256 pixels and of twenty frames a series are slow: they cost ten seconds, and the small ones show the
same."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.errors import DataError
from tests.cases.fast import variants

Folder = Callable[[str], Path]
GREY = {"photometric": "minisblack"}


def reconstructed(raw: Path, scope: Path, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the images and the report."""
    out, report = raw.with_suffix(".sr.tif"), raw.with_suffix(".json")
    with OfflineRun(raw, scope, torch.device("cpu"), Options(overwrite=True, **options)) as run:
        run.reconstruct(out, report=report)
    images = tifffile.imread(out)
    return (images[None] if images.ndim == 2 else images), json.loads(report.read_text())


def untrusted(report: dict[str, Any]) -> list[int]:
    """Return the series that are not trusted."""
    for one in report["series"]:
        assert set(one["index"]) == {"time", "plane", "position", "channel"}
        assert bool(one["why"]) is not one["trusted"]
    return [one["index"]["time"] for one in report["series"] if not one["trusted"]]


def agreement(image: np.ndarray, other: np.ndarray, pixel_um: float = 0.0325) -> float:
    """Return the correlation in the band that only SIM gives (5 to 9 cycles/um)."""
    y, x = (np.fft.fftfreq(n, pixel_um) for n in image.shape)
    k = np.hypot(y[:, None], x[None])
    a, b = (np.fft.fft2(one)[(k > 5) & (k < 9)] for one in (image, other))
    return float((a * b.conj()).real.sum() / np.sqrt((abs(a) ** 2).sum() * (abs(b) ** 2).sum()))


@pytest.mark.slow
def test_a_lost_frame_is_named_and_all_other_series_are_kept(case: Folder) -> None:
    folder = case("lost-late")
    right, fine = reconstructed(folder / "reference.tif", folder / "M.yaml")
    assert untrusted(fine) == []
    assert fine["warnings"] == []
    images, report = reconstructed(folder / "lost.tif", folder / "M.yaml")
    assert untrusted(report) == [7]
    assert "angle 1 phase 0" in report["series"][7]["why"]
    assert any("1 is missing in series 7" in text for text in report["warnings"])
    assert min(agreement(images[i], right[i]) for i in range(9) if i != 7) > 0.99
    images, report = reconstructed(folder / "twice.tif", folder / "M.yaml", workers=2)
    assert untrusted(report) == [3]
    assert "stored twice" in report["series"][3]["why"]
    assert min(agreement(images[i], right[i]) for i in range(10) if i != 3) > 0.99


def film(make: ModuleType, angles: int, phases: int, photons: float, contrast: float, times: int = 8) -> np.ndarray:
    """Return frames (time x angle x phase, y, x) of a specimen of 128 x 128."""
    light = make.clean(make.curves(128, 3, 30), angles=angles, phases=phases, m=contrast)
    series = [make.camera(light, photons, seed) for seed in range(times)]
    return np.stack(series).reshape(-1, 128, 128)


Change = Callable[[np.ndarray, int], np.ndarray]


def lost(series: int, frame: int) -> Change:
    return lambda film, n: np.delete(film, series * n + frame, axis=0)[: len(film) - n]


def exchanged(film: np.ndarray, n: int) -> np.ndarray:
    changed = film.copy()
    changed[[2 * n, 2 * n + 1]] = changed[[2 * n + 1, 2 * n]]
    return changed


def dimmed(film: np.ndarray, n: int) -> np.ndarray:
    changed = film.astype(np.float64)
    changed[5 * n + 3] = 0.85 * (changed[5 * n + 3] - 100) + 100
    return changed.round().astype(np.uint16)


def doubled(film: np.ndarray, n: int) -> np.ndarray:
    changed = film.copy()
    changed[4 * n] = changed[4 * n - 1]
    return changed


def late(film: np.ndarray, n: int) -> np.ndarray:
    changed = film.copy()
    changed[5 * n :] = np.roll(film, 2, axis=0)[5 * n :]
    return changed


VARIANTS: dict[str, tuple[tuple[int, int, float, float], Change, list[int], str]] = {
    "bright": ((3, 3, 100, 0.8), lambda film, _: film, [], ""),
    "four angles, five phases": ((4, 5, 30, 0.5), lambda film, _: film, [], ""),
    "dim": ((3, 3, 1, 0.5), lambda film, _: film, [], ""),
    "lost early": ((3, 3, 50, 0.8), lost(1, 5), [1], "angle 1 phase 2"),
    "lost at a border": ((3, 3, 50, 0.8), lost(4, 0), [4], "1 frame early"),
    "lost, twenty frames": ((4, 5, 30, 0.5), lost(3, 12), [3], "angle 2 phase 2"),
    "lost in the dim": ((3, 3, 1.5, 0.5), lost(5, 4), [5], "missing"),
    "exchanged": ((3, 3, 20, 0.6), exchanged, [2], "angle 0 phase 0 holds the pattern of angle 0 phase 1"),
    "15 % dimmer": ((3, 3, 60, 0.7), dimmed, [5], "angle 1 phase 0"),
    "doubled across series": ((3, 3, 60, 0.7), doubled, [4], ""),
    "out of step": ((3, 5, 20, 0.6), late, [5], "2 frames late"),
}


@pytest.mark.parametrize("name", variants(VARIANTS, ("dim", "lost at a border", "exchanged")))
def test_what_is_out_of_step_is_named(make_cases: ModuleType, tmp_path: Path, name: str) -> None:
    (angles, phases, photons, contrast), change, wrong, words = VARIANTS[name]
    raw = change(film(make_cases, angles, phases, photons, contrast), angles * phases)
    tifffile.imwrite(tmp_path / "raw.tif", raw, **GREY)
    make_cases.scope(tmp_path / "M.yaml", angles, phases)
    _, report = reconstructed(tmp_path / "raw.tif", tmp_path / "M.yaml")
    assert untrusted(report) == wrong
    if wrong:
        assert words in report["series"][wrong[0]]["why"]
        assert any(f"series {wrong[0]}" in text for text in report["warnings"])


def test_series_that_fit_keep_their_images(make_cases: ModuleType, tmp_path: Path) -> None:
    raw = film(make_cases, 3, 3, 50, 0.8, times=5)
    make_cases.scope(tmp_path / "M.yaml")
    images = []
    for name, frames in (("right", raw), ("lost", lost(3, 4)(raw, 9))):
        tifffile.imwrite(tmp_path / f"{name}.tif", frames, **GREY)
        images.append(reconstructed(tmp_path / f"{name}.tif", tmp_path / "M.yaml")[0])
    right, found = images
    assert len(found) == 4
    assert min(agreement(found[i], right[i]) for i in range(3)) > 0.99
    assert agreement(found[3], right[3]) < 0.5  # what does not fit is shown without super-resolution


def test_a_lost_frame_leaves_no_whole_count_and_the_good_series_are_kept(
    make_cases: ModuleType, tmp_path: Path
) -> None:
    whole = film(make_cases, 3, 3, 50, 0.8, times=5)
    raw = np.delete(whole, 2 * 9 + 4, axis=0)
    make_cases.scope(tmp_path / "M.yaml")
    tifffile.imwrite(tmp_path / "raw.tif", raw, **GREY)
    images, report = reconstructed(tmp_path / "raw.tif", tmp_path / "M.yaml")
    assert untrusted(report) == [2]
    tifffile.imwrite(tmp_path / "whole.tif", whole, **GREY)
    right, _ = reconstructed(tmp_path / "whole.tif", tmp_path / "M.yaml")
    assert len(images) == len(right) == 5
    assert min(agreement(images[i], right[i]) for i in (0, 1, 3, 4)) > 0.99
    # Where no stripes show which frames belong together, it is refused as before.
    noise = np.random.default_rng(0).poisson(300, raw.shape).astype(np.uint16)
    tifffile.imwrite(tmp_path / "noise.tif", noise, **GREY)
    with pytest.raises(DataError, match="44 frames, no whole number of series"):
        reconstructed(tmp_path / "noise.tif", tmp_path / "M.yaml")
    assert not (tmp_path / "noise.sr.tif").exists()


def test_a_recording_that_begins_late_says_so(make_cases: ModuleType, tmp_path: Path) -> None:
    raw = film(make_cases, 3, 3, 60, 0.7, times=4)[2:-7]
    tifffile.imwrite(tmp_path / "raw.tif", raw, **GREY)
    make_cases.scope(tmp_path / "M.yaml")
    _, report = reconstructed(tmp_path / "raw.tif", tmp_path / "M.yaml")
    assert untrusted(report) == [0, 1, 2]
    assert any("begins with phase 2" in text and "first 1 frame" in text for text in report["warnings"])
