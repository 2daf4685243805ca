"""A denoiser of raw frames, tile by tile: for fields whose features do not fit into memory.

Convolutions see a bounded distance, so a tile with a margin of that distance is computed as in the whole field. The
channel attention, however, sees the mean of the whole field. So tiles are computed twice: first each with its own
means, of which the field's are then taken as the average, weighed by area; and again with these. All tiles then agree
on what they share, to rounding: there are no seams. What remains is the difference between these means and those of
the field in one piece, since in the first round a tile's deeper layers have seen its own means only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from rdl_models.architecture import Network
from rdl_models.blocks import attentions


@dataclass(frozen=True)
class _Tile:
    """Rows or columns: what is computed (with margin) and what of it is kept."""

    low: int
    high: int
    keep_low: int
    keep_high: int


def by_tiles(network: Network, inputs: Tensor, tile: int, *, means: list[Tensor] | None = None) -> Tensor:
    """Return `network.local(inputs)` computed in tiles.

    Args:
        network: the denoiser.
        inputs: what `network.inputs` gives, (n, channels, y, x).
        tile: rows and columns of a tile without its margin.
        means: of each attention's channels, as `field_means` gives them; measured here where left out.
    """
    rows, columns = (_tiles(length, tile, network.reach) for length in inputs.shape[-2:])
    if len(rows) == len(columns) == 1 and means is None:
        whole: Tensor = network.local(inputs)
        return whole
    found = field_means(network, inputs, tile) if means is None else means
    out = inputs.new_empty((len(inputs), network.config.phases, *inputs.shape[-2:]))
    with held(network, found):
        for row in rows:
            for column in columns:
                part = network.local(inputs[..., row.low : row.high, column.low : column.high])
                inner = part[..., row.keep_low - row.low : row.keep_high - row.low, :]
                inner = inner[..., column.keep_low - column.low : column.keep_high - column.low]
                out[..., row.keep_low : row.keep_high, column.keep_low : column.keep_high] = inner
    return out


def field_means(network: Network, inputs: Tensor, tile: int) -> list[Tensor]:
    """Return the average of the means that each attention sees in the tiles of a field, each (n, channels)."""
    rows, columns = (_tiles(length, tile, 0) for length in inputs.shape[-2:])
    sums: list[Tensor] = []
    total = 0
    for row in rows:
        for column in columns:
            network.local(inputs[..., row.low : row.high, column.low : column.high])
            area = (row.high - row.low) * (column.high - column.low)
            seen = [area * part.seen for part in attentions(network) if part.seen is not None]
            sums = [one + more for one, more in zip(sums, seen, strict=True)] if sums else seen
            total += area
    return [one / total for one in sums]


@contextmanager
def held(network: Network, means: list[Tensor]) -> Iterator[None]:
    """Hold the means of the network's attentions at given values."""
    parts = list(attentions(network))
    try:
        for part, mean in zip(parts, means, strict=True):
            part.held = mean
        yield
    finally:
        for part in parts:
            part.held = None


def _tiles(length: int, tile: int, margin: int) -> list[_Tile]:
    count = max(1, -(-length // tile))
    edges = [round(index * length / count) for index in range(count + 1)]
    return [_Tile(max(0, low - margin), min(length, high + margin), low, high) for low, high in pairwise(edges)]


def tile_for(network: Network, inputs: Tensor, free_bytes: float, bytes_a_value: int = 4) -> int:
    """Return the largest tile whose features (about 8 maps of the widest layers) fit into the memory that is free."""
    widest = max(8 * network.config.width, 3 * 4 * network.config.width)
    pixels = free_bytes / (len(inputs) * widest * bytes_a_value)
    return max(16, int(pixels**0.5) - 2 * int(network.reach))
