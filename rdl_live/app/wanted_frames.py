"""Which frames of a file count, where each of them is an image by itself."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files import RawRequest
from rdl_live.files.frame_source import RawFile
from rdl_live.files.raw import find_position
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiles import tiled


@dataclass(frozen=True)
class WantedFrames:
    """What the user says of them."""

    reading: RawRequest
    """Position and tiles."""
    channel: str | None
    """Colour by name, or number from 0; None: all."""

    def of(self, raw: RawFile) -> tuple[RawFile, npt.NDArray[np.int64]]:
        """Return a file, divided into its tiles, and the numbers of its frames (n,).

        Raises:
            DataError: it has no such tiles, position or colour.
        """
        raw = raw if self.reading.tiles is None else tiled(raw, self.reading.tiles)
        stack = raw.stack
        if self.reading.position is not None:
            number, _ = find_position(raw.positions, stack.size(Axis.POSITION), self.reading.position)
            stack = stack.take(Axis.POSITION, number) if Axis.POSITION in stack.axes else stack
        if self.channel is not None:
            stack = self._colour(raw, stack, self.channel)
        return raw, stack.frames.reshape(-1)

    def _colour(self, raw: RawFile, stack: Stack, wanted: str) -> Stack:
        names, count = [label.name for label in raw.labels], stack.size(Axis.CHANNEL)
        if wanted in names:
            number = names.index(wanted)
        elif wanted.isdecimal() and int(wanted) < count:
            number = int(wanted)
        else:
            known = f": {', '.join(names)}" if names else ", without names, counted from 0"
            raise DataError(f"has no channel {wanted!r}; it has {count}{known}")
        return stack.take(Axis.CHANNEL, number) if Axis.CHANNEL in stack.axes else stack
