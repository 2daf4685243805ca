"""Zeiss CZI, through the package czifile (extra `vendor`); Elyra's rotations (R) and phases (H) are understood."""

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import MAX_FRAME_PIXELS, RawFile
from rdl_live.files.ome_xml import parse_xml
from rdl_live.files.read.container import Container
from rdl_live.files.read.vendor import VendorFrames, axes_of, library, opened
from rdl_live.files.stack import MAX_FRAMES, Stack

MAGIC = b"ZISRAWFILE"
_PLANE = "XYM0"
"""Dimensions within a frame, and the number of a frame in a mosaic."""


class CziFrames(VendorFrames):
    """Frames of a CZI file, one sub-block each."""

    kind = "CZI"

    def __init__(self, path: Path, file: Any, entries: list[Any], shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        """Wrap an open czifile.CziFile and the sub-blocks that are its frames."""
        super().__init__(path, file, shape, dtype)
        self._entries = entries

    def frame(self, number: int) -> npt.NDArray[Any]:
        """Return one frame (y, x)."""
        return np.asarray(self._entries[number].data_segment().data(resize=False)).reshape(self.shape)


def open_czi(path: Path) -> RawFile:
    """Open a CZI file.

    Raises:
        DataError: the package is missing, the file is damaged, or its sub-blocks are no frames of one size.
    """
    czifile = library("czifile", path, "a Zeiss CZI file")
    # No other file is opened on this one's word, and no mosaic put together.
    return opened(path, "CZI", lambda: czifile.CziFile(str(path), multifile=False, detectmosaic=False), _described)


def _described(path: Path, file: Any) -> RawFile:
    entries = [entry for entry in file.filtered_subblock_directory if _whole(entry)]
    if not entries:
        raise DataError("holds no frames")
    places = [{d.dimension: int(d.start) for d in entry.dimension_entries} for entry in entries]
    shapes = {tuple(_size(entry, axis) for axis in "YX") for entry in entries}
    if len(shapes) > 1:
        raise DataError(f"holds images of {len(shapes)} sizes (a tiled overview?); export the frames as OME-TIFF")
    shape = (int(next(iter(shapes))[0]), int(next(iter(shapes))[1]))
    dtype = np.dtype(entries[0].dtype)
    if dtype.kind not in "iuf" or _size(entries[0], "0") > 1 or not 0 < math.prod(shape) <= MAX_FRAME_PIXELS:
        raise DataError("holds colour pictures, not raw camera frames")
    letters = [axis for axis in dict.fromkeys(axis for place in places for axis in place) if axis not in _PLANE]
    steps = [sorted({place.get(axis, 0) for place in places}) for axis in letters]
    sizes = tuple(len(one) for one in steps)
    if math.prod(sizes) != len(entries) or len(entries) > MAX_FRAMES:
        described = " x ".join(f"{axis} {n}" for axis, n in zip(letters, sizes, strict=True))
        raise DataError(f"has {len(entries)} frames of {described}; a mosaic or a stopped run: export it as OME-TIFF")
    frames = np.empty(sizes, np.int64)
    for number, place in enumerate(places):
        frames[tuple(one.index(place.get(axis, 0)) for axis, one in zip(letters, steps, strict=True))] = number
    pixel, labels = _metadata(file.metadata())
    source = CziFrames(path, file, entries, shape, dtype)
    return RawFile(source, Stack(axes_of(letters), frames), pixel, labels)


def _whole(entry: Any) -> bool:
    """Whether a sub-block is no level of a pyramid."""
    return all(d.size == d.stored_size for d in entry.dimension_entries if d.dimension in "XY")


def _size(entry: Any, axis: str) -> int:
    return next((int(d.size) for d in entry.dimension_entries if d.dimension == axis), 1)


def _metadata(xml: str) -> tuple[float | None, tuple[ChannelLabel, ...]]:
    """Return the pixel [um] and the colours that the metadata state."""
    if not xml:
        return None, ()
    root = parse_xml(xml.encode("utf-8", "replace"))
    metres = _number(root.find(".//Scaling/Items/Distance[@Id='X']/Value"))
    pixel = None if metres is None else round(metres * 1e6, 9)
    channels = root.findall(".//Information/Image/Dimensions/Channels/Channel")
    labels = tuple(
        ChannelLabel(
            one.get("Name") or f"channel {i}",
            _number(one.find("ExcitationWavelength")),
            _number(one.find("EmissionWavelength")),
        )
        for i, one in enumerate(channels)
    )
    return pixel if pixel is not None and 0 < pixel < 100 else None, labels


def _number(element: ET.Element | None) -> float | None:
    try:
        value = float(element.text or "") if element is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


CZI = Container("Zeiss CZI", lambda _, head: head.startswith(MAGIC), open_czi)
