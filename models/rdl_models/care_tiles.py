"""A field or stack by blocks, exactly as in one piece: each is computed with all that its voxels see.

Blocks begin at multiples of the network's coarsest grid, so that maxima are taken over the same voxels; their margin
is the network's reach, so that nothing that counts is missing; and at the sides of the field they end where it ends.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor

from rdl_models.care import Care, CareConfig, parts_of

LEAST_TILE = 32
_MAPS = 5
"""Feature maps of the finest level that are held at a time, in units of its filters."""


@dataclass(frozen=True)
class Block:
    """A part of a field, (z,) y, x."""

    read: tuple[slice, ...]
    """What the network is shown, margin included."""
    keep: tuple[slice, ...]
    """What is kept of the result, in the field."""

    @property
    def inner(self) -> tuple[slice, ...]:
        """The same, in what was shown."""
        return tuple(
            slice(keep.start - read.start, keep.stop - read.start)
            for keep, read in zip(self.keep, self.read, strict=True)
        )


def blocks(config: CareConfig, shape: Sequence[int], tile: Sequence[int]) -> Iterator[Block]:
    """Give the blocks of a field, the last axis fastest; one where it fits.

    Args:
        config: of the network.
        shape: of the field, as many sides as the network has dimensions.
        tile: largest sides of what is kept of a block; rounded to what the network allows.
    """
    sides = [_sides(config, length, size) for length, size in zip(shape, tile, strict=True)]
    for parts in product(*sides):
        yield Block(tuple(read for read, _ in parts), tuple(keep for _, keep in parts))


@torch.no_grad()
def by_blocks(network: Care, x: Tensor, tile: Sequence[int], unit: Tensor | float | None = None) -> Tensor:
    """Return `network(x, unit)`, computed in blocks.

    Args:
        network: the networks.
        x: (n, 1, [z,] y, x) float32.
        tile: see `blocks`.
        unit: see `Care.forward`; the mean of all of `x` where left out.
    """
    if unit is None:
        unit = x.mean(dim=tuple(range(1, x.ndim)))
    out = x.new_empty((len(x), len(parts_of(network.config)), *x.shape[2:]))
    for block in blocks(network.config, x.shape[2:], tile):
        whole = (slice(None), slice(None))
        made = network(x[(*whole, *block.read)], unit)
        out[(*whole, *block.keep)] = made[(*whole, *block.inner)]
    return out


def tile_for(config: CareConfig, shape: Sequence[int], free_bytes: float) -> tuple[int, ...]:
    """Return the sides of the largest blocks whose features fit into the memory that is free, margins included.

    Args:
        config: of the network.
        shape: of the field.
        free_bytes: for features; at least tiles of 32 voxels each way are taken.
    """
    most = free_bytes / (4 * _MAPS * config.width)
    tile = [float(length) for length in shape]
    while math.prod(_shown(config, length, one) for length, one in zip(shape, tile, strict=True)) > most:
        longest = max(range(len(tile)), key=lambda axis: tile[axis])
        if tile[longest] <= LEAST_TILE:
            break
        tile[longest] = max(LEAST_TILE, tile[longest] / 1.25)
    return tuple(int(one) for one in tile)


def _shown(config: CareConfig, length: int, tile: float) -> float:
    return min(length, tile + 2 * config.reach + config.multiple)


def _sides(config: CareConfig, length: int, tile: int) -> list[tuple[slice, slice]]:
    step = config.multiple
    margin = -(-config.reach // step) * step
    count = max(1, -(-length // max(tile, step)))
    edges = sorted({min(length, round(index * length / count / step) * step) for index in range(count)} | {length})
    return [
        (slice(max(0, low - margin), min(length, high + margin)), slice(low, high)) for low, high in pairwise(edges)
    ]
