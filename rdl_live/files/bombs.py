"""Compressed pixels that would fill the memory when decoded.

A megabyte of deflated zeros is a gigabyte, and a tile may be larger than any image. tifffile and Zarr decode what they
find, so it is looked at before; what cannot become large is not looked at, and nothing of a look is kept.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from math import prod
from typing import Any, Protocol

import tifffile

from rdl_live.errors import DataError

HARMLESS_BYTES = 2**28
"""A piece that cannot become larger than this is decoded without a look."""
SMALL_TILE = 2**22
"""Pixels of a tile that is believed even if the image is smaller."""
TIFF_CODECS = {
    **{1: "", 5: "", 32773: "", 50000: "", 34926: ""},
    **{8: "zlib", 32946: "zlib", 50013: "zlib", 34925: "lzma"},
    **dict.fromkeys((33003, 33004, 33005, 34712), "jpeg2000"),
}
"""Compressions of TIFF files that are read. LZW, PackBits and Zstandard decode into room of the right size: no look."""
LOSSY = {6, 7, 33007, 34892}
RATIOS = {"zlib": 1032, "gzip": 1032, "lzma": 8000, "bz2": 50_000}
"""How many times larger than its bytes a piece can be at most (zlib's documentation; tried with zeros)."""
_STEP = 2**20


class _Decoder(Protocol):
    """The incremental decoders of Python's bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def check_page(page: tifffile.TiffPage, file: Any) -> None:
    """Refuse a page whose strips or tiles hold far more than they should.

    Args:
        page: the page, not decoded yet.
        file: to read its pieces from.

    Raises:
        DataError: they do.
    """
    code = int(page.compression)
    if code not in TIFF_CODECS:
        what = "JPEG, which changes the values" if code in LOSSY else f"a method (number {code}) that is not read"
        raise DataError(f"is compressed with {what}; export it uncompressed, or with LZW, Deflate or Zstd")
    pixels = prod(page.chunks)
    if pixels > max(prod(page.shape), SMALL_TILE):
        raise DataError(f"has tiles of {pixels} pixels in a page of {prod(page.shape)}; the file is damaged")
    allowed = pixels * max(page.bitspersample // 8, 1)
    codec = TIFF_CODECS[code]
    for place, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        if may_be_large(codec, size, allowed):
            file.seek(place)
            check_piece(codec, file.read(size), allowed)


def may_be_large(codec: str, size: int, allowed: int) -> bool:
    """Whether a piece of `size` bytes is worth a look; those that begin with their size always are."""
    return codec in _HEADERS or codec == "jpeg2000" or size * RATIOS.get(codec, 0) > max(HARMLESS_BYTES, allowed)


def check_piece(codec: str, content: bytes, allowed: int) -> None:
    """Refuse a piece that decodes to more than `allowed` bytes.

    Raises:
        DataError: it does.
    """
    if codec == "jpeg2000":
        done = _jpeg2000_size(content)
    elif codec in _HEADERS:
        done = _HEADERS[codec](content)
    elif codec in ("zlib", "gzip"):
        done = _inflated(content, allowed)
    else:
        done = _decoded(bz2.BZ2Decompressor() if codec == "bz2" else lzma.LZMADecompressor(), content, allowed)
    if done > allowed:
        raise DataError(f"a {codec} piece holds more than the {allowed} bytes that belong there; the file is refused")


def _inflated(content: bytes, enough: int) -> int:
    """Count what a piece decodes to, at least up to `enough`; one that ends too early, decoding it will tell."""
    decoder, done, rest = zlib.decompressobj(zlib.MAX_WBITS | 32), 0, content
    while rest and not decoder.eof and done <= enough:
        done += len(decoder.decompress(rest, _STEP))
        rest = decoder.unconsumed_tail
    return done


def _decoded(decoder: _Decoder, content: bytes, enough: int) -> int:
    done, rest = 0, content
    while not decoder.eof and done <= enough:
        got = len(decoder.decompress(rest, _STEP))
        if not got and decoder.needs_input:
            break
        done, rest = done + got, b""
    return done


def _blosc_size(content: bytes) -> int:
    return int(struct.unpack_from("<I", content, 4)[0]) if len(content) >= 16 else 0


def _lz4_size(content: bytes) -> int:
    return int(struct.unpack_from("<I", content)[0]) if len(content) >= 4 else 0


def _zstd_size(content: bytes) -> int:
    """Return the size that a Zstandard frame states (RFC 8878, 3.1.1.1); 0 where it states none."""
    if len(content) < 18 or content[:4] != b"\x28\xb5\x2f\xfd":
        return 0
    descriptor = content[4]
    single, flag = descriptor >> 5 & 1, descriptor >> 6
    place = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    length = (single, 2, 4, 8)[flag]
    return int.from_bytes(content[place : place + length], "little") + (256 if flag == 1 else 0)


def _jpeg2000_size(content: bytes) -> int:
    """Return the least bytes that a JPEG 2000 image takes (ISO 15444-1, A.5.1: marker SIZ); many without a marker."""
    place = content[:65536].find(b"\xff\x4f\xff\x51")
    if place < 0 or len(content) < place + 42:
        return 2**63
    right, bottom, left, top = struct.unpack_from(">4I", content, place + 8)
    (components,) = struct.unpack_from(">H", content, place + 40)
    return int((right - left) * (bottom - top) * components)


_HEADERS: dict[str, Callable[[bytes], int]] = {"blosc": _blosc_size, "lz4": _lz4_size, "zstd": _zstd_size}
"""Codecs whose pieces say how large they become, and whose libraries believe it."""
HEADED = frozenset(_HEADERS)
HEADER_BYTES = 18
"""Bytes of a piece that say it."""
