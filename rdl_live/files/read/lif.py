"""Leica LIF, through the package liffile (extra `vendor`)."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.frame_source import MAX_FRAME_PIXELS, RawFile
from rdl_live.files.read.container import Container
from rdl_live.files.read.vendor import VendorFrames, axes_of, library, opened
from rdl_live.files.stack import Axis, Stack

MAGIC = b"\x70\x00\x00\x00"


class LifFrames(VendorFrames):
    """Frames of images of a LIF file that are alike, one image after the other."""

    kind = "LIF"

    def __init__(self, path: Path, file: Any, images: list[Any], loops: dict[str, int]) -> None:
        """Wrap an open liffile.LifFile; `loops` are the axes of each image before y and x, with their sizes."""
        sizes = images[0].sizes
        super().__init__(path, file, (int(sizes["Y"]), int(sizes["X"])), images[0].dtype)
        self._images, self._loops = images, loops

    def frame(self, number: int) -> npt.NDArray[Any]:
        """Return one frame (y, x)."""
        sizes = tuple(self._loops.values())
        image, step = divmod(number, prod(sizes))
        places = np.unravel_index(step, sizes) if sizes else ()
        indices = {axis: int(place) for axis, place in zip(self._loops, places, strict=True)}
        return np.asarray(self._images[image].frame(**indices))


def open_lif(path: Path) -> RawFile:
    """Open a LIF file; its images of the sizes of the first are positions.

    Raises:
        DataError: the package is missing, the file is damaged, or holds no grey images.
    """
    liffile = library("liffile", path, "a Leica LIF file")
    return opened(path, "LIF", lambda: liffile.LifFile(path), _described)


def _described(path: Path, file: Any) -> RawFile:
    all_images = list(file.images)
    if not all_images or not {"Y", "X"} <= set(all_images[0].sizes):
        raise DataError("holds no images")
    first = all_images[0]
    sizes = {str(axis): int(n) for axis, n in first.sizes.items()}
    if "S" in sizes or not 0 < sizes["Y"] * sizes["X"] <= MAX_FRAME_PIXELS:
        raise DataError("holds colour pictures, not raw camera frames")
    images = [one for one in all_images if dict(one.sizes) == dict(first.sizes) and one.dtype == first.dtype]
    loops = {axis: n for axis, n in sizes.items() if axis not in "YX"}
    axes = tuple(Axis.POSITION if axis in "MA" else one for axis, one in zip(loops, axes_of(list(loops)), strict=True))
    shape = (len(images), *loops.values())
    stack = Stack((Axis.POSITION, *axes), np.arange(prod(shape), dtype=np.int64).reshape(shape))
    left = len(all_images) - len(images)
    notes = (f"{left} image(s) of another size than the first are left out",) if left else ()
    names = tuple(str(one.name) for one in images) if len(images) > 1 else ()
    return RawFile(LifFrames(path, file, images, loops), stack, _pixel_size_um(first), (), notes, positions=names)


def _pixel_size_um(image: Any) -> float | None:
    """Return the distance of columns [um] from the coordinates [m], where the file has them."""
    x = image.coords.get("X")
    if x is None or len(x) < 2:
        return None
    pixel = abs(float(x[1]) - float(x[0])) * 1e6
    return round(pixel, 9) if 0 < pixel < 100 else None


def _is_lif(head: bytes) -> bool:
    """Whether a file begins as LIF does: the mark, a length, and an asterisk before the size of the XML."""
    return head.startswith(MAGIC) and head[8:9] == b"\x2a"


LIF = Container("Leica LIF", lambda _, head: _is_lif(head), open_lif)
