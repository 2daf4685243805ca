"""Files made to harm: refused in words, within bounded memory, and nothing outside is read, written or run.

Cases marked (fuzz) were found by `make fuzz`.
"""

import gzip
import io
import json
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from rdl_live.errors import ConfigError, DataError
from rdl_live.files import SrWriter, load_microscope, open_raw, read_provenance
from rdl_live.files.ome_xml import MAX_DEPTH, parse_ome, parse_xml
from rdl_live.files.stack import MAX_FRAMES
from rdl_live.optics.microscope import PatternGeometry

GEOMETRY = PatternGeometry()
MIB = 2**20
SHAPE = (6, 7)


@contextmanager
def within(megabytes: float) -> Iterator[None]:
    """Assert that the block takes no more memory than that."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MIB
    finally:
        tracemalloc.stop()


def read(path: Path) -> np.ndarray[Any, Any]:
    with open_raw(path, GEOMETRY) as raw:
        return raw[0]


# ---- TIFF ------------------------------------------------------------------------------------------------------------
def tiff(pieces: bytes, compression: int = 1, pages: int = 9, **changes: tuple[int, int, int]) -> bytes:
    """A TIFF file of `pages` pages that share their pixels; `changes`: t256=(type, count, value)."""
    tags = {
        **{256: (3, 1, SHAPE[1]), 257: (3, 1, SHAPE[0]), 258: (3, 1, 16), 259: (3, 1, compression), 262: (3, 1, 1)},
        **{273: (4, 1, 0), 277: (3, 1, 1), 278: (3, 1, SHAPE[0]), 279: (4, 1, len(pieces))},
    }
    tags |= {int(name[1:]): value for name, value in changes.items()}
    size = 2 + 12 * len(tags) + 4
    data = 8 + pages * size
    content = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        content += struct.pack("<H", len(tags))
        for code, (kind, count, value) in sorted(tags.items()):
            value = data if code == 273 and count == 1 else value
            content += struct.pack("<HHII", code, kind, count, value)
        content += struct.pack("<I", 8 + (page + 1) * size if page < pages - 1 else 0)
    return content + pieces


def deflated(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(MIB)) for _ in range(megabytes)]) + packer.flush()


def lzma_packed(megabytes: int) -> bytes:
    packer = lzma.LZMACompressor()
    return b"".join([packer.compress(bytes(MIB)) for _ in range(megabytes)]) + packer.flush()


@pytest.mark.parametrize(("code", "pack"), [(8, deflated), (34925, lzma_packed)], ids=["deflate", "lzma"])
def test_a_page_that_decodes_to_gigabytes(tmp_path: Path, code: int, pack: Callable[[int], bytes]) -> None:
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff(pack(275), code))
    with within(20), pytest.raises(DataError, match=r"bomb.tif: a .* piece holds more than the 84 bytes"):
        read(path)


def test_a_shape_of_infinity_is_no_shape(tmp_path: Path) -> None:
    """JSON reads 1e999 as infinity (fuzz)."""
    frames = np.arange(9 * 42, dtype=np.uint16).reshape(9, 6, 7)
    described = '{"shape": [1e999, 6, 7]}'
    tifffile.imwrite(tmp_path / "a.tif", frames, description=described, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").reshape(frames.shape), frames)


def test_a_large_piece_that_is_what_it_says_is_read(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 2**16, (9, 400, 500)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", frames, compression="zlib", rowsperstrip=400, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").reshape(frames.shape), frames)


TIFFS = {
    "huge tile": ({"t322": (4, 1, 2**15), "t323": (4, 1, 2**15)}, "tiles of"),
    "a million values": ({"t273": (4, 2**21, 8), "t279": (4, 2**21, 8)}, "claims 2097152 values"),
    "values that leave the file": ({"t273": (4, 1000, 2**30)}, "truncated"),
    "frame of a terabyte": ({"t256": (4, 1, 2**20), "t257": (4, 1, 2**20)}, "cannot be|truncated"),
    "no pixels": ({"t256": (4, 1, 0)}, "cannot be"),
}


@pytest.mark.parametrize(("changes", "says"), TIFFS.values(), ids=TIFFS)
def test_tiff_tags_that_cannot_be(tmp_path: Path, changes: dict[str, tuple[int, int, int]], says: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(bytes(84), compression=8 if "t322" in changes else 1, **changes))
    with within(20), pytest.raises(DataError, match=says):
        read(path)


def test_tags_that_share_their_values_are_not_read_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    shared = np.arange(20_000, dtype="<u4").tobytes()
    path.write_bytes(tiff(shared, pages=400, t273=(4, 20_000, 8), t279=(4, 20_000, 8)))
    with within(50), pytest.raises(DataError, match="claims 20000 values"):
        read(path)


def test_a_description_that_is_a_list_of_numbers(tmp_path: Path) -> None:
    """(fuzz)"""
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(bytes(84), t270=(3, 2, 0xFFFFFFFF)))
    assert read_provenance(path) == {}
    assert read(path).shape == (3, 3, *SHAPE)


# ---- OME-XML ---------------------------------------------------------------------------------------------------------
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><OME>&b;</OME>'
XML = {
    "billion laughs": (LAUGHS.encode(), "document type"),
    "hidden by UTF-16": (f'<?xml version="1.0" encoding="UTF-16"?>{LAUGHS}'.encode("utf-16-le"), "not UTF-8"),
    "nested": (b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1), "within each other"),
    "nested, not closed": (b"<a>" * 10**5, "within each other"),
    "many elements": (b"<a>" + b"<b/>" * 1000 + b"</a>", "more than 1000 elements"),
    "too large": (b"<a>" + b" " * 2**26 + b"</a>", "larger than any"),
}


@pytest.mark.parametrize(("xml", "says"), XML.values(), ids=XML)
def test_xml_made_to_harm(monkeypatch: pytest.MonkeyPatch, xml: bytes, says: str) -> None:
    monkeypatch.setattr("rdl_live.files.ome_xml.MAX_ELEMENTS", 1000)
    with pytest.raises(DataError, match=says):
        parse_xml(xml)


def ome(pixels: str, inner: str = "") -> bytes:
    return f'<OME><Image><Pixels DimensionOrder="XYCZT" {pixels}>{inner}</Pixels></Image></OME>'.encode()


OME = {
    "sizes": (ome(f'SizeT="{MAX_FRAMES + 1}"'), "cannot be"),
    "negative": (ome('SizeT="-1" SizeZ="-9"'), "cannot be"),
    "again and again": (ome('SizeT="5000"', '<TiffData PlaneCount="5000"/>' * 5000), "several times over"),
}


@pytest.mark.parametrize(("xml", "says"), OME.values(), ids=OME)
def test_ome_sizes_that_cannot_be(xml: bytes, says: str) -> None:
    with within(20), pytest.raises(DataError, match=says):
        parse_ome(xml, 5000)


def test_provenance_nested_without_end(tmp_path: Path) -> None:
    """(fuzz)"""
    path = tmp_path / "a.tif"
    with SrWriter(path, (1, 6, 7), 0.1, "a", {"k": 1}) as writer:
        writer.write(np.zeros((6, 7)))
    xml = tifffile.tiffcomment(path).replace(">1<", f">{'[' * 5000}<")
    tifffile.imwrite(path, np.zeros((6, 7), "f4"), description=xml, metadata=None)
    with pytest.raises(DataError, match="provenance is damaged"):
        read_provenance(path)


# ---- Zarr ------------------------------------------------------------------------------------------------------------
def zarr_file(folder: Path, version: int = 3, **changes: Any) -> Path:
    array = zarr.create_array(str(folder), shape=(9, 6, 7), chunks=(9, 6, 7), dtype="u2", zarr_format=version)
    array[:] = 1
    file = folder / ("zarr.json" if version == 3 else ".zarray")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return folder


def grid(*chunk: int) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": list(chunk)}}


ZARRS = {
    "a trillion frames": ({"shape": [10**12, 6, 7]}, "more than the"),
    "a frame of terabytes": ({"shape": [9, 2**20, 2**20]}, "cannot be"),
    "a series of gigabytes": ({"shape": [9, 2**14, 2**14], "chunk_grid": grid(1, 2**14, 2**14)}, "GiB"),
    "a chunk of terabytes": ({"chunk_grid": grid(2**20, 2**20, 1)}, "decoded at a time"),
    "chunks of a pixel (fuzz)": ({"shape": [9, 999, 999], "chunk_grid": grid(1, 1, 1)}, "each frame lies in 998001"),
    "negative": ({"shape": [-9, 6, 7]}, "damaged"),
    "text": ({"shape": "9"}, "damaged"),
    "nested": ({"attributes": json.loads("[" * 900 + "]" * 900)}, "damaged"),
}


@pytest.mark.parametrize(("changes", "says"), ZARRS.values(), ids=ZARRS)
def test_zarr_metadata_that_cannot_be(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with within(200), pytest.raises(DataError, match=says):
        read(zarr_file(tmp_path / "a.zarr", **changes))


CHUNKS = {
    "gzip": (2, {"id": "gzip", "level": 1}, lambda: gzip.compress(bytes(275 * MIB), 9)),
    "zlib": (2, {"id": "zlib", "level": 1}, lambda: deflated(275)),
    "blosc": (2, {"id": "blosc"}, lambda: b"\x02\x01\x01\x02" + struct.pack("<3I", 2**31 - 1, 0, 16)),
    "lz4": (2, {"id": "lz4"}, lambda: struct.pack("<I", 2**31 - 1) + bytes(40)),
    "zstd": (2, {"id": "zstd"}, lambda: b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**40) + bytes(40)),
}


@pytest.mark.parametrize(("version", "compressor", "make"), CHUNKS.values(), ids=CHUNKS)
def test_zarr_chunks_that_decode_to_gigabytes(
    tmp_path: Path, version: int, compressor: dict[str, Any], make: Callable[[], bytes]
) -> None:
    folder = zarr_file(tmp_path / "a.zarr", version, compressor=compressor)
    (folder / "0.0.0").write_bytes(make())
    with within(20), pytest.raises(DataError, match="holds more than the 756 bytes"):
        read(folder)


# ---- YAML and the files that it names -------------------------------------------------------------------------------
GOOD = "name: m\noptics: {na: 1.3, pixel_size_um: 0.06}\nchannels: [{name: a, excitation_nm: 488, emission_nm: 525}]\n"
YAMLS = {
    "billion laughs": ("a: &a [ha, ha]\nb: &b [*a, *a]\nc: [*b, *b]\n", "references"),
    "code": ("name: !!python/object/apply:os.system ['touch run']\n", "could not determine a constructor"),
    "code by another name": ("!!python/name:os.system\n", "could not determine a constructor"),
    "nested": ("a: " + "[" * 5000 + "]" * 5000 + "\n", "nested deeper"),
    "a number of a megabyte": ("name: " + "1:" * 20_000 + "1\n", "longer than 4096"),
    "too large": (GOOD + "#" * 2**18, "larger than"),
}


@pytest.mark.parametrize(("text", "says"), YAMLS.values(), ids=YAMLS)
def test_yaml_made_to_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(text)
    with within(20), pytest.raises(ConfigError, match=says):
        load_microscope("m.yaml")
    assert [file.name for file in tmp_path.iterdir()] == ["m.yaml"], "something was run"


PLACES = {
    "up": ("../otf.mrc", "leads out of the folder"),
    "up, hidden": ("a/../../otf.mrc", "leads out of the folder"),
    "up, on Windows": ("..\\\\otf.mrc", "leads out of the folder"),
    "a server, which would be logged in to": ("\\\\\\\\host\\\\share\\\\otf.mrc", "other computers"),
    "likewise": ("//host/share/otf.mrc", "other computers"),
    "an address": ("https://host/otf.mrc", "other computers"),
    "a device": ("/dev/zero", "does not exist"),
    "no name of a file (fuzz)": ("x" * 300, "cannot be read|at most"),
}


@pytest.mark.parametrize(("place", "says"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("key", ["optics.otf_file", "camera.gain_file", "hardware.config"])
def test_files_that_a_microscope_file_may_not_name(root: Path, tmp_path: Path, key: str, place: str, says: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "otf.mrc").write_bytes(b"there, but not to be read")
    old, new = {
        "optics.otf_file": ("na: 1.49", "na: 1.49\n  otf_file: "),
        "camera.gain_file": ("read_noise_e: 1.6", "gain_file: "),
        "hardware.config": ("config: demo.cfg", "config: "),
    }[key]
    text = (root / "configs" / "demo.yaml").read_text()
    (tmp_path / "in" / "demo.cfg").touch()
    (tmp_path / "in" / "m.yaml").write_text(text.replace(old, f'{new}"{place}"'))
    with pytest.raises(ConfigError, match=says) as caught:
        load_microscope(tmp_path / "in" / "m.yaml")
    assert key in str(caught.value)


# ---- archives --------------------------------------------------------------------------------------------------------
def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../outside.tif", b"II*\0")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../outside.tif"))
    return stream.getvalue()


ARCHIVES = {
    "zip": zipped(),
    "tar": tarred(),
    "gzip": gzip.compress(b"a"),
    "rar": b"Rar!\x1a\x07",
    "xz": lzma.compress(b"a"),
}


@pytest.mark.parametrize(("kind", "content"), ARCHIVES.items(), ids=ARCHIVES)
def test_archives_are_refused_and_not_looked_into(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / "cells.tif"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"cells.tif: an? {kind} archive: unpack it first"):
        open_raw(path, GEOMETRY)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_super_resolved_image_with_nan_is_saved(tmp_path: Path, value: float) -> None:
    image = np.zeros((6, 7))
    image[2, 3] = value
    with (
        pytest.raises(DataError, match="never saved"),
        SrWriter(tmp_path / "a.tif", (1, 6, 7), 0.1, "a", {}) as writer,
    ):
        writer.write(image)
    assert not [*tmp_path.iterdir()]
