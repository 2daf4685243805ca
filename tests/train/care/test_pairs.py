"""Pairs on disk: good ones are taken and registered, each wrong one is refused with file, value and remedy."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import gaussian_filter, zoom

from rdl_live.errors import DataError
from rdl_live.train.care.folders import CarePair, open_pairs
from rdl_live.train.care.isotropic import Axial, IsotropicPairs
from rdl_live.train.care.patches import FolderPairs, fitting
from rdl_live.train.care.run import train_care
from rdl_live.train.care.settings import CareSettings

SIDE = 128


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three fields of blobs and lines: 8 photons a pixel of a camera with offset and gain, and the clean image."""
    folder = tmp_path_factory.mktemp("pairs")
    for part in ("low", "high"):
        (folder / part).mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        light = np.zeros((SIDE, SIDE))
        for _ in range(12):
            light[rng.integers(SIDE), rng.integers(SIDE)] += 300 * rng.random()
            y, x, turn = *rng.random(2) * SIDE, rng.random() * np.pi
            for step in np.linspace(-30, 30, 120):
                light[int(y + step * np.sin(turn)) % SIDE, int(x + step * np.cos(turn)) % SIDE] += 8
        clean = gaussian_filter(light, 1.5)
        clean *= 8 / clean.mean()
        noisy = 100 + 2 * rng.poisson(clean) + rng.normal(0, 2, clean.shape)
        tifffile.imwrite(folder / f"low/f{number}.tif", noisy.clip(0).astype(np.uint16))
        tifffile.imwrite(folder / f"high/f{number}.tif", (100 + 60 * clean).astype(np.float32))
    return folder


def change(path: Path, function: Callable[[np.ndarray], np.ndarray], **how: str) -> None:
    tifffile.imwrite(path, np.ascontiguousarray(function(tifffile.imread(path))), **how)


def with_nan(image: np.ndarray) -> np.ndarray:
    image = image.astype(np.float32)
    image[3, 5] = np.nan
    return image


def swapped(folder: Path) -> None:
    (folder / "low").rename(folder / "x")
    (folder / "high").rename(folder / "low")
    (folder / "x").rename(folder / "high")


def mixed(folder: Path) -> None:
    (folder / "low/f1.tif").rename(folder / "low/x.tif")
    (folder / "low/f2.tif").rename(folder / "low/f1.tif")
    (folder / "low/x.tif").rename(folder / "low/f2.tif")


def magnified(image: np.ndarray) -> np.ndarray:
    large = zoom(image, 1.06, order=1)
    first = (large.shape[0] - SIDE) // 2
    return large[first : first + SIDE, first : first + SIDE]


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "shifted by 20": (
        lambda f: change(f / "high/f1.tif", lambda image: np.roll(image, 20, 1)),
        r"high/f1.tif: lies 20\.. pixels .*register",
    ),
    "other size": (lambda f: change(f / "high/f1.tif", lambda image: image[:100]), "f1.tif: is 100 x 128 .*128 x 128"),
    "twice as fine": (lambda f: change(f / "high/f1.tif", lambda image: zoom(image, 2)), "2 times as fine"),
    "magnified": (lambda f: change(f / "high/f1.tif", magnified), "f1.tif: is 1.0[56].. times as large"),
    "NaN": (lambda f: change(f / "high/f1.tif", with_nan), r"f1.tif: 1 values are NaN .*plane 0"),
    "RGB": (
        lambda f: change(f / "low/f1.tif", lambda image: np.stack([image] * 3, -1).astype(np.uint8), photometric="rgb"),
        "f1.tif: holds colour pictures",
    ),
    "the same file": (lambda f: shutil.copy(f / "low/f1.tif", f / "high/f1.tif"), "f1.tif: holds the same values"),
    "mixed up": (mixed, r"low/f1.tif: fits .*high/f2.tif .*order of the files is mixed up"),
    "folders swapped": (swapped, "the folders are swapped"),
    "no fellow": (lambda f: (f / "low/f1.tif").unlink(), "high/f1.tif: has no fellow"),
    "even": (lambda f: change(f / "low/f1.tif", np.zeros_like), "f1.tif: all its values are 0"),
    "no folder": (lambda f: shutil.rmtree(f / "low"), "low: is no folder; --low"),
    "empty": (lambda f: [one.unlink() for one in (f / "low").iterdir()], "holds no images"),
    "other planes": (
        lambda f: change(f / "low/f1.tif", lambda image: np.stack([image] * 3), photometric="minisblack"),
        "f1.tif: has 1 time points, .*low/f1.tif has 3",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_pairs_are_refused(name: str, good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    shutil.copytree(good, folder)
    spoil, text = WRONG[name]
    spoil(folder)
    with pytest.raises(DataError, match=text):
        open_pairs(folder / "low", folder / "high", volume=False)


def test_good_pairs_are_taken_without_a_word(good: Path) -> None:
    found = open_pairs(good / "low", good / "high", volume=False)
    assert [one.name for one in found.pairs] == ["f0", "f1", "f2"]
    assert not found.notes
    assert all(one.moved_px == (0.0, 0.0) for one in found.pairs)


def test_small_shifts_are_taken_out_and_said(good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    shutil.copytree(good, folder)
    change(folder / "high/f1.tif", lambda image: np.roll(image, 3, 1))
    found = open_pairs(folder / "low", folder / "high", volume=False)
    assert found.pairs[1].moved_px[1] == pytest.approx(-3, abs=0.2)
    assert "1 of 3 pairs were registered" in found.notes[0]
    before = open_pairs(good / "low", good / "high", volume=False)
    fits = [np.corrcoef(one.pairs[1].low.ravel(), one.pairs[1].high.ravel())[0, 1] for one in (before, found)]
    assert fits[1] > fits[0] - 0.02


def test_a_pair_that_is_there_twice_counts_once(good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    shutil.copytree(good, folder)
    for part in ("low", "high"):
        shutil.copy(folder / part / "f1.tif", folder / part / "again.tif")
    found = open_pairs(folder / "low", folder / "high", volume=False)
    assert len(found.pairs) == 3
    assert "there twice" in found.notes[0]


def test_patches_lie_where_there_is_signal_and_the_last_field_is_held_out(good: Path) -> None:
    found = open_pairs(good / "low", good / "high", volume=False).pairs
    dark = found[0].high.clone()
    dark[:, 40:] = dark.min()
    dark[:, 40:] += 1e-3 * torch.arange(SIDE - 40)
    one = type(found[0])("half", found[0].low, dark, "x")
    source = FolderPairs([one, found[2]], CareSettings(patch=32))
    means = [float(source.patch(np.random.default_rng(seed))[1].mean()) for seed in range(60)]
    assert sum(mean > float(dark.mean()) for mean in means) > 40
    windows = found[2].low.unfold(0, 32, 1).unfold(1, 32, 1)
    assert all(bool((windows == low).all(dim=(-1, -2)).any()) for low, _ in source.held)
    assert source.record()["held_out"] == ["f2"]


def numbered(file: str, first: int, planes: int, width: int = 128) -> list[CarePair]:
    """Planes of a file, each voxel a number of its own: 1000 x plane + column."""
    columns = torch.arange(width, dtype=torch.float32).expand(32, width)
    return [
        CarePair(f"{file} (plane {p})", 1000.0 * (first + p) + columns, 1000.0 * (first + p) + columns, f"{file}{p}")
        for p in range(planes)
    ]


def test_planes_of_a_file_are_learnt_from_or_held_out_together() -> None:
    pairs = [replace(one, file=file) for n, file in enumerate("abc") for one in numbered(file, 10 * n, 10)]
    source = FolderPairs(pairs, CareSettings(patch=16))
    assert {int(low.min() // 10_000) for low, _ in source.held} == {2}
    learnt = {int(source.patch(np.random.default_rng(seed))[0].min() // 10_000) for seed in range(60)}
    assert learnt == {0, 1}


@pytest.mark.parametrize("planes", [1, 10])
def test_of_a_single_file_a_part_of_the_field_is_held_out_beyond_a_gap(planes: int) -> None:
    pairs = [replace(one, file="a") for one in numbered("a", 0, planes, 320)]
    source = FolderPairs(pairs, CareSettings(patch=16))
    held = min(float((low % 1000).min()) for low, _ in source.held)
    learnt = max(float((source.patch(np.random.default_rng(seed))[0] % 1000).max()) for seed in range(200))
    assert held >= 256
    assert learnt < 256 - 15
    assert {int(low.min() // 1000) for low, _ in source.held} <= set(range(planes))


def test_planes_and_time_points_of_a_file_have_its_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for part, noise in (("low", 30.0), ("high", 1.0)):
        (tmp_path / part).mkdir()
        clean = gaussian_filter(np.random.default_rng(4).random((3, 64, 64)), (0, 2, 2)) * 1000
        image = (clean + rng.normal(0, noise, clean.shape)).astype(np.float32)
        tifffile.imwrite(tmp_path / part / "cell.tif", image, photometric="minisblack")
    found = open_pairs(tmp_path / "low", tmp_path / "high", volume=False).pairs
    assert [one.source for one in found] == ["cell"] * 3


def test_too_small_fields_name_the_option(good: Path) -> None:
    pairs = open_pairs(good / "low", good / "high", volume=False).pairs
    with pytest.raises(DataError, match=r"f0: 128 pixels are learnt from, patches have 256; choose --size 128"):
        FolderPairs(pairs, CareSettings(patch=256))
    assert fitting(pairs, CareSettings(patch=256), (False, False)).patch == 128
    assert fitting(pairs, CareSettings(patch=256), (False, True)).patch == 256


def test_held_out_stacks_of_fewer_planes_bound_the_patch_or_are_named() -> None:
    rng = np.random.default_rng(1)

    def stack(name: str, planes: int) -> CarePair:
        low = torch.from_numpy(rng.random((planes, 64, 64)).astype(np.float32))
        return CarePair(name, low, low, name)

    pairs = [stack("a", 16), stack("b", 16), stack("c", 8)]
    asked = CareSettings(dims=3, patch=32, planes=16)
    assert fitting(pairs, asked, (False, False)).planes == 8
    assert len(FolderPairs(pairs, fitting(pairs, asked, (False, False))).held) > 0
    with pytest.raises(DataError, match=r"c: what is held out has 8 planes, and a patch 16; choose --patch-planes 8"):
        _ = FolderPairs(pairs, asked).held


def test_stacks_of_different_widths_are_learnt_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    stacks = {f"s{x}": torch.from_numpy(rng.random((3, 128, x)).astype(np.float32)) for x in (256, 128)}
    asked = CareSettings(patch=64, steps=1, network={"width": 4, "depth": 1}, batch=1)
    train_care(IsotropicPairs(stacks, Axial(2.0, 2.0), asked), tmp_path / "w.safetensors", asked, trained_on={})
    assert (tmp_path / "w.safetensors").exists()
