"""A field tile by tile, exactly as in one piece: for fields whose features do not fit into memory.

Convolutions see a bounded distance, so a tile with a margin of that distance is computed as in the whole field. An
attention, however, sees the whole field: what it is shown is summed over the tiles' own parts, whose features are
right where the margins are large enough, and held. The first attention is right after one round; the next one, which
follows it, after two; and so on. Rounds end when nothing changes any more, which usually is long before there have been
as many as there are attentions.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from rdl_models.sr.attention import Gate, Part, gates, widest_window
from rdl_models.sr.network import SrNetwork

_LOOKED_AT = 64
_LEAST_TILE = 64
_SETTLED = 1e-6
"""Change of what attentions are shown, relative to its largest value, that counts as none."""


@torch.no_grad()
def by_tiles(network: SrNetwork, x: Tensor, tile: int) -> Tensor:
    """Return `network(x)`, computed in tiles.

    Args:
        network: any that `SrNetwork.tiles` allows; others are computed in one piece.
        x: (n, channels, y, x) float32.
        tile: rows and columns of a tile without its margin.

    Returns:
        (n, scale y, scale x) float32.
    """
    rows, columns = x.shape[-2:]
    whole = network.continued(x)
    parts, scale = _parts(network, (whole.shape[-2], whole.shape[-1]), tile), network.config.scale
    if len(parts) == 1 or not network.tiles:
        image: Tensor = network(x)
        return image
    found = gates(network)
    out = x.new_empty((len(x), scale * whole.shape[-2], scale * whole.shape[-1]), dtype=torch.float32)
    try:
        for _ in range(len(found) + 1):
            _round(network, whole, parts, found, out)
            if _settled(found):
                break
    finally:
        for one in found:
            one.part = one.found = one.held = None
    return out[..., : scale * rows, : scale * columns]


@lru_cache(maxsize=8)
def feature_bytes(network: SrNetwork) -> float:
    """Return how many bytes of features a network holds at a time for each pixel of its input, about.

    Measured on a small input: what the widest of its parts takes and gives, and as much again that is kept beside it.
    """
    widest = 0

    def look(_part: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        nonlocal widest
        widest = max(widest, sum(one.nbytes for one in (*given, gave) if isinstance(one, Tensor)))

    first = next(network.parameters())
    x = torch.zeros(1, network.config.channels, _LOOKED_AT, _LOOKED_AT, device=first.device)
    hooks = [part.register_forward_hook(look) for part in network.modules()]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return 2 * widest / _LOOKED_AT**2


def tile_for(network: SrNetwork, shape: tuple[int, int], free_bytes: float) -> int:
    """Return the largest tile whose features fit into the memory that is free, margins included; at least 64."""
    pixels = free_bytes / feature_bytes(network)
    if shape[0] * shape[1] <= pixels or not network.tiles:
        return max(shape)
    return max(_LEAST_TILE, int(pixels**0.5) - 2 * network.reach - widest_window(network))


def _round(
    network: SrNetwork, whole: Tensor, parts: Sequence[tuple[Part, slice, slice]], found: Sequence[Gate], out: Tensor
) -> None:
    """Compute all tiles with the statistics that are held; leave those of the whole field in `found`."""
    scale = network.config.scale
    sums: list[Tensor | None] = [None] * len(found)
    weights = [0.0] * len(found)
    for part, rows, columns in parts:
        for one in found:
            one.part = part
        image = network(whole[..., rows, columns])
        own = [
            slice(scale * (keep.start - low), scale * (keep.stop - low))
            for keep, low in zip(part.keep, part.low, strict=True)
        ]
        target = [slice(scale * keep.start, scale * keep.stop) for keep in part.keep]
        out[..., target[0], target[1]] = image[..., own[0], own[1]]
        for index, one in enumerate(found):
            seen, before = one.found, sums[index]
            sums[index] = seen if before is None or seen is None else before + seen
            weights[index] += one.weight
    for one, total, weight in zip(found, sums, weights, strict=True):
        one.found = None if total is None else total / weight


def _settled(found: Sequence[Gate]) -> bool:
    """Hold what was found; return whether it is what was held already."""
    same = True
    for one in found:
        new, old = one.found, one.held
        if new is not None:
            same = same and old is not None and bool((new - old).abs().max() <= _SETTLED * new.abs().max())
        one.held = new
    return same


def _parts(network: SrNetwork, field: tuple[int, int], tile: int) -> list[tuple[Part, slice, slice]]:
    """Return the tiles of a field, each with its rows and columns, margin included."""
    step, window = network.multiple, widest_window(network)
    before = -(-network.reach // step) * step
    after = -(-(network.reach + window) // step) * step
    sides = []
    for length in field:
        count = max(1, -(-length // max(tile, step)))
        edges = sorted({round(index * length / count / step) * step for index in range(count)} | {length})
        sides.append(
            [(slice(low, high), max(0, low - before), min(length, high + after)) for low, high in pairwise(edges)]
        )
    return [
        (Part(field, (top, left), (rows, columns)), slice(top, bottom), slice(left, right))
        for rows, top, bottom in sides[0]
        for columns, left, right in sides[1]
    ]
