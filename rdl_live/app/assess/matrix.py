"""The matrix: every method in every cell (structure x light), its figures, and where a network beats SIM.

Qiao et al. 2021, 10.1038/s41592-020-01048-5: a network has priority in the cells in which it beats conventional SIM in
all three figures: NRMSE, MS-SSIM and resolution. Rows are written as they are done; a matrix that was interrupted goes
on.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rdl_live._version import __version__
from rdl_live.app.assess.methods import SIM, Method
from rdl_live.app.assess.sample import STRUCTURES, Sample, recorded, simulated
from rdl_live.errors import DataError
from rdl_live.files import atomic_write
from rdl_live.optics.quality import decorrelation
from rdl_live.optics.quality.ms_ssim import ms_ssim

FACTOR = 2
LEAST, MOST, LEVELS = 25.0, 600.0, 16
"""Photons of a raw frame where there is structure: the paper's levels."""
IMAGES = 20
"""Of a cell, at least."""
NAME = "matrix.json"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What is assessed."""

    structures: tuple[str, ...] = tuple(STRUCTURES)
    levels: tuple[float, ...] = tuple(round(float(one), 1) for one in np.geomspace(LEAST, MOST, LEVELS))
    images: int = IMAGES
    side: int = 128
    """Raw pixels each way of simulated samples."""


QUICK = Plan(("clathrin-coated pits", "F-actin"), (25.0, 600.0), 3, 96)
"""A small matrix, in two minutes."""


@dataclass(frozen=True)
class Cell:
    """A method in one cell. Figures are means over the images, with their standard deviations."""

    structure: str
    photons: float
    factor: int
    method: str
    nrmse: float
    """Root of the mean square error / range of the truth."""
    ms_ssim: float
    resolution_um: float | None
    """By decorrelation; None where it was found in no image."""
    images: int
    better_than_sim: bool | None
    """In all three figures; None for SIM itself."""
    nrmse_sd: float
    ms_ssim_sd: float


@dataclass(frozen=True)
class _Row:
    """One structure in one light."""

    structure: str
    photons: float
    samples: Callable[[int], Sample]
    images: int


def assess(
    methods: Sequence[Method],
    folder: Path,
    plan: Plan,
    *,
    data: Path | None = None,
    microscope: Path | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[Cell]:
    """Fill the matrix; cells that `folder` holds already, of the same plan and methods, are kept.

    Args:
        methods: SIM first.
        folder: where `matrix.json` is written after every row.
        plan: what is assessed.
        data: BioSR's folders in place of simulated samples.
        microscope: their microscope file.
        progress: notified of what is going on, done, total.

    Raises:
        DataError: a matrix of something else lies in the folder, or the data cannot be used.
        ConfigError: methods do not fit the data.
    """
    identity = {
        "program": f"rdl-live {__version__}",
        "methods": [one.name for one in methods],
        "data": "simulated" if data is None else data.name,
        "plan": json.loads(json.dumps(asdict(plan))),
    }
    done = _kept(folder / NAME, identity)
    rows = list(_rows(plan) if data is None else _data_rows(data, microscope, plan.images))
    cells = [
        cell for cell in done if any((one.structure, one.photons) == (cell.structure, cell.photons) for one in rows)
    ]
    for number, row in enumerate(rows):
        progress(f"{row.structure}, {row.photons:g} photons", number, len(rows))
        if not any((row.structure, row.photons) == (cell.structure, cell.photons) for cell in cells):
            cells += _assessed(row, methods)
            _write(folder / NAME, identity, cells)
    return cells


def example(methods: Sequence[Method], sample: Sample) -> dict[str, Tensor]:
    """Return the images that all methods make of a sample, and the truth."""
    return {**{one.name: one.make(sample) for one in methods}, "truth": sample.truth}


def _rows(plan: Plan) -> Iterator[_Row]:
    for structure in plan.structures:
        for photons in plan.levels:
            yield _Row(structure, photons, _Simulated(structure, photons, plan.side), plan.images)


@dataclass(frozen=True)
class _Simulated:
    structure: str
    photons: float
    side: int

    def __call__(self, index: int) -> Sample:
        return simulated(self.structure, self.photons, index, self.side)


def _data_rows(data: Path, microscope: Path | None, images: int) -> Iterator[_Row]:
    for cell in recorded(data, microscope, images):
        yield _Row(cell.structure, cell.photons, cell.sample, len(cell.samples))


def _assessed(row: _Row, methods: Sequence[Method]) -> list[Cell]:
    figures: dict[str, list[tuple[float, float, float | None]]] = {one.name: [] for one in methods}
    for index in range(row.images):
        sample = row.samples(index)
        pixel_um = sample.scope.optics.pixel_size_um / FACTOR
        for one in methods:
            figures[one.name].append(scores(one.make(sample), sample.truth, pixel_um))
    cells = [_cell(row, name, found) for name, found in figures.items()]
    first = cells[0]
    return [first, *(_with_verdict(one, first) for one in cells[1:])]


def scores(image: Tensor, truth: Tensor, pixel_um: float) -> tuple[float, float, float | None]:
    """Return NRMSE, MS-SSIM and resolution [um] of an image; intensities are compared as they are."""
    span = max(float(truth.max() - truth.min()), 1e-9)
    nrmse = float((image - truth).square().mean().sqrt()) / span
    return nrmse, ms_ssim(image, truth, span), decorrelation(image, pixel_um).resolution_um


def _cell(row: _Row, name: str, found: Sequence[tuple[float, float, float | None]]) -> Cell:
    errors, likeness = np.array([one[0] for one in found]), np.array([one[1] for one in found])
    resolutions = [one[2] for one in found if one[2] is not None]
    return Cell(
        row.structure,
        row.photons,
        FACTOR,
        name,
        round(float(errors.mean()), 5),
        round(float(likeness.mean()), 5),
        round(float(np.median(resolutions)), 4) if resolutions else None,
        len(found),
        None,
        round(float(errors.std()), 5),
        round(float(likeness.std()), 5),
    )


def _with_verdict(one: Cell, sim: Cell) -> Cell:
    finer = one.resolution_um is not None and (sim.resolution_um is None or one.resolution_um < sim.resolution_um)
    better = one.nrmse < sim.nrmse and one.ms_ssim > sim.ms_ssim and finer
    return Cell(**{**asdict(one), "better_than_sim": better})


def _write(path: Path, identity: Mapping[str, Any], cells: Sequence[Cell]) -> None:
    record = {**identity, "reference": SIM, "cells": [asdict(one) for one in cells]}
    with atomic_write(path, True) as temporary:
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _kept(path: Path, identity: Mapping[str, Any]) -> list[Cell]:
    """Return the cells of a matrix that was interrupted."""
    if not path.exists():
        return []
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        differs = next((name for name, value in identity.items() if record.get(name) != value), None)
        cells = [Cell(**one) for one in record["cells"]]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: is no matrix of this program ({error}); choose another --out") from error
    if differs is not None:
        raise DataError(
            f"{path}: is a matrix with {differs} {record.get(differs)}, now {differs} {identity[differs]} is asked "
            "for; "
            "choose another --out, or pass --overwrite"
        )
    return cells
