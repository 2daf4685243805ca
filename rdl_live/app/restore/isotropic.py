"""Stacks made isotropic: enlarged along z, restored in slices of both directions, and these combined.

Weigert et al. 2018, 10.1038/s41592-018-0216-7, Supplementary Note 2: the geometric mean of both means, the larger of
both scales, and of both disagreements.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from rdl_live.app.restore.care import Job, checked_outputs, confident, doubts, finish, provenance
from rdl_live.app.restore.values import photons_of
from rdl_live.errors import ConfigError
from rdl_live.files.hyperstacks import HyperStack, HyperStackWriter, open_hyperstack
from rdl_live.files.voxels import Voxels
from rdl_live.restore.care_blocks import FREE_BYTES, Confidence, Values
from rdl_live.restore.ranges import check_pixel
from rdl_models import Card, Care
from rdl_models.care_tiles import by_blocks, tile_for

AXIAL = "axial_factor"
"""Pixels from plane to plane, among what a card says the weights are valid for."""
_FAR = 1.3
_SLICES = 8
"""Slices that are restored at a time."""
_PLANES = 8
SLAB_BYTES = 128 * 2**20
"""Of the slices that are read, made and combined at a time."""


def restore_isotropic(job: Job) -> list[str]:
    """Restore stacks so that voxels are cubes; return what the user should know.

    Raises:
        RdlError: a file cannot be used, or the weights do not fit.
    """
    files, report = checked_outputs(job)
    if job.cluster is not None:
        raise ConfigError(f"--cluster {job.cluster}: isotropic restoration computes here; leave it out")
    reading, start = job.reading, time.perf_counter()
    with open_hyperstack(job.raw, planes=reading.planes, position=reading.position, tiles=reading.tiles) as stack:
        notes = [f"{job.raw.name}: {note}" for note in stack.notes]
        if stack.pixel_um is not None:
            notes += check_pixel(job.card, job.raw.name, stack.pixel_um)
        factor, said = _factor(stack, job.card)
        convert, more = photons_of(job.microscope, job.card, stack)
        notes += [*said, *more]
        times, channels, planes, rows, columns = stack.shape
        shape = (max(2, round(planes * factor)), rows, columns)
        confidence = Confidence.of(job.card)
        step = None if stack.z_step_um is None else stack.z_step_um * planes / shape[0]
        with ExitStack() as opened:
            writers = [
                opened.enter_context(
                    HyperStackWriter(
                        path,
                        (times, channels, *shape),
                        stack.pixel_um,
                        stack.labels,
                        z_step_um=step,
                        provenance=provenance(job, name),
                        overwrite=job.overwrite,
                    )
                )
                for name, path in files.items()
            ]
            for t in range(times):
                for c in range(channels):
                    job.progress("restoring", t * channels + c, times * channels)
                    _stack(job, stack, (t, c), shape, convert, writers, confidence)
                confidence.time_ends()
        warnings = [*notes, *doubts(confidence, job.card)]
        found = {
            **provenance(job, "restored"),
            "axes": "tczyx",
            "shape": [times, channels, *shape],
            AXIAL: factor,
            "outputs": {name: path.name for name, path in files.items()},
            **confident(confidence),
            "seconds": round(time.perf_counter() - start, 3),
            "warnings": warnings,
        }
    finish(job, report, files, found)
    return warnings


def _factor(stack: HyperStack, card: Card) -> tuple[float, list[str]]:
    """Return the pixels from plane to plane, and what is to be said.

    Raises:
        ConfigError: they are far from those that the weights have learnt.
    """
    span = card.valid.get(AXIAL)
    learnt = 1.0 if span is None else (span.low * span.high) ** 0.5
    if stack.z_step_um is None or stack.pixel_um is None:
        return learnt, [
            f"{stack.path.name}: does not say how far planes lie apart; {learnt:.3g} pixels, as in training, are taken"
        ]
    factor = stack.z_step_um / stack.pixel_um
    if not learnt / _FAR <= factor <= learnt * _FAR:
        raise ConfigError(
            f"{stack.path.name}: its planes lie {factor:.3g} pixels apart ({stack.z_step_um:g} um of "
            f"{stack.pixel_um:g} um), weights {card.name!r} have learnt {learnt:.3g}; train others "
            "(`rdl-live train isotropic`)"
        )
    return factor, []


def _stack(
    job: Job,
    stack: HyperStack,
    place: tuple[int, int],
    shape: tuple[int, int, int],
    convert: Callable[..., Values],
    writers: list[HyperStackWriter],
    confidence: Confidence,
) -> None:
    network, folder, planes = job.network, job.out.parent, stack.shape[2]
    depth, rows, columns = shape
    with ExitStack() as opened:
        given = opened.enter_context(Voxels((planes, rows, columns), np.float32, folder))
        made = [opened.enter_context(Voxels(shape, np.float32, folder)) for _ in writers]
        for plane in range(planes):
            values = convert(stack.read(*place, slice(plane, plane + 1)))
            given.write((slice(plane, plane + 1), slice(0, rows), slice(0, columns)), values)
        for axis, length in ((1, rows), (2, columns)):
            # Rows of the file are whole: the fewer slabs, the less often it is read.
            wide = max(_SLICES, SLAB_BYTES // (4 * depth * shape[3 - axis] * (2 * len(made) + 1)))
            for first in range(0, length, wide):
                cut = [slice(0, planes), slice(0, rows), slice(0, columns)]
                cut[axis] = slice(first, min(first + wide, length))
                said = _slab(network, given.read(cut), axis, depth)
                cut[0] = slice(0, depth)
                if axis == 2:
                    said = combined(np.stack([one.read(cut) for one in made]), said)
                    confidence.add(said, network.config.output_scale)
                for into, part in zip(made, said, strict=True):
                    into.write(cut, part)
        for writer, into in zip(writers, made, strict=True):
            for first in range(0, depth, _PLANES):
                last = min(first + _PLANES, depth)
                writer.write(into.read((slice(first, last), slice(0, rows), slice(0, columns))))


def _slab(network: Care, values: Values, axis: int, depth: int) -> Values:
    """Return what the networks say of all slices of a slab across `axis`, (parts, z, y, x)."""
    parts = np.split(values, range(_SLICES, values.shape[axis], _SLICES), axis=axis)
    return np.concatenate([_slices(network, part, axis, depth) for part in parts], axis=axis + 1)


def _slices(network: Care, values: Values, axis: int, depth: int) -> Values:
    """Return what the networks say of slices across `axis`, (parts, z, y, x), z enlarged to `depth`."""
    slices = torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, axis, 0)))[:, None]  # (n, 1, z, other)
    across = slices.shape[-1]
    large = functional.interpolate(slices, size=(depth, across), mode="bilinear")
    tile = tile_for(network.config, (depth, across), FREE_BYTES / len(large))
    device = next(network.parameters()).device
    parts = by_blocks(network, large.to(device), tile).cpu().numpy()  # (n, parts, z, other)
    return np.moveaxis(np.moveaxis(parts, 1, 0), 1, axis + 1)


def combined(one: Values, other: Values) -> Values:
    """Return the geometric mean of two means, the larger of two scales and of two disagreements; all (parts, ...).

    Where a mean is not above 0 the geometric mean is 0.
    """
    out: Any = np.maximum(one, other)
    out[0] = np.sqrt(np.clip(one[0], 0, None) * np.clip(other[0], 0, None))
    found: Values = out
    return found
