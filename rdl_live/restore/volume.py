"""Denoising of z-stacks: photons in, photons out.

    stack -> / its mean -> within the OTF's support, plus what the network adds -> x its mean

Tiles of the plane, each with all planes (slabs of planes where there are many), overlap and are blended, so memory is
bounded whatever the size of the stack.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from rdl_models import Network

TILE, SLAB = 128, 32
"""Voxels of a tile in the plane and along z."""
OVERLAP, SLAB_OVERLAP = 24, 8
"""Of neighbouring tiles: about what a network of two groups of two blocks sees, and more than the OTF's reach."""
EDGE = 12
"""Voxels by which a stack is mirrored at its sides: the OTF's support is taken as periodic."""
_LEAST_MEAN = 0.01


@torch.no_grad()
def denoise_stack(network: Network, photons: Tensor, pixel: float, *, tile: int = TILE, slab: int = SLAB) -> Tensor:
    """Denoise a stack of any size, tile by tile.

    Args:
        network: for the task `Task.STACKS`, of relative cut-off.
        photons: (z, y, x) float32.
        pixel: x and y, as pixel x OTF cut-off.
        tile: voxels of a tile in the plane, overlap included.
        slab: planes of a tile, overlap included.

    Returns:
        (z, y, x) float32 photons.
    """
    # One scale for the whole stack: tiles that were scaled each by itself would differ where they meet.
    scale = photons.mean().clamp(min=_LEAST_MEAN)
    rows, columns = photons.shape[1:]
    down, across = min(EDGE, rows - 1), min(EDGE, columns - 1)
    photons = functional.pad(photons, (across, across, down, down), mode="reflect")
    total, weights = torch.zeros_like(photons), torch.zeros_like(photons)
    overlaps = (min(SLAB_OVERLAP, slab // 3), min(OVERLAP, tile // 3), min(OVERLAP, tile // 3))
    axes = [
        list(_pieces(length, size, overlap))
        for length, size, overlap in zip(photons.shape, (slab, tile, tile), overlaps, strict=True)
    ]
    for z in axes[0]:
        for y in axes[1]:
            for x in axes[2]:
                place = (z, y, x)
                piece = network.denoised((photons[place] / scale)[None], pixel)[0]
                weight = _weight(piece.shape, overlaps)
                total[place] += weight * piece
                weights[place] += weight
    found = total / weights * scale
    return found[:, down : down + rows, across : across + columns].contiguous()


def _pieces(length: int, size: int, overlap: int) -> Iterator[slice]:
    """Cover a length with slices of `size` at most that overlap by `overlap` at least."""
    if length <= size:
        yield slice(0, length)
        return
    count = -(-(length - overlap) // (size - overlap))
    starts = [round(index * (length - size) / (count - 1)) for index in range(count)]
    yield from (slice(start, start + size) for start in starts)


def _weight(shape: torch.Size, overlaps: tuple[int, int, int]) -> Tensor:
    """Return a tile's weights, (z, y, x), which fall towards its sides."""
    sides = []
    for length, overlap in zip(shape, overlaps, strict=True):
        inwards = torch.arange(length, dtype=torch.float32)
        nearest = torch.minimum(inwards, length - 1 - inwards) + 0.5
        sides.append((nearest / max(overlap, 1)).clamp(max=1))
    return sides[0][:, None, None] * sides[1][:, None] * sides[2]
