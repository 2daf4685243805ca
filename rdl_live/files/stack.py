"""A stack of frames with named axes, and how it folds into a time-lapse of series."""

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Self

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.optics.microscope import PatternGeometry, SeriesOrder

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


@dataclass
class SeriesFolder:
    """Arranges the frames of a stack as (time, angle, phase); what it had to decide stands in `notes`."""

    geometry: PatternGeometry
    channel: int | None
    notes: list[str]

    def fold(self, stack: Stack) -> FrameNumbers:
        """Return the frame numbers (T, A, P).

        Axes called angle and phase in the file rule over `geometry.order`. Without them, the frames of a
        series are looked for in z, in time, across both, and in the channels.

        Raises:
            DataError: the frames are no whole number of series, or can be read in two ways.
        """
        if stack.frames.size == 0:
            raise DataError("holds no frames")
        if {Axis.ANGLE, Axis.PHASE} <= set(stack.axes):
            return self._named(stack)
        stack = stack.squeezed()
        if Axis.ANGLE in stack.axes or Axis.PHASE in stack.axes:
            return self._named(stack)
        return self._series(self._without_channels(stack))

    def _named(self, stack: Stack) -> FrameNumbers:
        """Fold a stack whose angles, phases or both are axes of their own."""
        angles, phases = self.geometry.angles, self.geometry.phases
        found = {axis: stack.size(axis) for axis in (Axis.ANGLE, Axis.PHASE) if axis in stack.axes}
        if len(found) == 1 and self.geometry.frames in found.values() and min(angles, phases) > 1:
            plain = tuple(Axis.FRAME if a in found else a for a in stack.axes)
            return self._series(self._one_channel(Stack(plain, stack.frames)))
        wanted = {Axis.ANGLE: angles, Axis.PHASE: phases}
        wrong = [f"{n} {a}s (pattern.{a}s says {wanted[a]})" for a, n in found.items() if n != wanted[a]]
        if wrong:
            raise DataError(f"the file names {' and '.join(wrong)}; correct the pattern section of the microscope file")
        stack = self._one_channel(stack)
        self._note_z(stack, 1)
        if len(found) == 2 or self.geometry.frames in found.values():
            ordered = stack.last(Axis.ANGLE, Axis.PHASE)
            phase_last = Axis.ANGLE not in found or (
                Axis.PHASE not in found or stack.axes.index(Axis.ANGLE) < stack.axes.index(Axis.PHASE)
            )
            return self._arrange(ordered, phase_last)
        (named,) = found
        block = stack.last(named)
        other = self.geometry.frames // found[named]
        if len(block) % other:
            raise DataError(self._wrong_count(stack.frames.size))
        block = block.reshape(-1, other, found[named])
        return block.transpose(0, 2, 1) if named is Axis.ANGLE else block

    def _without_channels(self, stack: Stack) -> Stack:
        """Decide whether the channels are colours (one is chosen) or the patterns of a series."""
        n, channels = self.geometry.frames, stack.size(Axis.CHANNEL)
        if channels == 1 or self.channel is not None:
            return self._one_channel(stack)
        rest = stack.frames.size // channels
        in_channels = channels == n or channels * stack.size(Axis.Z) == n
        if in_channels and rest % n == 0:
            raise DataError(
                f"{stack.describe()}: the {n} frames of a series may lie along the channels or along the "
                "other axes; name the colour channel (0 for the first), or save the channels as time points"
            )
        if not in_channels:
            return self._one_channel(stack)
        self.notes.append(f"{stack.describe()}: the channels are taken for the {n} frames of a series")
        inner = (Axis.CHANNEL,) if channels == n else (Axis.CHANNEL, Axis.Z)
        return Stack((Axis.TIME, Axis.FRAME), stack.last(*inner)).squeezed()

    def _one_channel(self, stack: Stack) -> Stack:
        """Return the stack of the chosen colour."""
        channels = stack.size(Axis.CHANNEL)
        if self.channel is not None and not 0 <= self.channel < channels:
            raise DataError(f"has {channels} channel(s), so channel {self.channel} is none of them (0 is the first)")
        if Axis.CHANNEL not in stack.axes:
            return stack
        if self.channel is None and channels > 1:
            self.notes.append(f"channel 0 of {channels} is read; choose another by its number")
        return stack.take(Axis.CHANNEL, self.channel or 0)

    def _series(self, stack: Stack) -> FrameNumbers:
        """Fold a stack of one colour without named angles and phases."""
        n, total, planes = self.geometry.frames, stack.frames.size, stack.size(Axis.Z)
        points = total // planes
        if total % n:
            raise DataError(self._wrong_count(total))
        if planes > 1 and points > 1 and planes % n:
            return self._across_z(stack, planes, points)
        if points > 1:
            self._note_z(stack, n)
        flat = stack.last(Axis.Z) if planes > 1 else stack.frames
        return self._arrange(flat.reshape(-1, n), self.geometry.order is SeriesOrder.ANGLE_PHASE)

    def _across_z(self, stack: Stack, planes: int, points: int) -> FrameNumbers:
        n, phase_last = self.geometry.frames, self.geometry.order is SeriesOrder.ANGLE_PHASE
        by_plane = stack.last(Axis.Z)  # (points, planes)
        if points % n == 0:
            self._note_z(stack, 1)
            return self._arrange(by_plane.reshape(-1, n, planes).swapaxes(1, 2).reshape(-1, n), phase_last)
        if n % planes:
            raise DataError(self._wrong_count(stack.frames.size))
        self.notes.append(f"{stack.describe()}: a series of {n} frames is read across time and z")
        return self._arrange(by_plane.reshape(-1, n), phase_last)

    def _arrange(self, series: FrameNumbers, phase_last: bool) -> FrameNumbers:
        """Turn flat series (T, n) into (T, A, P)."""
        angles, phases = self.geometry.angles, self.geometry.phases
        if phase_last:
            return series.reshape(-1, angles, phases)
        return series.reshape(-1, phases, angles).transpose(0, 2, 1)

    def _note_z(self, stack: Stack, frames_in_z: int) -> None:
        planes = stack.size(Axis.Z) // frames_in_z
        if planes > 1:
            self.notes.append(
                f"{stack.describe()}: the {planes} planes of the z stack are reconstructed one by one, "
                "as time points (three-dimensional SIM is not supported)"
            )

    def _wrong_count(self, found: int) -> str:
        g = self.geometry
        below = found // g.frames * g.frames
        nearest = f"{below} or {below + g.frames}" if below else f"{g.frames}"
        what = "is one single image" if found == 1 else f"has {found} frames, no whole number of series"
        return (
            f"{what}: a series has pattern.angles {g.angles} x pattern.phases {g.phases} = {g.frames} "
            f"frames, so the nearest whole count is {nearest}; correct pattern.angles and pattern.phases in "
            "the microscope file, or give the complete recording"
        )
