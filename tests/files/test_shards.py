"""Chunks within shards are looked at before they are decoded."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec

from rdl_live.errors import DataError
from rdl_live.files.zarr_raw import open_zarr

VALUES = np.random.default_rng(3).integers(0, 9, (2, 3, 8, 10)).astype(np.uint16)
HUGE = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**40)
"""Head of a Zstandard frame that says it holds a terabyte."""


def sharded(path: Path, location: str = "end", packing: tuple[Any, ...] = ()) -> Path:
    codec = ShardingCodec(
        chunk_shape=(1, 1, 8, 10),
        codecs=packing or (BytesCodec(), ZstdCodec()),
        index_codecs=(BytesCodec(), Crc32cCodec()),
        index_location=location,  # type: ignore[arg-type]
    )
    array = zarr.create_array(
        store=str(path), shape=VALUES.shape, dtype="u2", chunks=(1, 3, 8, 10), serializer=codec, compressors=None
    )
    array[:] = VALUES
    return path


def frames(path: Path) -> np.ndarray:
    raw = open_zarr(path)
    out = np.empty((6, 8, 10), np.uint16)
    raw.source.read(np.arange(6), out)
    return out


def break_first(path: Path, location: str, what: bytes) -> None:
    """Overwrite the first chunk of the first shard."""
    file = path / "c" / "0" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    index = content[:48] if location == "start" else content[-52:-4]
    offset = min(struct.unpack("<6Q", index)[::2])
    content[offset : offset + len(what)] = what
    file.write_bytes(content)


@pytest.mark.parametrize("location", ["end", "start"])
@pytest.mark.parametrize("packing", [(), (BytesCodec(), ZstdCodec(), Crc32cCodec())], ids=["zstd", "with checksum"])
def test_shards_are_read_and_their_bombs_refused(tmp_path: Path, location: str, packing: tuple[Any, ...]) -> None:
    path = sharded(tmp_path / "a.zarr", location, packing)
    np.testing.assert_array_equal(frames(path), VALUES.reshape(6, 8, 10))
    break_first(path, location, HUGE)
    with pytest.raises(DataError, match="a zstd piece holds more than the 160 bytes"):
        frames(path)


def test_damaged_indices_are_told(tmp_path: Path) -> None:
    path = sharded(tmp_path / "a.zarr")
    file = path / "c" / "0" / "0" / "0" / "0"
    whole = file.read_bytes()
    file.write_bytes(whole[:20])
    with pytest.raises(DataError, match="no room for its index"):
        frames(path)
    file.write_bytes(whole[:-52] + struct.pack("<6Q", 10**9, 5, 0, 5, 0, 5) + whole[-4:])
    with pytest.raises(DataError, match="reaches beyond its shard"):
        frames(path)


def test_shards_within_shards_are_refused(tmp_path: Path) -> None:
    path = sharded(tmp_path / "a.zarr")
    described = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    inner = described["codecs"][0]["configuration"]
    inner["codecs"] = [{"name": "sharding_indexed", "configuration": dict(inner)}]
    (path / "zarr.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(DataError, match="shards within shards"):
        frames(path)
