"""Pairs on disk: BioSR's own folders, and folders `input` and `target` with files of the same names.

BioSR (Qiao et al. 2021, 10.1038/s41592-020-01048-5; figshare 10.6084/m9.figshare.13264793): a folder for each cell,
Cell_001, Cell_002, ..., with the raw series at rising light, RawSIMData_level_01.mrc, ..., and at full light,
RawSIMData_gt.mrc, and the image that was reconstructed from the latter, SIM_gt.mrc. The first 35 of 50 cells are learnt
from, 15 held out.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.microscope import Camera
from rdl_live.train.pairs.field import PairField, matched
from rdl_live.train.pairs.pages import ENDINGS, Pages, open_pages

LEVELS, TARGETS = "RawSIMData_level_*.mrc", "SIM_gt*.mrc"
INPUT, TARGET = "input", "target"


def open_pairs(folder: Path, frames: int, scale: int, camera: Camera | None = None) -> list[PairField]:
    """Look at a folder of pairs.

    Args:
        folder: of BioSR's cells, one of them, or with folders `input` and `target`.
        frames: that the network takes: 1 (the mean of a file's images) or as many as a file has.
        scale: pixels of a target for one of its input, each way.
        camera: turns the values of inputs into photons; they are taken as photons where left out.

    Raises:
        DataError: no pairs, or pairs that do not fit; the message names the file and both values.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; --pairs wants the folder that holds the pairs")
    cells = [one for one in (folder, *sorted(folder.iterdir())) if one.is_dir() and any(one.glob(LEVELS))]
    if cells:
        return [_cell(cell, frames, scale, camera) for cell in cells]
    if (folder / INPUT).is_dir() and (folder / TARGET).is_dir():
        return _same_names(folder, frames, scale, camera)
    raise DataError(
        f"{folder}: holds neither cells with {LEVELS} and {TARGETS} (BioSR), nor folders {INPUT!r} and {TARGET!r} with "
        "files of the same names; choose another folder"
    )


def pixel_size(folder: Path) -> float | None:
    """Return the pixel of the inputs [um], where their first file says so."""
    found = sorted(folder.rglob(LEVELS)) or [path for path in sorted(folder.glob(f"{INPUT}/*")) if _readable(path)]
    return open_pages(found[0]).pixel_um if found else None


def _cell(cell: Path, frames: int, scale: int, camera: Camera | None) -> PairField:
    targets = sorted(cell.glob(TARGETS))
    if not targets:
        raise DataError(f"{cell}: has raw series ({LEVELS}), but no {TARGETS}; download the cell's files again")
    inputs = [open_pages(path) for path in sorted(cell.glob(LEVELS))]
    return _field(cell.name, inputs, open_pages(targets[0]), frames, scale, camera)


def _same_names(folder: Path, frames: int, scale: int, camera: Camera | None) -> list[PairField]:
    inputs = {path.stem: path for path in sorted((folder / INPUT).iterdir()) if _readable(path)}
    targets = {path.stem: path for path in sorted((folder / TARGET).iterdir()) if _readable(path)}
    if alone := sorted(inputs.keys() ^ targets.keys()):
        there, lacking = (INPUT, TARGET) if alone[0] in inputs else (TARGET, INPUT)
        raise DataError(f"{folder / there / alone[0]}: has no fellow of the same name in {lacking!r}; add or remove it")
    if not inputs:
        raise DataError(f"{folder / INPUT}: holds no {', '.join(ENDINGS)} files")
    return [
        _field(name, [open_pages(path)], open_pages(targets[name]), frames, scale, camera)
        for name, path in inputs.items()
    ]


def _readable(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def _field(
    name: str, inputs: Sequence[Pages], target: Pages, frames: int, scale: int, camera: Camera | None
) -> PairField:
    for one in inputs:
        _check(one, inputs[0], target, frames, scale)

    def load(level: int) -> tuple[Tensor, Tensor]:
        shown = _shown(inputs[level], frames, camera)
        return shown, matched(shown, target.read()[0], str(inputs[level].path))

    photons = tuple(float(_shown(one, frames, camera).mean()) * (one.count if frames == 1 else 1) for one in inputs)
    return PairField(name, inputs[0].shape, len(inputs), load, photons, _fingerprint(inputs[0].path))


def _shown(pages: Pages, frames: int, camera: Camera | None) -> Tensor:
    images = pages.read(camera)
    return images.mean(dim=0, keepdim=True) if frames == 1 else images


def _check(one: Pages, first: Pages, target: Pages, frames: int, scale: int) -> None:
    if frames not in (1, one.count):
        raise DataError(f"{one.path}: holds {one.count} images, --frames {frames} asks for {frames}; use --frames 1")
    if one.shape != first.shape:
        raise DataError(f"{one.path}: is {_size(one.shape)} pixels, {first.path.name} is {_size(first.shape)}")
    if target.count != 1:
        raise DataError(f"{target.path}: holds {target.count} images, where one is expected")
    wanted = (scale * one.shape[0], scale * one.shape[1])
    if target.shape != wanted:
        raise DataError(
            f"{target.path}: is {_size(target.shape)} pixels; {scale} times its input of {_size(one.shape)} would be "
            f"{_size(wanted)}; choose another --factor"
        )


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(2**20)).hexdigest()[:16]


def held(images: Tensor, target: Tensor, name: str, photons: float, fingerprint: str) -> PairField:
    """Return a field that is in memory."""
    fixed = (images, matched(images, target, name))
    return PairField(name, (images.shape[-2], images.shape[-1]), 1, partial(_same, fixed), (photons,), fingerprint)


def _same(fixed: tuple[Tensor, Tensor], _level: int) -> tuple[Tensor, Tensor]:
    return fixed
