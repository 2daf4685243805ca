"""Images and stacks of any microscope through CARE: from file to file, in blocks, here or on a cluster."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live._version import __version__
from rdl_live.app.restore.care_worker import Order, block_of_file, stamp
from rdl_live.app.restore.values import photons_of
from rdl_live.errors import DeviceError, OutputError
from rdl_live.files import RawRequest, atomic_write, check_output
from rdl_live.files.hyperstacks import HyperStack, HyperStackWriter, open_hyperstack
from rdl_live.files.voxels import Voxels
from rdl_live.restore.care_blocks import Confidence, Values, blocks_of, in_blocks
from rdl_live.restore.ranges import check_pixel
from rdl_models import Card, Care
from rdl_models.care import parts_of
from rdl_models.care_tiles import Block

Progress = Callable[[str, int, int], None]
UNUSUAL = 0.1
"""Share of low confidence, a hundredth where all is usual, from which it is warned."""
_AHEAD = 2
"""Blocks that wait for each worker."""
_PLANES = 8
"""Written at a time."""


@dataclass(frozen=True)
class Job:
    """What is to be restored, and where to."""

    raw: Path
    microscope: Path | None
    card: Card
    network: Care
    weights: str
    out: Path
    reading: RawRequest
    report: Path | None = None
    cluster: str | None = None
    overwrite: bool = False
    progress: Progress = lambda _what, _done, _total: None
    tell: Callable[[str], None] = lambda _: None
    """Gets what was found, in sentences."""


def outputs_of(out: Path, network: Care) -> dict[str, Path]:
    """Return the files that are written, by the names of what they hold."""
    return {
        name: out if name == "restored" else out.with_name(f"{_stem(out)}-{name}{_ending(out)}")
        for name in parts_of(network.config)
    }


def report_of(out: Path) -> Path:
    """Return where the report goes, where the user does not say."""
    return out.with_name(f"{_stem(out)}-report.json")


def checked_outputs(job: Job) -> tuple[dict[str, Path], Path]:
    """Return where images and report go.

    Raises:
        OutputError: one cannot be written, is a file that is read, or two are the same.
    """
    files, report = outputs_of(job.out, job.network), job.report or report_of(job.out)
    inputs = [one for one in (job.raw, job.microscope, Path(job.weights)) if one is not None]
    paths = [*files.values(), report]
    for number, path in enumerate(paths):
        check_output(path, job.overwrite, inputs=inputs)
        if path.resolve() in (other.resolve() for other in paths[:number]):
            raise OutputError(f"{path}: images and report need files of their own; give --report another name")
    return files, report


def restore_care(job: Job) -> list[str]:
    """Restore a file; return what the user should know.

    Values go in and come out in the units of the pairs that the networks have learnt from. OUT holds the mean;
    OUT-sigma the scale of each voxel's Laplace distribution (half of its 90 % interval is ln(10) of these),
    OUT-disagreement the networks' disagreement, 0 to 1.

    Raises:
        RdlError: a file cannot be used, or the weights do not fit.
    """
    files, report = checked_outputs(job)
    config, reading, start = job.network.config, job.reading, time.perf_counter()
    with open_hyperstack(
        job.raw,
        stacked=config.dims == 3,
        planes=reading.planes,
        position=reading.position,
        tiles=reading.tiles,
    ) as stack:
        notes = [f"{job.raw.name}: {note}" for note in stack.notes]
        if stack.pixel_um is not None:
            notes += check_pixel(job.card, job.raw.name, stack.pixel_um)
        convert, said = photons_of(job.microscope, job.card, stack)
        notes += said
        confidence = Confidence.of(job.card)
        with ExitStack() as opened:
            writers = [
                opened.enter_context(
                    HyperStackWriter(
                        path,
                        stack.shape,
                        stack.pixel_um,
                        stack.labels,
                        z_step_um=stack.z_step_um,
                        provenance=provenance(job, name),
                        overwrite=job.overwrite,
                    )
                )
                for name, path in files.items()
            ]
            compute = opened.enter_context(_computing(job))
            _all(job, stack, convert, writers, confidence, compute)
        warnings = [*notes, *doubts(confidence, job.card)]
        found = {
            **provenance(job, "restored"),
            "axes": "tczyx",
            "shape": list(stack.shape),
            "outputs": {name: path.name for name, path in files.items()},
            **confident(confidence),
            "seconds": round(time.perf_counter() - start, 3),
            "warnings": warnings,
        }
    finish(job, report, files, found)
    return warnings


_HOLDS = {
    "restored": "restored light, the mean of what is likely",
    "sigma": "scale of each voxel's Laplace distribution; its 90 % interval is the mean plus and minus ln(10) of it",
    "disagreement": "disagreement of the networks, 0 to 1",
}

_Compute = Callable[["_Field"], Iterator[tuple[Block, Values]]]


@dataclass(frozen=True)
class _Field:
    """An image or a stack that is restored by itself."""

    shape: tuple[int, ...]
    unit: float | None
    read: Callable[[tuple[slice, ...]], Values]
    time: int
    channel: int
    plane: int | None
    """Of an image; None of a stack."""


def _all(
    job: Job,
    stack: HyperStack,
    convert: Callable[..., Values],
    writers: Sequence[HyperStackWriter],
    confidence: Confidence,
    compute: _Compute,
) -> None:
    times, channels, planes, rows, columns = stack.shape
    config, parts = job.network.config, len(writers)
    images = config.dims == 2
    total, done = times * channels * (planes if images else 1), 0
    for t in range(times):
        for c in range(channels):
            for number in range(planes) if images else (None,):
                job.progress("restoring", done, total)
                shape = (1, rows, columns) if images else (planes, rows, columns)
                with ExitStack() as opened:
                    given = opened.enter_context(Voxels(shape, stack.dtype, job.out.parent))
                    made = [opened.enter_context(Voxels(shape, np.float32, job.out.parent)) for _ in range(parts)]
                    unit = _spooled(stack, given, t, c, number or 0, convert, measure=config.relative)
                    field = _Field(shape[1:] if images else shape, unit, _reader(given, convert, images), t, c, number)
                    span = config.output_scale * (1.0 if unit is None else max(unit, 1e-6))
                    for block, values in compute(field):
                        confidence.add(values, span)
                        keep = (slice(0, 1), *block.keep) if images else block.keep
                        for into, part in zip(made, values, strict=True):
                            into.write(keep, part[None] if images else part)
                    for writer, into in zip(writers, made, strict=True):
                        for first in range(0, shape[0], _PLANES):
                            last = min(first + _PLANES, shape[0])
                            writer.write(into.read((slice(first, last), slice(0, rows), slice(0, columns))))
                done += 1
        confidence.time_ends()
    job.progress("restoring", total, total)


def _spooled(
    stack: HyperStack,
    given: Voxels,
    t: int,
    c: int,
    first: int,
    convert: Callable[..., Values],
    *,
    measure: bool,
) -> float | None:
    """Copy planes of the file to where they can be read by blocks; return their mean where it is wanted."""
    total = 0.0
    rows, columns = given.shape[1:]
    for plane in range(given.shape[0]):
        values = stack.read(t, c, slice(first + plane, first + plane + 1))
        given.write((slice(plane, plane + 1), slice(0, rows), slice(0, columns)), values)
        if measure:
            total += float(convert(values).mean(dtype=np.float64))
    return total / given.shape[0] if measure else None


def _reader(given: Voxels, convert: Callable[..., Values], images: bool) -> Callable[[tuple[slice, ...]], Values]:
    def read(block: tuple[slice, ...]) -> Values:
        if images:
            image: Values = convert(given.read((slice(0, 1), *block)), block)[0]
            return image
        return convert(given.read(block), block[1:])

    return read


@contextmanager
def _computing(job: Job) -> Iterator[_Compute]:
    """Give what computes a field: this process, or the workers of a cluster."""
    if job.cluster is None:
        yield lambda field: in_blocks(job.network, field.read, field.shape, field.unit)
        return
    from rdl_live.app.reconstruct.cluster import RETRIES, open_client

    order = Order(
        str(job.raw.resolve()),
        None if job.microscope is None else str(job.microscope.resolve()),
        str(Path(job.weights).resolve()) if Path(job.weights).exists() else job.weights,
        job.reading,
        (stamp(job.raw), stamp(job.weights)),
    )
    with open_client(job.cluster) as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise DeviceError(
                f"--cluster {job.cluster}: the scheduler has no workers; start some with `dask worker {job.cluster}`"
            )

        def compute(field: _Field) -> Iterator[tuple[Block, Values]]:
            waiting: deque[tuple[Block, Any]] = deque()
            try:
                for block in blocks_of(job.network, field.shape):
                    if len(waiting) >= workers * _AHEAD:
                        yield _taken(*waiting.popleft())
                    place = (field.time, field.channel, field.plane)
                    given = (order, place, block, field.unit)
                    waiting.append((block, client.submit(block_of_file, *given, pure=False, retries=RETRIES)))
                while waiting:
                    yield _taken(*waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()

        yield compute


def _taken(block: Block, future: Any) -> tuple[Block, Values]:
    from distributed import KilledWorker

    try:
        values: Values = future.result()
    except KilledWorker as error:
        raise DeviceError(f"--cluster: workers died again and again: {error}") from error
    future.release()
    return block, values


def provenance(job: Job, holds: str) -> dict[str, Any]:
    """Return how a file was made, and what it holds."""
    return {
        "program": f"rdl-live restore {__version__}",
        "raw": job.raw.name,
        "microscope": None if job.microscope is None else job.microscope.name,
        "weights": job.card.model_dump(mode="json"),
        "holds": _HOLDS[holds],
    }


def confident(confidence: Confidence) -> dict[str, Any]:
    """Return what a report says of it."""
    if confidence.share is None:
        return {"doubtful_share": None}
    found: dict[str, Any] = {
        "doubtful_share": round(confidence.share, 6),
        "doubtful_share_by_time": [round(one, 6) for one in confidence.by_time],
        "mean_relative_sigma": confidence.sigma / confidence.voxels,
    }
    if confidence.disagreement_limit is not None:
        found["mean_disagreement"] = confidence.disagreement / confidence.voxels
    return found


def finish(job: Job, report: Path, files: Mapping[str, Path], found: Mapping[str, Any]) -> None:
    """Write the report, and say what was found and written."""
    with atomic_write(report, job.overwrite) as temporary:
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if found.get("doubtful_share") is not None:
        job.tell(f"low confidence: {found['doubtful_share']:.2%} of the voxels (1 % is usual)")
    for path in (*list(files.values())[1:], report):
        job.tell(f"wrote {path}")


def doubts(confidence: Confidence, card: Card) -> list[str]:
    """Return a warning where much is of low confidence."""
    share = confidence.share
    if share is None or share <= UNUSUAL:
        return []
    return [
        f"{share:.0%} of the voxels are of lower confidence than 99 % of those that weights {card.name!r} were judged "
        "on: the images differ from what they have learnt; fine detail may be wrong there (see OUT-sigma.tif)"
    ]


def _stem(out: Path) -> str:
    return out.name[: -len(_ending(out))]


def _ending(out: Path) -> str:
    name = out.name.lower()
    return next((out.name[-len(one) :] for one in (".ome.tiff", ".ome.tif") if name.endswith(one)), out.suffix)


def free_threads(threads: int | None) -> None:
    """Set the threads: all cores where the user does not say."""
    import os

    torch.set_num_threads(threads or os.cpu_count() or 1)
