"""What a worker of a cluster does: one block of a file that it opens itself."""

import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

import torch

from rdl_live.app.restore.values import photons_of
from rdl_live.errors import DataError
from rdl_live.files import RawRequest
from rdl_live.files.hyperstacks import HyperStack, open_hyperstack
from rdl_live.restore.care_blocks import Values, restored_block
from rdl_models import Weights, load_weights
from rdl_models.care_tiles import Block


@dataclass(frozen=True)
class Order:
    """What a worker must know; the same for all blocks of a file."""

    raw: str
    microscope: str | None
    weights: str
    reading: RawRequest
    stamps: tuple[tuple[int, int], ...] = ()
    """Size and time of change of file and weights, so that no worker goes on with what was there before."""


def stamp(path: str | Path) -> tuple[int, int]:
    """Return size and time of change [ns] of a file, or 0 of what is none here, such as shipped weights."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def block_of_file(order: Order, place: tuple[int, int, int | None], block: Block, unit: float | None) -> Values:
    """Return what the networks say of a block, (parts, ...).

    Args:
        order: file and weights.
        place: time point, channel, and the plane of an image (None: a stack).
        block: of the image or stack.
        unit: its mean, where the networks want it.

    Raises:
        DataError: the worker cannot read the file.
    """
    import socket

    torch.set_num_threads(1)
    time, channel, plane = place
    try:
        stack, weights = _opened(order)
        convert, _ = photons_of(None if order.microscope is None else Path(order.microscope), weights.card, stack)
        z = block.read[0] if plane is None else slice(plane, plane + 1)
        rows, columns = block.read[-2:]
        values = stack.read(time, channel, z)[:, rows, columns]
        shown = convert(values, (rows, columns))
        return restored_block(weights.network, shown if plane is None else shown[0], block, unit)
    except DataError as error:
        raise DataError(f"worker on {socket.gethostname()}: {error}") from error


_local = threading.local()


class _Held:
    """What a thread keeps for its next block; the file is closed with it."""

    def __init__(self, order: Order) -> None:
        """Open file and weights."""
        self.order, self.weights, reading = order, load_weights(order.weights), order.reading
        self.stack = open_hyperstack(
            order.raw,
            stacked=self.weights.network.config.dims == 3,
            planes=reading.planes,
            position=reading.position,
            tiles=reading.tiles,
        )
        weakref.finalize(self, self.stack.close)


def _opened(order: Order) -> tuple[HyperStack, Weights]:
    """Return file and weights, kept for the thread's next block: a file is not shared between threads."""
    held: _Held | None = getattr(_local, "held", None)
    if held is None or held.order != order:
        held = _local.held = None
        held = _local.held = _Held(order)
    return held.stack, held.weights
