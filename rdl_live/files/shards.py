"""Chunks within the shards of Zarr arrays: where each lies, to look at it before it is decoded.

A shard is one file of many chunks with an index of their offsets and lengths, at its end or its beginning (Zarr
enhancement proposal 2, https://zarr.dev/zeps/accepted/ZEP0002.html).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np

from rdl_live.errors import DataError

_ABSENT = 2**64 - 1
_ENTRY_BYTES, _CHECKSUM_BYTES = 16, 4


@dataclass(frozen=True)
class ShardIndex:
    """How the shards of an array are indexed."""

    codec: str
    """What packs the chunks, "" for plain ones."""
    at_start: bool
    checksum: bool

    @staticmethod
    def of(configuration: dict[str, Any]) -> "ShardIndex":
        """Read the configuration of the codec `sharding_indexed`.

        Raises:
            DataError: shards within shards, or an index that is packed itself.
        """
        inner = codec_names(configuration.get("codecs", []))
        index = codec_names(configuration.get("index_codecs", []))
        if "sharding_indexed" in inner:
            raise DataError("holds shards within shards, which are not read; save it with one level of them")
        if set(index) - {"bytes", "crc32c"}:
            raise DataError(f"has shards whose index is packed ({', '.join(index)}), which is not read")
        return ShardIndex(packed_by(inner), configuration.get("index_location") == "start", "crc32c" in index)

    def pieces(self, file: BinaryIO, shard: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """Yield (offset, bytes) of the chunks that are there.

        Raises:
            DataError: a chunk reaches beyond the file.
        """
        count = prod(-(-whole // part) for whole, part in zip(shard, chunk, strict=True))
        length = count * _ENTRY_BYTES
        size = file.seek(0, os.SEEK_END)
        file.seek(0 if self.at_start else max(0, size - length - _CHECKSUM_BYTES * self.checksum))
        content = file.read(length)
        if len(content) < length:
            raise DataError(f"a shard of {size} bytes has no room for its index; the file is damaged")
        for offset, bytes_ in np.frombuffer(content, "<u8").reshape(-1, 2).tolist():
            if offset == bytes_ == _ABSENT:
                continue
            if offset + bytes_ > size:
                raise DataError(f"a chunk reaches beyond its shard of {size} bytes; the file is damaged")
            yield offset, bytes_


def codec_names(codecs: Any) -> list[str]:
    """Return the names of a list of codecs, however they are written."""
    return [str(codec if isinstance(codec, str) else codec.get("name")) for codec in codecs]


def packed_by(names: list[str]) -> str:
    """Return the codec that makes chunks smaller, "" where there is none: a checksum after it changes nothing."""
    packing = [name for name in names if name != "crc32c"]
    return packing[-1] if packing else ""
