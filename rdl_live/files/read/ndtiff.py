"""NDTiff, Micro-Manager's and pycro-manager's format: a folder of TIFF files with one index.

Source: the specification and index code of ndstorage (github.com/micro-manager/NDStorage): each entry is the axes as
JSON, the file, then eight numbers: where the pixels are, width, height, pixel type, compression, where the metadata
are, their length and compression. Pixels are never compressed.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from rdl_live.errors import DataError
from rdl_live.files._guard import naming, reading
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import MAX_FRAME_PIXELS, FileFrames, RawFile
from rdl_live.files.joined import JoinedFrames
from rdl_live.files.read.container import Container
from rdl_live.files.siblings import sibling
from rdl_live.files.stack import MAX_FRAMES, Axis, Stack

INDEX = "NDTiff.index"
MAX_INDEX = 2**30
"""Bytes of an index that is read: five million frames."""
DTYPES = {0: "u1", 1: "<u2", 3: "<u2", 4: "<u2", 5: "<u2", 6: "<u2"}
"""By pixel type: 8 bits, 16, 10, 12, 14, 11, each in whole bytes."""
AXES = {
    "position": Axis.POSITION,
    "time": Axis.TIME,
    "channel": Axis.CHANNEL,
    "z": Axis.Z,
    **dict.fromkeys(("angle", "orientation", "rotation"), Axis.ANGLE),
    **dict.fromkeys(("phase",), Axis.PHASE),
}
SUMMARY_MARK = 2355492
MAX_SUMMARY = 2**26


@dataclass(frozen=True)
class _Entry:
    axes: dict[str, Any]
    file: str
    offset: int
    shape: tuple[int, int]
    kind: int


def open_ndtiff(path: Path) -> RawFile:
    """Open a folder of an NDTiff dataset.

    Raises:
        DataError: a damaged index, colour images, frames of several sizes, or gaps between them.
    """
    with naming(path), reading(path, "NDTiff"):
        index = path / INDEX
        if index.stat().st_size > MAX_INDEX:
            raise DataError(f"{INDEX} of {index.stat().st_size} bytes is larger than any that is read")
        entries = list(_entries(index.read_bytes()))
        if not entries:
            raise DataError(f"{INDEX} lists no frames; the acquisition wrote nothing, or its folder is incomplete")
        first = entries[0]
        for entry in entries:
            if (entry.shape, entry.kind) != (first.shape, first.kind):
                raise DataError(f"holds frames of {first.shape} and of {entry.shape} pixels; all must be alike")
        if first.kind not in DTYPES:
            raise DataError(f"holds images of pixel type {first.kind} (colour), not raw camera frames")
        if not 0 < prod(first.shape) <= MAX_FRAME_PIXELS:
            raise DataError(f"frames of {first.shape[0]} x {first.shape[1]} pixels cannot be; damaged index")
        source, numbers = _sources(index, entries)
        stack, labels = _arranged(entries, numbers)
        return RawFile(source, stack, _pixel_size_um(sibling(index, first.file)), labels)


def _entries(content: bytes) -> Iterator[_Entry]:
    place = 0
    while place + 4 <= len(content):
        axes, place = _text(content, place)
        if not axes:
            return  # zeros after the end: the acquisition was not finished
        file, place = _text(content, place)
        offset, columns, rows, kind, *_ = struct.unpack_from("<8I", content, place)
        place += 32
        named = json.loads(axes)
        if not isinstance(named, dict):
            raise DataError(f"{INDEX} is damaged: axes {axes[:60]!r}")
        yield _Entry(named, file, offset, (rows, columns), kind)


def _text(content: bytes, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", content, place)
    end = place + 4 + length
    if end > len(content):
        raise DataError(f"{INDEX} ends within an entry; copy the folder again")
    return content[place + 4 : end].decode("utf-8"), end


def _sources(index: Path, entries: list[_Entry]) -> tuple[JoinedFrames, list[int]]:
    """Return the frames of all files, and the number of each entry's frame in them."""
    files = {name: number for number, name in enumerate(dict.fromkeys(entry.file for entry in entries))}
    offsets: list[list[int]] = [[] for _ in files]
    places = []
    for entry in entries:
        own = offsets[files[entry.file]]
        places.append((files[entry.file], len(own)))
        own.append(entry.offset)
    dtype = np.dtype(DTYPES[entries[0].kind])
    sources = [
        FileFrames(sibling(index, name), np.array(own, np.int64), entries[0].shape, dtype)
        for name, own in zip(files, offsets, strict=True)
    ]
    ends = np.cumsum([0, *(len(own) for own in offsets)])
    return JoinedFrames(sources, [len(own) for own in offsets]), [int(ends[file]) + n for file, n in places]


def _arranged(entries: list[_Entry], numbers: list[int]) -> tuple[Stack, tuple[ChannelLabel, ...]]:
    """Arrange the frames by their axes; refuse gaps, for a series with a hole is no series."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.axes))
    ordered = [*(name for name in AXES if name in names), *(name for name in names if name not in AXES)]
    # Channels have names, in the order in which they came; numbers run from the lowest up.
    steps = [list(dict.fromkeys(entry.axes.get(name, 0) for entry in entries)) for name in ordered]
    steps = [sorted(one) if all(isinstance(value, int) for value in one) else one for one in steps]
    sizes = tuple(len(one) for one in steps)
    if prod(sizes) > MAX_FRAMES:
        raise DataError(f"{INDEX} describes {prod(sizes)} frames, more than are believed; the folder is damaged")
    frames = np.full(sizes, -1, np.int64)
    lookup = [{value: place for place, value in enumerate(one)} for one in steps]
    for entry, number in zip(entries, numbers, strict=True):
        frames[tuple(own[entry.axes.get(name, 0)] for name, own in zip(ordered, lookup, strict=True))] = number
    if (missing := int((frames < 0).sum())) > 0:
        described = " x ".join(f"{name} {n}" for name, n in zip(ordered, sizes, strict=True))
        raise DataError(f"{missing} frames of {described} are missing; the acquisition was stopped: give whole series")
    labels = (
        tuple(ChannelLabel(str(value)) for value in steps[ordered.index("channel")]) if "channel" in ordered else ()
    )
    return Stack(tuple(AXES.get(name, Axis.FRAME) for name in ordered), frames), labels


def _pixel_size_um(file: Path) -> float | None:
    """Return the pixel [um] of the summary metadata at the head of a file, if they say it."""
    with file.open("rb") as opened:
        head = opened.read(28)
        if len(head) < 28 or struct.unpack_from("<I", head, 20)[0] != SUMMARY_MARK:
            return None
        (length,) = struct.unpack_from("<I", head, 24)
        summary = json.loads(opened.read(length)) if length <= MAX_SUMMARY else {}
    value = summary.get("PixelSize_um") if isinstance(summary, dict) else None
    return float(value) if isinstance(value, int | float) and 0 < value < 100 else None


NDTIFF = Container("NDTiff", lambda path, head: not head and (path / INDEX).is_file(), open_ndtiff)
