"""A stack of frames with named axes."""

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Self

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError

FrameNumbers = npt.NDArray[np.int64]
MAX_FRAMES = 2**24
"""Most frames of one file that are believed; beyond it the metadata are taken for nonsense."""


class Axis(StrEnum):
    """What a leading axis of a file stands for."""

    FRAME = "frame"
    TIME = "time"
    Z = "z"
    CHANNEL = "channel"
    ANGLE = "angle"
    PHASE = "phase"
    POSITION = "position"


@dataclass(frozen=True)
class Stack:
    """Frame numbers arranged by named axes, slowest first."""

    axes: tuple[Axis, ...]
    frames: FrameNumbers

    @classmethod
    def in_order(cls, axes: tuple[Axis, ...], sizes: tuple[int, ...]) -> Self:
        """Return the stack of frames 0, 1, 2, ... whose last axis is fastest.

        Raises:
            DataError: more frames than are believed.
        """
        if prod(sizes) > MAX_FRAMES:
            described = " x ".join(f"{axis} {n}" for axis, n in zip(axes, sizes, strict=True))
            raise DataError(f"describes {described} frames, more than the {MAX_FRAMES} that are believed; damaged file")
        return cls(axes, np.arange(prod(sizes), dtype=np.int64).reshape(sizes))

    def size(self, axis: Axis) -> int:
        """Return the number of steps along `axis`, 1 where there is none."""
        return prod(n for name, n in zip(self.axes, self.frames.shape, strict=True) if name is axis)

    def squeezed(self) -> "Stack":
        """Return the stack without axes of one step."""
        kept = tuple(a for a, n in zip(self.axes, self.frames.shape, strict=True) if n != 1)
        return Stack(kept, self.frames.reshape([n for n in self.frames.shape if n != 1]))

    def last(self, *axes: Axis) -> FrameNumbers:
        """Return the frames (rest, n) with `axes`, in the file's order, flattened into the fastest axis."""
        moved = [i for i, a in enumerate(self.axes) if a in axes]
        rest = [i for i in range(len(self.axes)) if i not in moved]
        size = prod(self.frames.shape[i] for i in moved)
        return self.frames.transpose(rest + moved).reshape(-1, size)

    def renamed(self, axis: Axis, name: Axis) -> "Stack":
        """Return the stack with another name for `axis`."""
        return Stack(tuple(name if one is axis else one for one in self.axes), self.frames)

    def take(self, axis: Axis, index: int) -> "Stack":
        """Return the stack at one step of `axis`."""
        place = self.axes.index(axis)
        axes = self.axes[:place] + self.axes[place + 1 :]
        rest = (slice(None),) * place + (index,)
        return Stack(axes, np.asarray(self.frames[rest]))

    def describe(self) -> str:
        """Return the sizes in words, such as "time 4 x z 9"."""
        sizes = zip(self.axes, self.frames.shape, strict=True)
        return " x ".join(f"{axis} {n}" for axis, n in sizes) or "one frame"
