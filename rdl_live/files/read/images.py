"""A folder of TIFF files that together are one recording: one file a frame, or a series each."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.frame_source import Frames, FrameSource, RawFile
from rdl_live.files.read.container import Container
from rdl_live.files.read.names import arranged, natural
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiff_raw import frames_of, open_tiff, tiff_pages

ENDINGS = (".tif", ".tiff")
MOST_FILES = 200_000
_OPEN = 16
"""Files that are kept open."""


class FolderFrames:
    """Frames of many files of `each` frames, opened as they are read and few of them at a time."""

    def __init__(self, files: list[Path], each: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        """Read from `files`, whose pages have been checked."""
        self._files, self._each, self._shape, self._dtype = files, each, shape, dtype
        self._open = OrderedDict[int, FrameSource]()

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames."""
        return self._dtype

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        for number, target in zip(frames.tolist(), out, strict=True):
            file, frame = divmod(number, self._each)
            self._source(file).read(np.array([frame]), target[None])

    def _source(self, file: int) -> FrameSource:
        if file in self._open:
            self._open.move_to_end(file)
            return self._open[file]
        if len(self._open) >= _OPEN:
            self._open.popitem(last=False)[1].close()
        pages, _ = tiff_pages(self._files[file])
        self._open[file] = frames_of(self._files[file], pages, len(pages) * pages[0].samples)
        return self._open[file]

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()


def image_files(folder: Path) -> list[Path]:
    """Return the TIFF files of a folder, in natural order; hidden ones and links to elsewhere are no part of it."""
    here = folder.resolve()
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
        if not path.is_symlink() or path.resolve().parent == here
    ]
    if len(found) > MOST_FILES:
        raise DataError(
            f"{folder}: holds {len(found)} images, more than the {MOST_FILES} that are read as one recording"
        )
    return sorted(found, key=lambda path: natural(path.name))


def open_folder(path: Path) -> RawFile:
    """Open a folder of TIFF files as one recording.

    Raises:
        DataError: no images in it, or images of different sizes; names the first that differs.
    """
    files = image_files(path)
    if not files:
        raise DataError(_nothing(path))
    first = open_tiff(files[0])
    shape, dtype, each = first.source.shape, first.source.dtype, first.stack.frames.size
    first.source.close()
    if len(files) == 1 or _is_set(first, files):
        return open_tiff(files[0])
    for file in files[1:]:
        pages, _ = tiff_pages(file)
        found = (pages[0].shape, len(pages) * pages[0].samples)
        if found != (shape, each) or pages[0].dtype.newbyteorder("=") != dtype:
            raise DataError(
                f"{file}: has {found[1]} frame(s) of {found[0][0]} x {found[0][1]} {pages[0].dtype.name}, "
                f"{files[0].name} has {each} of {shape[0]} x {shape[1]} {dtype.name}; give a folder that holds the "
                "frames of one recording and nothing else"
            )
    source = FolderFrames(files, each, shape, dtype)
    pixel, notes = first.pixel_size_um, first.notes
    if each > 1:
        stacked = np.stack([first.stack.frames + each * number for number in range(len(files))])
        stack = Stack((Axis.TIME, *first.stack.axes), stacked)
        return RawFile(source, stack, pixel, first.labels, notes)
    stack, colours = arranged([file.name for file in files])
    labels = tuple(ChannelLabel(name) for name in colours)
    others: tuple[Stack, ...] = ()
    if Axis.PHASE in stack.axes and Axis.POSITION not in stack.axes:
        others = (stack.renamed(Axis.PHASE, Axis.POSITION),)
    return RawFile(source, stack, pixel, labels, notes, others)


def _is_set(first: RawFile, files: list[Path]) -> bool:
    """Whether the first file has opened all others already: those of an OME-TIFF set name each other."""
    frames = sum(len(pages) * pages[0].samples for pages, _ in map(tiff_pages, files))
    return first.stack.frames.size == frames and len(files) > 1


def _nothing(path: Path) -> str:
    inner = sorted((child.name for child in path.iterdir() if child.is_dir()), key=natural)
    if inner:
        listed = ", ".join(inner[:6])
        return (
            f"{path}: a folder that is no Zarr image and holds no TIFF files, but folders ({listed}); give one of them"
        )
    return f"{path}: a folder that is no Zarr image, and holds no TIFF files"


FOLDER = Container("folder of TIFF files", lambda _, head: not head, open_folder)
