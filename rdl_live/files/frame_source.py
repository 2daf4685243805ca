"""Where raw frames come from: anything that fills an array with the frames of given numbers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.stack import Stack

Frames = npt.NDArray[Any]
"""Frames (n, y, x) of any accepted number type."""

MAX_FRAME_PIXELS = 2**28
"""Largest frame believed (16384 x 16384); beyond it a header is taken for nonsense."""


class FrameSource(Protocol):
    """Frames of one size and type, numbered as they lie in the file.

    `read` is called by one thread at a time and may raise DataError.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames as read, in native byte order."""

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(frozen=True)
class RawFile:
    """What a format reader gives: frames, how they are arranged, and what the file says of them."""

    source: FrameSource
    stack: Stack
    pixel_size_um: float | None = None
    labels: tuple[ChannelLabel, ...] = ()
    """Of its colours, in order."""
    notes: tuple[str, ...] = field(default=())
    others: tuple[Stack, ...] = ()
    """Other arrangements that the file's words allow, less likely than `stack`."""
    positions: tuple[str, ...] = field(default=())
    """Names of its stage positions, where it has them."""
    others_rank: int = 0
    """0 where `others` are as likely as `stack`; 1 where they count only if the data contradict it."""
    z_step_um: float | None = None
    """From plane to plane [um], as the file has it."""

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the colours."""
        return tuple(label.name for label in self.labels)


class FileFrames:
    """Uncompressed frames at known places of one file, read one by one into the caller's array.

    Read, not memory-mapped: a mapped file that another program truncates kills the process (SIGBUS), and the
    pages of a mapping count as memory used. Speed is the disk's in both.
    """

    def __init__(
        self,
        path: Path,
        offsets: npt.NDArray[np.int64],
        shape: tuple[int, int],
        stored: np.dtype[Any],
    ) -> None:
        """Open `path`, whose frame i of `shape` (Y, X) starts at byte offsets[i] in the type `stored`.

        Raises:
            DataError: the file ends before the last frame does.
        """
        self._path, self._offsets, self._shape, self._stored = path, offsets, shape, stored
        needed = int(offsets.max(initial=0)) + shape[0] * shape[1] * stored.itemsize
        self._file = path.open("rb", buffering=0)
        found = path.stat().st_size
        if found < needed:
            self._file.close()
            raise DataError(truncated(path, needed, found))

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native byte order; half floats are given as float32, for few libraries compute in halves."""
        native = self._stored.newbyteorder("=")
        return np.dtype(np.float32) if native == np.float16 else native

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        same_size = self._stored.itemsize == out.dtype.itemsize
        buffer = None if same_size else np.empty(self._shape, self._stored)
        for number, target in zip(frames.tolist(), out, strict=True):
            place = target if buffer is None else buffer
            self._fill(number, place)
            if buffer is not None:
                target[...] = buffer
            elif not self._stored.isnative:
                target.byteswap(inplace=True)

    def _fill(self, number: int, place: Frames) -> None:
        view = place.reshape(-1).view(np.uint8).data
        self._file.seek(int(self._offsets[number]))
        done = 0
        while done < len(view):
            got = self._file.readinto(view[done:])
            if not got:
                raise DataError(f"{self._path}: ends within frame {number}; the file was cut while being read")
            done += got

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def truncated(path: Path, expected: int, found: int) -> str:
    """Return the text for a file that is shorter than its header says."""
    return (
        f"{path}: truncated: its header promises {expected} bytes, the file has {found} "
        f"({expected - found} are missing); copy it again from the microscope"
    )
