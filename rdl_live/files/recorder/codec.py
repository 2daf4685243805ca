"""Blocks of pixels to chunk bytes and back, in the standard "bytes" and "blosc" codecs of Zarr 3."""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import Blosc

from rdl_live.files.recorder.layout import StreamLayout

Block = npt.NDArray[Any]
_BLOSC_HEADER = 16
_SHUFFLE = {"lz4": ("bitshuffle", Blosc.BITSHUFFLE), "zstd": ("shuffle", Blosc.SHUFFLE)}


def stored_type(layout: StreamLayout) -> np.dtype[Any]:
    """Return the number type on disk: little-endian."""
    return np.dtype(layout.dtype).newbyteorder("<")


def codec_metadata(layout: StreamLayout) -> list[dict[str, Any]]:
    """Return the "codecs" of the array's zarr.json."""
    codecs: list[dict[str, Any]] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    if layout.compression != "none":
        blosc = {
            "cname": layout.compression,
            "clevel": 1,
            "shuffle": _SHUFFLE[layout.compression][0],
            "typesize": np.dtype(layout.dtype).itemsize,
            "blocksize": 0,
        }
        codecs.append({"name": "blosc", "configuration": blosc})
    return codecs


def encode_block(layout: StreamLayout, values: Block) -> memoryview:
    """Return the bytes to store for a C-contiguous block."""
    stored = values.astype(stored_type(layout), copy=False)
    if layout.compression == "none":
        return stored.reshape(-1).view(np.uint8).data
    shuffle = _SHUFFLE[layout.compression][1]
    return memoryview(Blosc(layout.compression, 1, shuffle).encode(stored))


def largest_chunk(layout: StreamLayout) -> int:
    """Return the most bytes that a chunk of this layout takes: what cannot be compressed is stored as it is."""
    return layout.block_bytes + _BLOSC_HEADER


def decode_block(layout: StreamLayout, content: bytes) -> Block:
    """Return the block that the bytes hold.

    Raises:
        ValueError, RuntimeError: they hold no block of this layout.
    """
    plain = content if layout.compression == "none" else _decompress(content, layout.block_bytes)
    return np.frombuffer(plain, stored_type(layout)).reshape(layout.block_shape)


def _decompress(content: bytes, size: int) -> Any:
    """Decompress after a look at the header: the library believes whatever sizes stand there.

    Source: c-blosc's README_CHUNK_FORMAT; version, inner version, flags, item size, then three 32-bit sizes.
    """
    if len(content) < _BLOSC_HEADER:
        raise ValueError(f"{len(content)} bytes are no compressed chunk")
    plain_bytes, _, stored_bytes = struct.unpack_from("<3I", content, 4)
    if plain_bytes != size or stored_bytes != len(content):
        raise ValueError(f"a compressed chunk of {stored_bytes} bytes that gives {plain_bytes}, expected {size}")
    return Blosc().decode(content)


def frame_crc(frame: Block) -> int:
    """Return the CRC-32 of a frame's pixels, little-endian, row by row."""
    return zlib.crc32(np.ascontiguousarray(frame, frame.dtype.newbyteorder("<")).data)
