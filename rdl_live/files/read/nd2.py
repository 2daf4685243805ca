"""Nikon ND2, through the package nd2 (extra `vendor`)."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming, reading
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import Frames, RawFile
from rdl_live.files.read.container import Container
from rdl_live.files.read.vendor import axes_of, library
from rdl_live.files.stack import Axis, Stack

MAGIC = (b"\xda\xce\xbe\x0a", b"\x00\x00\x00\x0cjP  ")
"""Of today's files, and of older ones, which are JPEG 2000."""


class Nd2Frames:
    """Frames of an ND2 file: frame number = step of its loops * channels + channel."""

    def __init__(self, path: Path, file: Any, channels: int) -> None:
        """Wrap an open nd2.ND2File."""
        self._path, self._file, self._channels = path, file, channels

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return int(self._file.sizes["Y"]), int(self._file.sizes["X"])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames."""
        native: np.dtype[Any] = np.dtype(self._file.dtype).newbyteorder("=")
        return native

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        with naming(self._path), reading(self._path, "ND2"):
            for number, target in zip(frames.tolist(), out, strict=True):
                step, channel = divmod(number, self._channels)
                target[...] = np.asarray(self._file.read_frame(step)).reshape(self._channels, *self.shape)[channel]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_nd2(path: Path) -> RawFile:
    """Open an ND2 file.

    Raises:
        DataError: the package is missing, the file is damaged, or holds colour pictures.
    """
    nd2 = library("nd2", path, "a Nikon ND2 file")
    with naming(path), reading(path, "ND2"):
        file = nd2.ND2File(path)
        try:
            return _described(path, file)
        except BaseException:
            file.close()
            raise


def _described(path: Path, file: Any) -> RawFile:
    sizes = {str(axis): int(n) for axis, n in file.sizes.items()}
    if "S" in sizes:
        raise DataError("holds colour pictures, not raw camera frames")
    loops = [axis for axis in sizes if axis not in "CYX"]
    channels = sizes.get("C", 1)
    shape = (*(sizes[axis] for axis in loops), channels)
    stack = Stack((*axes_of(loops), Axis.CHANNEL), np.arange(prod(shape), dtype=np.int64).reshape(shape))
    pixel = float(file.voxel_size().x)
    known = pixel if 0 < pixel < 100 and pixel != 1 else None  # 1 is what uncalibrated files say
    return RawFile(Nd2Frames(path, file, channels), stack, known, _labels(file))


def _labels(file: Any) -> tuple[ChannelLabel, ...]:
    """Return the colours of the metadata, as far as these know them."""
    found = []
    for one in getattr(file.metadata, "channels", None) or []:
        channel = one.channel
        excitation, emission = (getattr(channel, f"{kind}LambdaNm", None) for kind in ("excitation", "emission"))
        found.append(ChannelLabel(str(channel.name), _light(excitation), _light(emission)))
    return tuple(found)


def _light(nm: float | None) -> float | None:
    return float(nm) if nm is not None and 100 < nm < 3000 else None


ND2 = Container("Nikon ND2", lambda _, head: head.startswith(MAGIC), open_nd2)
