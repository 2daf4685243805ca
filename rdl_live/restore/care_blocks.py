"""What CARE makes of an image or a stack, block by block, and how much of it is of low confidence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from rdl_models import Card, Care
from rdl_models.care_tiles import Block, blocks, tile_for

FREE_BYTES = 512 * 2**20
"""For features, on a CPU."""
Values = npt.NDArray[np.float32]


def blocks_of(network: Care, shape: Sequence[int], free_bytes: float = FREE_BYTES) -> list[Block]:
    """Return the blocks of a field that fit into the memory."""
    return list(blocks(network.config, shape, tile_for(network.config, shape, free_bytes)))


@torch.no_grad()
def restored_block(network: Care, shown: Values, block: Block, unit: float | None) -> Values:
    """Return what the networks say of a block, (parts, [z,] y, x) of what is kept of it.

    Args:
        network: the networks.
        shown: `block.read` of the field, float32.
        block: which.
        unit: mean of the whole field; see `Care.forward`.
    """
    device = next(network.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(shown, np.float32))[None, None].to(device)
    made = network(x, unit)[(0, slice(None), *block.inner)]
    found: Values = made.cpu().numpy()
    return found


def in_blocks(
    network: Care, read: Callable[[tuple[slice, ...]], Values], shape: Sequence[int], unit: float | None
) -> Iterator[tuple[Block, Values]]:
    """Go through a field of any size; `read` gives its parts as float32."""
    for block in blocks_of(network, shape):
        yield block, restored_block(network, read(block.read), block, unit)


@dataclass
class Confidence:
    """How much of what was restored is less sure than what was held out in training."""

    sigma_limit: float | None
    """Scale relative to the span of the targets; None where the networks say nothing."""
    disagreement_limit: float | None
    voxels: int = 0
    doubtful: int = 0
    sigma: float = 0.0
    """Sum of the relative scales."""
    disagreement: float = 0.0
    by_time: list[float] = field(default_factory=list)
    _time: list[int] = field(default_factory=lambda: [0, 0])

    @classmethod
    def of(cls, card: Card) -> "Confidence":
        """Return one that has seen nothing yet, with the limits of a card."""
        return cls(card.scores.get("sigma_limit"), card.scores.get("disagreement_limit"))

    def add(self, parts: Values, span: float) -> None:
        """Take a block (parts, ...) into account; `span` is that of the targets, in the block's unit."""
        if len(parts) < 2:
            return
        relative = parts[1] / span
        low = np.zeros(relative.shape, bool) if self.sigma_limit is None else relative > self.sigma_limit
        self.sigma += float(relative.sum(dtype=np.float64))
        if len(parts) > 2:
            self.disagreement += float(parts[2].sum(dtype=np.float64))
            if self.disagreement_limit is not None:
                low |= parts[2] > self.disagreement_limit
        count = int(low.sum())
        self.voxels += relative.size
        self.doubtful += count
        self._time[0] += count
        self._time[1] += relative.size

    def time_ends(self) -> None:
        """Close a time point."""
        if self._time[1]:
            self.by_time.append(self._time[0] / self._time[1])
        self._time = [0, 0]

    @property
    def share(self) -> float | None:
        """Share of low confidence; None where the networks say nothing, or nothing is known to compare with."""
        if self.voxels == 0 or (self.sigma_limit is None and self.disagreement_limit is None):
            return None
        return self.doubtful / self.voxels
