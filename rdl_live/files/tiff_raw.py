"""Raw frames from TIFF files: plain stacks, ImageJ hyperstacks, tifffile stacks, OME-TIFF in one or several files."""

import json
import logging
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from rdl_live.errors import DataError
from rdl_live.files._guard import naming, reading
from rdl_live.files.bombs import check_page
from rdl_live.files.frame_source import MAX_FRAME_PIXELS, FileFrames, Frames, FrameSource, RawFile, truncated
from rdl_live.files.imagej import channel_labels, hyperstack, pixel_size_um, z_step_um
from rdl_live.files.joined import JoinedFrames
from rdl_live.files.ome_xml import companion_of, parse_ome
from rdl_live.files.siblings import sibling
from rdl_live.files.stack import MAX_FRAMES, Axis, Stack
from rdl_live.files.tiff_pages import Tags, TiffLayout, TiffPage, description_of

LETTERS = {"T": Axis.TIME, "Z": Axis.Z, "C": Axis.CHANNEL, "A": Axis.ANGLE, "P": Axis.PHASE, "R": Axis.POSITION}
PALETTE, MIN_IS_WHITE, COLOUR_FILTER, RGB = 3, 0, 32803, 2
GREY = (MIN_IS_WHITE, 1, PALETTE, COLOUR_FILTER)

MAX_SAMPLES = 4096
"""Frames of one page."""
MAX_COMPANION = 2**26
"""Bytes of a file of metadata beside a recording."""

# Its complaints on damaged pages come as DataErrors here; without a handler they would also go to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class DecodedFrames:
    """Frames of a compressed, packed or tiled TIFF file, decoded page by page; a page may hold several."""

    def __init__(self, path: Path, pages: list[TiffPage]) -> None:
        """Open `path` for the given pages, all of one shape and type."""
        self._path, self._pages = path, pages
        self._samples = pages[0].samples
        self._last: tuple[int, Frames] | None = None
        # Flags off: no vendor's dialect is looked for, so that no second file is ever opened.
        self._tiff = tifffile.TiffFile(path, _multifile=False, is_ome=False, is_lsm=False, is_stk=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return self._pages[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native byte order; half floats are given as float32."""
        native = self._pages[0].dtype.newbyteorder("=")
        return np.dtype(np.float32) if native == np.float16 else native

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        for number, target in zip(frames.tolist(), out, strict=True):
            page, sample = divmod(number, self._samples)
            target[...] = self._decoded(page)[sample]

    def _decoded(self, number: int) -> Frames:
        """Return the frames (sample, y, x) of a page; that of the last call is kept, for its other frames."""
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        with naming(self._path), reading(self._path, "compressed TIFF"):
            self._tiff.filehandle.seek(self._pages[number].ifd_offset)
            page = tifffile.TiffPage(self._tiff, index=number)
            check_page(page, self._tiff.filehandle)
            values = page.asarray().reshape(page.shape)
            if self._samples > 1 and not self._pages[number].is_planar:
                values = np.moveaxis(values, -1, 0)
            values = values.reshape(self._samples, *self.shape)
        if self._samples > 1:
            self._last = (number, values)
        return values

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()


def open_tiff(path: Path) -> RawFile:
    """Open a TIFF file of raw frames.

    Raises:
        DataError: truncated or damaged file, RGB or complex pixels, pages of unequal size, no pages,
            or an OME-TIFF whose frames lie in several files.
    """
    pages, tags = tiff_pages(path)
    raw = _described(path, pages, tags, description_of(tags))
    if pages[0].photometric != MIN_IS_WHITE:
        return raw
    whites = "its photometric tag says that 0 is white; the values are taken as they are"
    return replace(raw, notes=(*raw.notes, whites))


def tiff_pages(path: Path) -> tuple[list[TiffPage], Tags]:
    """Return the pages of a TIFF file of frames, and the tags of the first.

    Raises:
        DataError: no pages, no frames, unequal ones, or a file that ends too early.
    """
    with path.open("rb") as file:
        layout = TiffLayout(path, file)
        listed = [(page, tags) for page, tags in layout.pages() if not page.is_reduced]
    if not listed:
        raise DataError(f"{path}: holds no frames")
    pages = [page for page, _ in listed]
    _check_uniform(path, pages)
    end = max(page.data_end for page in pages)
    if end > layout.size:
        raise DataError(truncated(path, end, layout.size))
    return pages, listed[0][1]


def _check_uniform(path: Path, pages: list[TiffPage]) -> None:
    first = pages[0]
    if not (first.photometric in GREY or (first.photometric == RGB and first.is_planar)):
        raise DataError(
            f"{path}: holds colour pictures ({first.samples} values a pixel), not raw camera frames; "
            "export the recording as 8- or 16-bit grey values"
        )
    if not 0 < first.shape[0] * first.shape[1] <= MAX_FRAME_PIXELS or not 0 < first.samples <= MAX_SAMPLES:
        raise DataError(
            f"{path}: frames of {first.shape[0]} x {first.shape[1]} pixels, {first.samples} a page, cannot be; "
            "damaged file"
        )
    for index, page in enumerate(pages):
        alike = (page.shape, page.dtype, page.samples, page.is_planar)
        if alike != (first.shape, first.dtype, first.samples, first.is_planar):
            raise DataError(
                f"{path}: page {index} is {page.shape[0]} x {page.shape[1]} {page.dtype.name}, page 0 is "
                f"{first.shape[0]} x {first.shape[1]} {first.dtype.name}; all frames must be alike"
            )


def _described(path: Path, pages: list[TiffPage], tags: Tags, description: bytes) -> RawFile:
    """Arrange the pages as the description of the first one says."""
    if description.endswith(b"OME>"):
        return _ome(path, pages, description)
    text = description.decode("utf-8", errors="replace")
    if text.startswith("ImageJ="):
        return _imagej(path, pages, tags, text)
    count = len(pages) * pages[0].samples
    shaped = _shaped(text, count)
    if shaped is None:
        shaped = Stack.in_order((Axis.FRAME,), (count,))
    # tifffile's "P" is the phase, but others write positions there.
    others = (shaped.renamed(Axis.PHASE, Axis.POSITION),) if Axis.PHASE in shaped.axes else ()
    return RawFile(frames_of(path, pages, shaped.frames.size), shaped, others=others)


def frames_of(path: Path, pages: list[TiffPage], frames: int) -> FrameSource:
    """Return the source of `frames` frames; those beyond the one page follow it without directories.

    Raises:
        DataError: more frames are described than there are.
    """
    first, count = pages[0], len(pages) * pages[0].samples
    whole = [page.data_offset for page in pages if page.data_offset is not None]
    size = prod(first.shape) * first.dtype.itemsize
    if len(pages) == 1 and frames > count and whole and first.samples == 1:
        return FileFrames(path, whole[0] + np.arange(frames, dtype=np.int64) * size, first.shape, first.dtype)
    if frames > count:
        raise DataError(f"{path}: truncated: {frames} frames are described, {count} are there")
    if len(whole) == len(pages) and (first.samples == 1 or first.is_planar):
        steps = np.arange(first.samples, dtype=np.int64) * size
        offsets = (np.array(whole, dtype=np.int64)[:, None] + steps).reshape(-1)
        return FileFrames(path, offsets, first.shape, first.dtype)
    with reading(path, "compressed TIFF"):
        return DecodedFrames(path, pages)


def _ome(path: Path, pages: list[TiffPage], description: bytes) -> RawFile:
    files = _OmeFiles(path, pages)
    with naming(path), reading(path, "OME-TIFF"):
        if companion := companion_of(description):
            description = files.metadata(companion)
        ome = parse_ome(description, len(pages) * pages[0].samples, files.first_page)
        stack, *others = (Stack(one.axes, files.numbers(one.frames)) for one in (ome.stack, *ome.others))
    return RawFile(
        files.source(),
        stack,
        ome.pixel_size_um,
        ome.labels,
        ome.notes,
        tuple(others),
        ome.positions,
        others_rank=1,
        z_step_um=ome.z_step_um,
    )


class _OmeFiles:
    """The files of an OME-TIFF set: one that was named by the user, and those beside it that its metadata names."""

    def __init__(self, path: Path, pages: list[TiffPage]) -> None:
        self._paths, self._pages = [path], [pages]

    def first_page(self, name: str) -> int:
        """Open a file beside the first one and return the number of its first page."""
        if name == self._paths[0].name:
            return 0
        path = sibling(self._paths[0], name)
        pages, _ = tiff_pages(path)
        first, own = self._pages[0][0], pages[0]
        if (own.shape, own.dtype, own.samples) != (first.shape, first.dtype, first.samples):
            raise DataError(f"its frames differ from those of {name}, a file of the same set; copy the set again")
        self._paths.append(path)
        self._pages.append(pages)
        return (len(self._paths) - 1) * MAX_FRAMES

    def metadata(self, name: str) -> bytes:
        """Return the OME-XML that a file beside the first one holds."""
        path = sibling(self._paths[0], name)
        if path.stat().st_size > MAX_COMPANION:
            raise DataError(f"{name}, which holds its metadata, is too large to be read")
        with path.open("rb") as file:
            if file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return description_of(tiff_pages(path)[1])
        return path.read_bytes()

    def numbers(self, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the numbers of frames in `source`, for those that count files in steps of MAX_FRAMES."""
        counts = np.array([len(pages) * pages[0].samples for pages in self._pages])
        file, page = np.divmod(frames, MAX_FRAMES)
        if np.any(page >= counts[file]):
            raise DataError("its OME-XML places planes beyond the end of a file of the set; copy the set again")
        first: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(counts)])[file]
        return first + page

    def source(self) -> FrameSource:
        """Return the frames of all files."""
        sources = [
            frames_of(path, pages, len(pages) * pages[0].samples)
            for path, pages in zip(self._paths, self._pages, strict=True)
        ]
        counts = [len(pages) * pages[0].samples for pages in self._pages]
        return sources[0] if len(sources) == 1 else JoinedFrames(sources, counts)


def _imagej(path: Path, pages: list[TiffPage], tags: Tags, text: str) -> RawFile:
    count = len(pages) * pages[0].samples
    frame = prod(pages[0].shape) * pages[0].dtype.itemsize
    # How many frames the file can hold at most; a header's claim beyond it is nonsense or a truncation.
    room = max(path.stat().st_size // frame, count)
    stack = hyperstack(text, count, room)
    labels = channel_labels(stack, tags)
    source = frames_of(path, pages, stack.frames.size)
    return RawFile(source, stack, pixel_size_um(text, tags), labels, z_step_um=z_step_um(text))


def _shaped(text: str, pages: int) -> Stack | None:
    """tifffile's own description: {"shape": [4, 9, 64, 64], "axes": "TPYX"}, axes optional."""
    if not text.startswith('{"shape":'):
        return None
    try:
        described = json.loads(text)
        shape = tuple(int(n) for n in described["shape"])
        letters = str(described.get("axes", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    sizes = shape[:-2]
    if len(shape) < 3 or min(sizes) < 1 or (prod(sizes) != pages and pages > 1):
        return None
    named = tuple(LETTERS.get(letter, Axis.FRAME) for letter in letters[:-2])
    plain = (Axis.FRAME,) * len(sizes)
    fits = letters.endswith("YX") and len(named) == len(sizes)
    return Stack.in_order(named if fits else plain, sizes)
