"""Nikon ND2, through the package nd2 (extra `vendor`)."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import RawFile
from rdl_live.files.read.container import Container
from rdl_live.files.read.vendor import VendorFrames, axes_of, library, opened
from rdl_live.files.stack import Axis, Stack

MAGIC = (b"\xda\xce\xbe\x0a", b"\x00\x00\x00\x0cjP  ")
"""Of today's files, and of older ones, which are JPEG 2000."""


class Nd2Frames(VendorFrames):
    """Frames of an ND2 file: frame number = step of its loops * channels + channel."""

    kind = "ND2"

    def __init__(self, path: Path, file: Any, channels: int) -> None:
        """Wrap an open nd2.ND2File."""
        super().__init__(path, file, (int(file.sizes["Y"]), int(file.sizes["X"])), file.dtype)
        self._channels = channels

    def frame(self, number: int) -> npt.NDArray[Any]:
        """Return one frame (y, x)."""
        step, channel = divmod(number, self._channels)
        pixels: npt.NDArray[Any] = np.asarray(self._file.read_frame(step)).reshape(self._channels, *self.shape)
        return np.asarray(pixels[channel])


def open_nd2(path: Path) -> RawFile:
    """Open an ND2 file.

    Raises:
        DataError: the package is missing, the file is damaged, or holds colour pictures.
    """
    nd2 = library("nd2", path, "a Nikon ND2 file")
    return opened(path, "ND2", lambda: nd2.ND2File(path), _described)


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
