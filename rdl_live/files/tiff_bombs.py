"""Compressed pages that would fill the memory when decoded.

A megabyte of deflated zeros is a gigabyte, and a tile may be larger than any image. tifffile decodes what it finds,
so it is looked at before; the pixels of ordinary files are not decoded twice.
"""

import lzma
import zlib
from math import prod
from typing import Any

import tifffile

from rdl_live.errors import DataError

RATIOS = {8: 1032, 32946: 1032, 50013: 1032, 34925: 8000}
"""How many times larger than its bytes a piece can be at most, by compression: deflate (zlib's documentation), LZMA."""
LZMA_CODE = 34925
HARMLESS_BYTES = 2**28
"""A piece that cannot become larger than this is decoded without a look."""
SMALL_TILE = 2**22
"""Pixels of a tile that is believed even if the image is smaller."""
_STEP = 2**20


def check_bombs(page: tifffile.TiffPage, file: Any) -> None:
    """Refuse a page whose strips or tiles hold far more than they should.

    Args:
        page: the page, not decoded yet.
        file: to read its pieces from.

    Raises:
        DataError: they do.
    """
    pixels = prod(page.chunks)
    if pixels > max(prod(page.shape), SMALL_TILE):
        raise DataError(f"has tiles of {pixels} pixels in a page of {prod(page.shape)}; the file is damaged")
    allowed = pixels * max(page.bitspersample // 8, 1)
    ratio = RATIOS.get(int(page.compression), 0)
    for place, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        if size * ratio > max(HARMLESS_BYTES, allowed):
            file.seek(place)
            _check_piece(file.read(size), allowed, int(page.compression) == LZMA_CODE)


def _check_piece(content: bytes, allowed: int, is_lzma: bool) -> None:
    """Decode a piece a little at a time, and keep none of it."""
    done = _lzma_bytes(content, allowed) if is_lzma else _deflated_bytes(content, allowed)
    if done > allowed:
        raise DataError(f"a piece of {len(content)} bytes holds more than the {allowed} that belong there; refused")


def _deflated_bytes(content: bytes, enough: int) -> int:
    """Count what a piece decodes to, at least up to `enough`; one that ends too early, decoding it will tell."""
    decoder, done, rest = zlib.decompressobj(), 0, content
    while rest and not decoder.eof and done <= enough:
        done += len(decoder.decompress(rest, _STEP))
        rest = decoder.unconsumed_tail
    return done


def _lzma_bytes(content: bytes, enough: int) -> int:
    decoder, done, rest = lzma.LZMADecompressor(), 0, content
    while not decoder.eof and done <= enough:
        got = len(decoder.decompress(rest, _STEP))
        if not got and decoder.needs_input:
            break
        done, rest = done + got, b""
    return done
