"""The pages of a TIFF file: where they are and what they hold.

Own walk along the chain of image file directories (TIFF 6.0, BigTIFF): it takes 60 us a page where general
readers take hundreds, sees a chain that is cut or loops, and opens no other file whatever the metadata says.
Decoding of compressed pages is left to tifffile.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rdl_live.errors import DataError

BYTES_OF_TYPE = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
ASCII = 2
CODE_OF_TYPE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
MAX_TAGS = 4096
MAX_VALUES = 2**20
"""Of one tag: a frame of 16384 x 16384 in tiles of 16 x 16 has as many."""
SPARE_BYTES = 2**20

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 254, 256, 257, 258, 259, 262, 270
STRIP_OFFSETS, SAMPLES, STRIP_COUNTS, X_RESOLUTION = 273, 277, 279, 282
TILE_WIDTH, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT = 322, 324, 325, 339
PLANAR, IMAGEJ_COUNTS, IMAGEJ_DATA = 284, 50838, 50839
_ONCE = {DESCRIPTION, X_RESOLUTION, IMAGEJ_COUNTS, IMAGEJ_DATA}
"""Read of the first page alone."""
PACKED_BITS = range(9, 16)
"""Bits a pixel of cameras of 10, 12 and 14 bits whose values are packed without gaps."""
_NEEDED = {
    *(SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION, STRIP_OFFSETS, SAMPLES),
    *(STRIP_COUNTS, X_RESOLUTION, TILE_WIDTH, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT),
    *(PLANAR, IMAGEJ_COUNTS, IMAGEJ_DATA),
}

Tags = dict[int, Any]


@dataclass(frozen=True)
class TiffPage:
    """One page (image) of a TIFF file."""

    ifd_offset: int
    shape: tuple[int, int]
    """Rows, columns."""
    dtype: np.dtype[Any]
    """Number type in the file's byte order."""
    samples: int
    """Values per pixel: 1, or more for RGB and for arrays whose last or first axis was taken for colours."""
    is_planar: bool
    """Whether the samples lie one image after another, as frames do."""
    photometric: int
    compression: int
    data_offset: int | None
    """Where the pixels start, if they lie uncompressed in one piece."""
    data_end: int
    """Where the last strip or tile ends."""
    is_reduced: bool
    """A thumbnail or pyramid level of another page."""


class TiffLayout:
    """Byte order and flavour of a TIFF file, and its chain of pages."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """Read the file header.

        Raises:
            DataError: no TIFF header.
        """
        self.path, self._file = path, file
        self.size = path.stat().st_size
        # Tags may share their values, so a small file could have us read them for days; honest ones read each once.
        self._budget = 2 * self.size + SPARE_BYTES
        head = self._bytes(0, 16)
        if not is_tiff(head):
            raise DataError(f"{path}: not a TIFF file")
        self.order = "<" if head[:2] == b"II" else ">"
        self.is_big = struct.unpack(f"{self.order}H", head[2:4])[0] == 43
        self._first = self._number("Q", head[8:16]) if self.is_big else self._number("I", head[4:8])

    def pages(self) -> Iterator[tuple[TiffPage, Tags]]:
        """Give every page of the main chain with its tags; pages in SubIFDs (pyramids) are left out.

        Raises:
            DataError: the chain leaves the file, loops, or a page cannot be understood.
        """
        offset, seen = self._first, set[int]()
        while offset:
            if offset in seen:
                raise DataError(
                    f"{self.path}: its list of pages runs in a circle after {len(seen)} pages; damaged file"
                )
            seen.add(offset)
            tags, following = self._directory(offset, len(seen) - 1)
            yield self._page(offset, tags, len(seen) - 1), tags
            offset = following

    def _directory(self, offset: int, index: int) -> tuple[Tags, int]:
        count_size, entry_size, word = (8, 20, "Q") if self.is_big else (2, 12, "I")
        where = f"directory of page {index}"
        count = self._number("Q" if self.is_big else "H", self._bytes(offset, count_size, where))
        if count > MAX_TAGS:
            raise DataError(f"{self.path}: page {index} claims {count} tags; the file is damaged or truncated")
        block = self._bytes(offset + count_size, count * entry_size + struct.calcsize(word), where)
        tags: Tags = {}
        for start in range(0, count * entry_size, entry_size):
            code, kind = struct.unpack_from(f"{self.order}HH", block, start)
            if code in _NEEDED and (code not in _ONCE or index == 0):
                entry = block[start + 4 : start + entry_size]
                values = self._values(kind, entry, index, text=code in (DESCRIPTION, IMAGEJ_DATA))
                # Micro-Manager writes two descriptions: OME-XML and ImageJ's, which says less.
                if code == DESCRIPTION and _ends_as_ome(tags.get(code, b"")):
                    continue
                tags[code] = values
        return tags, self._number(word, block[-struct.calcsize(word) :])

    def _values(self, kind: int, entry: bytes, index: int, *, text: bool) -> Any:
        """Return a tag's values: bytes (if `text`, in any case), or a list of integers, or a ratio as two integers."""
        word = "Q" if self.is_big else "I"
        word_size = struct.calcsize(word)
        count = self._number(word, entry[:word_size])
        size = count * BYTES_OF_TYPE.get(kind, 1)
        self._budget -= size
        if self._budget < 0 or (count > MAX_VALUES and kind != ASCII):
            raise DataError(f"{self.path}: a tag of page {index} claims {count} values; the file is damaged")
        inline = entry[word_size:]
        if size <= word_size:
            raw = inline[:size]
        else:
            raw = self._bytes(self._number(word, inline), size, f"a tag of page {index}")
        if kind in CODE_OF_TYPE and not text:
            return np.frombuffer(raw, self.order + CODE_OF_TYPE[kind]).astype(object).tolist()
        if kind in (5, 10) and not text:
            return np.frombuffer(raw, f"{self.order}u4").astype(object).tolist()
        return raw

    def _page(self, offset: int, tags: Tags, index: int) -> TiffPage:
        try:
            columns, rows = int(tags[WIDTH][0]), int(tags[HEIGHT][0])
            places: list[int] = tags[STRIP_OFFSETS if STRIP_OFFSETS in tags else TILE_OFFSETS]
            counts: list[int] = tags[STRIP_COUNTS if STRIP_COUNTS in tags else TILE_COUNTS]
            samples = int(tags.get(SAMPLES, [1])[0])
            compression = int(tags.get(COMPRESSION, [1])[0])
            dtype = self._dtype(tags, index)
            ends = [place + count for place, count in zip(places, counts, strict=True)]
            photometric, subfile = int(tags.get(PHOTOMETRIC, [1])[0]), int(tags.get(SUBFILE, [0])[0])
            is_planar = samples > 1 and int(tags.get(PLANAR, [1])[0]) == 2
            is_packed = int(tags.get(BITS, [1])[0]) in PACKED_BITS
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.path}: page {index} lacks size, type or place of its pixels; the file is damaged"
            ) from error
        size = rows * columns * samples * dtype.itemsize
        in_one_piece = ends[:-1] == places[1:] and sum(counts) >= size
        plain = compression == 1 and TILE_WIDTH not in tags and in_one_piece and size > 0 and not is_packed
        return TiffPage(
            ifd_offset=offset,
            shape=(rows, columns),
            dtype=dtype,
            samples=samples,
            is_planar=is_planar,
            photometric=photometric,
            compression=compression,
            data_offset=places[0] if plain else None,
            data_end=places[0] + size if plain else max(ends, default=0),
            is_reduced=bool(subfile & 1),
        )

    def _dtype(self, tags: Tags, index: int) -> np.dtype[Any]:
        bits, sample_format = int(tags.get(BITS, [1])[0]), int(tags.get(SAMPLE_FORMAT, [1])[0])
        letter = {1: "u", 2: "i", 3: "f", 4: "u"}.get(sample_format)
        if sample_format in (5, 6):
            raise DataError(f"{self.path}: page {index} holds complex numbers, raw camera frames are real")
        if letter == "u" and bits in PACKED_BITS:
            return np.dtype(f"{self.order}u2")
        if letter is None or bits not in ((16, 32, 64) if letter == "f" else (8, 16, 32, 64)):
            raise DataError(
                f"{self.path}: page {index} has {bits} bits a pixel (sample format {sample_format}), which "
                "is not supported; export the file with 8, 10, 12, 14, 16 or 32 bits"
            )
        return np.dtype(f"{self.order}{letter}{bits // 8}")

    def _number(self, code: str, raw: bytes) -> int:
        return int(struct.unpack(self.order + code, raw)[0])

    def _bytes(self, offset: int, count: int, what: str = "file header") -> bytes:
        if offset + count > self.size and what != "file header":
            raise DataError(
                f"{self.path}: truncated: the {what} lies at bytes {offset} to {offset + count}, "
                f"the file has {self.size}; copy it again from the microscope"
            )
        self._file.seek(offset)
        return self._file.read(count)


def _ends_as_ome(description: Any) -> bool:
    return isinstance(description, bytes) and description.rstrip(b"\0 \r\n").endswith(b"OME>")


def description_of(tags: Tags) -> bytes:
    """Return the description of the first page, without what fills it up."""
    description: bytes = tags.get(DESCRIPTION, b"")
    return description.rstrip(b"\0 \r\n")


def is_tiff(head: bytes) -> bool:
    """Whether a file that starts with these (at least 16) bytes is a TIFF or BigTIFF file."""
    big = head[:4] in (b"II+\0", b"MM\0+") and len(head) >= 16
    return big or (head[:4] in (b"II*\0", b"MM\0*") and len(head) >= 8)
