"""Raw frames from TIFF files: plain stacks, ImageJ hyperstacks, tifffile stacks, OME-TIFF, BigTIFF."""

import json
import logging
import re
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
from rdl_live.files.ome_xml import parse_ome
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiff_pages import X_RESOLUTION, Tags, TiffLayout, TiffPage, description_of

MICROMETRES = {
    "micron": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "micrometer": 1.0,
}
MICROMETRES |= {"micrometre": 1.0, "nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "cm": 1e4}
LETTERS = {"T": Axis.TIME, "Z": Axis.Z, "C": Axis.CHANNEL, "A": Axis.ANGLE, "P": Axis.PHASE}
PALETTE, MIN_IS_WHITE, COLOUR_FILTER = 3, 0, 32803

# Its complaints on damaged pages come as DataErrors here; without a handler they would also go to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class DecodedFrames:
    """Frames of a compressed or tiled TIFF file, decoded page by page."""

    def __init__(self, path: Path, pages: list[TiffPage]) -> None:
        """Open `path` for the given pages, all of one shape and type."""
        self._path, self._pages = path, pages
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
            with naming(self._path), reading(self._path, "compressed TIFF"):
                self._tiff.filehandle.seek(self._pages[number].ifd_offset)
                page = tifffile.TiffPage(self._tiff, index=number)
                check_page(page, self._tiff.filehandle)
                target[...] = page.asarray().reshape(target.shape)

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()


def open_tiff(path: Path) -> RawFile:
    """Open a TIFF file of raw frames.

    Raises:
        DataError: truncated or damaged file, RGB or complex pixels, pages of unequal size, no pages,
            or an OME-TIFF whose frames lie in several files.
    """
    with path.open("rb") as file:
        layout = TiffLayout(path, file)
        listed = [(page, tags) for page, tags in layout.pages() if not page.is_reduced]
    if not listed:
        raise DataError(f"{path}: holds no frames")
    pages = [page for page, _ in listed]
    first, tags = listed[0]
    _check_uniform(path, pages)
    end = max(page.data_end for page in pages)
    if end > layout.size:
        raise DataError(truncated(path, end, layout.size))
    raw = _described(path, pages, tags, description_of(tags))
    whites = ("its photometric tag says that 0 is white; the values are taken as they are",)
    notes = raw.notes + (whites if first.photometric == MIN_IS_WHITE else ())
    return RawFile(raw.source, raw.stack, raw.pixel_size_um, raw.channel_names, notes)


def _check_uniform(path: Path, pages: list[TiffPage]) -> None:
    first = pages[0]
    if first.samples != 1 or first.photometric not in (MIN_IS_WHITE, 1, PALETTE, COLOUR_FILTER):
        raise DataError(
            f"{path}: holds colour pictures ({first.samples} values a pixel), not raw camera frames; "
            "export the recording as 8- or 16-bit grey values"
        )
    if not 0 < first.shape[0] * first.shape[1] <= MAX_FRAME_PIXELS:
        raise DataError(f"{path}: frames of {first.shape[0]} x {first.shape[1]} pixels cannot be; damaged file")
    for index, page in enumerate(pages):
        if (page.shape, page.dtype, page.samples) != (first.shape, first.dtype, first.samples):
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
    shaped = _shaped(text, len(pages))
    if shaped is None:
        shaped = Stack.in_order((Axis.FRAME,), (len(pages),))
    return RawFile(_source(path, pages, shaped.frames.size), shaped)


def _source(path: Path, pages: list[TiffPage], frames: int) -> FrameSource:
    """Return the source of `frames` frames; those beyond the one page follow it without directories."""
    offsets = [page.data_offset for page in pages]
    whole = [offset for offset in offsets if offset is not None]
    if len(pages) == 1 and frames > 1 and whole:
        size = prod(pages[0].shape) * pages[0].dtype.itemsize
        return FileFrames(path, whole[0] + np.arange(frames, dtype=np.int64) * size, pages[0].shape, pages[0].dtype)
    if frames > len(pages):
        raise DataError(f"{path}: truncated: {frames} frames are described, {len(pages)} are there")
    if len(whole) == len(pages):
        return FileFrames(path, np.array(whole, dtype=np.int64), pages[0].shape, pages[0].dtype)
    with reading(path, "compressed TIFF"):
        return DecodedFrames(path, pages)


def _ome(path: Path, pages: list[TiffPage], description: bytes) -> RawFile:
    with naming(path), reading(path, "OME-TIFF"):
        ome = parse_ome(description, len(pages))
    return RawFile(_source(path, pages, len(pages)), ome.stack, ome.pixel_size_um, ome.channel_names, ome.notes)


def _imagej(path: Path, pages: list[TiffPage], tags: Tags, text: str) -> RawFile:
    """ImageJ: key=value lines; a hyperstack runs channel (fastest), z, time."""
    values = dict(re.findall(r"^(\w+)=(.*?)\s*$", text, flags=re.MULTILINE))

    def count(key: str) -> int:
        digits = values.get(key, "1")
        return max(int(digits), 1) if digits.isdecimal() and len(digits) < 12 else 1

    images = max(count("images"), len(pages))
    sizes = (count("frames"), count("slices"), count("channels"))
    stack = (
        Stack.in_order((Axis.TIME, Axis.Z, Axis.CHANNEL), sizes)
        if prod(sizes) == images <= _room(path, pages)
        else Stack.in_order((Axis.FRAME,), (min(images, _room(path, pages) + 1),))
    )
    return RawFile(_source(path, pages, stack.frames.size), stack, _imagej_pixel_size(values, tags))


def _room(path: Path, pages: list[TiffPage]) -> int:
    """How many frames the file can hold at most; a header's claim beyond it is nonsense or a truncation."""
    frame = prod(pages[0].shape) * pages[0].dtype.itemsize
    return max(path.stat().st_size // frame, len(pages))


def _imagej_pixel_size(values: dict[str, str], tags: Tags) -> float | None:
    ratio = tags.get(X_RESOLUTION, [0, 0])
    unit = MICROMETRES.get(values.get("unit", "").strip().lower())
    if unit is None or len(ratio) != 2 or not all(isinstance(n, int) and n > 0 for n in ratio):
        return None
    pixels, length = ratio
    # One pixel a unit is what ImageJ writes for "not calibrated".
    return None if pixels == length else round(length / pixels * unit, 9)


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
