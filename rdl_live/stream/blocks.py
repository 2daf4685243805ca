"""The memory of raw series on their way to the pipeline: a frame is copied into its place once, and used there.

Blocks are (angle, phase, y, x), either of this process or shared with the one that computes.
"""

import contextlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rdl_live.stream.series import Frame
from rdl_live.stream.shared_slots import SharedSlots


class BlocksKey(NamedTuple):
    """What another process attaches to shared blocks with."""

    name: str
    blocks: int
    shape: tuple[int, int, int, int]
    dtype: str


class SeriesBlocks:
    """A fixed number of blocks, made once and used again and again."""

    def __init__(
        self,
        count: int,
        shape: tuple[int, int, int, int],
        dtype: npt.DTypeLike,
        *,
        shared: bool = False,
        name: str | None = None,
    ) -> None:
        """Make the blocks, or attach to shared ones.

        Args:
            count: how many.
            shape: (angle, phase, y, x) of one.
            dtype: of the camera's pixels.
            shared: in memory that another process can attach to.
            name: of blocks that are there already; see `attach`.

        Raises:
            DeviceError: the computer has not enough shared memory.
        """
        self.shape, self.dtype = shape, np.dtype(dtype)
        nbytes = int(np.prod(shape)) * self.dtype.itemsize
        self._slots = SharedSlots(count, nbytes, name) if shared or name is not None else None
        if self._slots is None:
            self._blocks: list[npt.NDArray[Any]] = [np.zeros(shape, self.dtype) for _ in range(count)]
        else:
            self._blocks = [self._slots.array(number, shape, self.dtype) for number in range(count)]

    @classmethod
    def attach(cls, key: BlocksKey) -> "SeriesBlocks":
        """Return the blocks that another process has made."""
        return cls(key.blocks, key.shape, key.dtype, name=key.name)

    @property
    def key(self) -> BlocksKey:
        """What another process attaches with.

        Raises:
            ValueError: the blocks are of this process only.
        """
        if self._slots is None:
            raise ValueError("these blocks are not shared; make them with shared=True")
        return BlocksKey(self._slots.name, len(self), self.shape, self.dtype.str)

    @property
    def memory(self) -> npt.NDArray[np.uint8] | None:
        """All shared blocks as bytes; None where they are not shared. Let it go before `close`."""
        return None if self._slots is None else self._slots.whole

    def __len__(self) -> int:
        """How many there are."""
        return len(self._blocks)

    def __getitem__(self, number: int) -> Frame:
        """Return a block (angle, phase, y, x)."""
        return self._blocks[number]

    def close(self) -> None:
        """Let go of shared memory; it vanishes when the other side has let go of it, too."""
        if self._slots is not None:
            self._blocks.clear()
            self._slots.unlink()
            with contextlib.suppress(BufferError):  # somebody looks at a frame still: it goes with the process
                self._slots.close()
