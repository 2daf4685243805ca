"""ND2 and LIF through the libraries that read them, from files that these did not write.

There are no files of the makers' own programs here; these are written from the published structure of the formats
(ND2: tagged chunks with a map at the end; LIF: XML, then memory blocks), as recordings of these programs are laid out.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdl_live.errors import DataError
from rdl_live.files import open_raw
from rdl_live.files.raw import RawRequest, request_for
from rdl_live.optics import Channel, PatternGeometry

FILM = np.random.default_rng(5).integers(0, 60000, (18, 2, 24, 20)).astype(np.uint16)
"""Two series in two colours: (frame, colour, y, x)."""
GREEN = Channel(name="488", excitation_nm=488, emission_nm=525)
RED = Channel(name="561", excitation_nm=561, emission_nm=605)
GEOMETRY = PatternGeometry(angles=3, phases=3)
ND2_MAGIC, ND2_PAGE = 0x0ABECEDA, 4096
"""Pixels begin one page after their chunk, behind a time stamp."""


def tagged(name: str, value: Any) -> bytes:
    """One item of ND2's tagged binary form: kind, length of the name, name, value."""
    letters = name.encode("utf-16-le") + b"\0\0"

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack("<BB", kind, len(name) + 1) + letters + content

    match value:
        case int():
            return item(3, struct.pack("<I", value))
        case float():
            return item(6, struct.pack("<d", value))
        case str():
            return item(8, value.encode("utf-16-le") + b"\0\0")
    inner = [tagged(key, one) for key, one in value.items()]
    head = len(letters) + 2 + 12
    offsets = np.cumsum([head, *map(len, inner)])[:-1].astype("<u8")
    length = head + sum(map(len, inner))
    return item(11, struct.pack("<IQ", len(inner), length) + b"".join(inner) + offsets.tobytes())


def plane(channel: Channel) -> dict[str, Any]:
    """What ND2 says of a colour."""

    def spectrum(nm: float | None) -> dict[str, Any]:
        return {"uiCount": 1, "pPoint": {"Point0": {"eType": 4, "dWavelength": float(nm or 0), "dTValue": 1.0}}}

    probe = {
        "m_sName": channel.name,
        "m_ExcitationSpectrum": spectrum(channel.excitation_nm),
        "m_EmissionSpectrum": spectrum(channel.emission_nm),
    }
    return {"uiCompCount": 1, "uiColor": 255, "sDescription": channel.name, "pFluorescentProbe": probe}


def write_nd2(path: Path, film: np.ndarray, colours: list[Channel], pixel_um: float) -> None:
    """Write a time loop (frame, colour, y, x) as ND2, version 3."""
    count, comps, rows, columns = film.shape
    whole, places = b"", []

    def chunk(name: bytes, data: bytes, room: int = 0) -> None:
        nonlocal whole
        places.append((name, len(whole), len(data)))
        name = name.ljust(room, b"\0")
        whole += struct.pack("<IIQ", ND2_MAGIC, len(name), len(data)) + name + data

    whole += struct.pack("<IIQ", ND2_MAGIC, 32, 64) + b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0")
    whole = whole.ljust(ND2_PAGE, b"\0")
    size = {"uiWidth": columns, "uiHeight": rows, "uiWidthBytes": 2 * columns * comps, "uiComp": comps}
    bits = {"uiBpcInMemory": 16, "uiBpcSignificant": 16, "uiSequenceCount": count, "eCompression": 2}
    chunk(b"ImageAttributesLV!", tagged("SLxImageAttributes", {**size, **bits, "uiVirtualComponents": comps}))
    periods = ("dDuration", "dMinPeriodDiff", "dMaxPeriodDiff", "dAvgPeriodDiff")
    loop = {"uiCount": count, "dStart": 0.0, "dPeriod": 10.0, **dict.fromkeys(periods, 0.0)}
    chunk(b"ImageMetadataLV!", tagged("SLxExperiment", {"eType": 1, "uLoopPars": loop, "uiNextLevelCount": 0}))
    planes = {f"a{number}": plane(colour) for number, colour in enumerate(colours)}
    seen = {
        "dCalibration": pixel_um,
        "bCalibrated": 1,
        "sPicturePlanes": {"uiCount": comps, "uiCompCount": comps, "sPlaneNew": planes},
    }
    chunk(b"ImageMetadataSeqLV|0!", tagged("SLxPictureMetadata", seen))
    for number, frame in enumerate(film):
        pixels = np.ascontiguousarray(frame.transpose(1, 2, 0)).astype("<u2").tobytes()
        chunk(f"ImageDataSeq|{number}!".encode(), struct.pack("<d", 10.0 * number) + pixels, ND2_PAGE - 16 - 8)
    body = b"".join(name + struct.pack("<QQ", at, length) for name, at, length in places)
    body += b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(whole))
    whole += struct.pack("<IIQ", ND2_MAGIC, 32, len(body)) + b"ND2 FILEMAP SIGNATURE NAME 0001!" + body
    path.write_bytes(whole)


def write_lif(path: Path, images: dict[str, np.ndarray], pixel_um: float) -> None:
    """Write images (frame, colour, y, x) by their names as LIF, version 2."""
    elements, blocks = "", b""
    for number, (name, film) in enumerate(images.items()):
        count, comps, rows, columns = film.shape
        bytes_a_frame = 2 * columns * rows
        dims = (
            (1, columns, 2, (columns - 1) * pixel_um * 1e-6, "m"),
            (2, rows, 2 * columns, (rows - 1) * pixel_um * 1e-6, "m"),
            (4, count, bytes_a_frame * comps, count - 1, "s"),
        )
        described = "".join(
            f'<DimensionDescription DimID="{axis}" NumberOfElements="{n}" Origin="0" Length="{length}" Unit="{unit}" '
            f'BitInc="0" BytesInc="{step}"/>'
            for axis, n, step, length, unit in dims
        )
        channels = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" Min="0" Max="65535" LUTName="Green" '
            f'NameOfMeasuredQuantity="" Unit="" IsLUTInverted="0" BytesInc="{bytes_a_frame * comp}" BitInc="0"/>'
            for comp in range(comps)
        )
        elements += (
            f'<Element Name="{name}" UniqueID="{number}"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
            f"<Dimensions>{described}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{film.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element>'
        )
        ident = f"MemBlock_{number}".encode("utf-16-le")
        head = struct.pack("<BQBI", 0x2A, film.nbytes, 0x2A, len(ident) // 2)
        blocks += struct.pack("<II", 0x70, len(head) + len(ident)) + head + ident + film.astype("<u2").tobytes()
    text = (
        '<LMSDataContainerHeader Version="2"><Element Name="day.lif" UniqueID="r"><Data><Experiment/></Data>'
        f'<Memory Size="0" MemoryBlockID="MemBlock_r"/><Children>{elements}</Children></Element>'
        "</LMSDataContainerHeader>"
    ).encode("utf-16-le")
    path.write_bytes(struct.pack("<IIBI", 0x70, 5 + len(text), 0x2A, len(text) // 2) + text + blocks)


def test_nd2_is_read_by_names_of_its_colours(tmp_path: Path) -> None:
    pytest.importorskip("nd2", reason="reading ND2 is an extra")
    write_nd2(tmp_path / "cell.nd2", FILM, [RED, GREEN], 0.065)
    for number, channel in enumerate((RED, GREEN)):
        with open_raw(tmp_path / "cell.nd2", GEOMETRY, request_for([GREEN, RED], channel)) as raw:
            assert raw.shape == (2, 3, 3, 24, 20)
            assert raw.pixel_size_um == 0.065
            assert raw.channel == channel
            np.testing.assert_array_equal(raw.read().reshape(18, 24, 20), FILM[:, number])


def test_lif_is_read_image_by_image(tmp_path: Path) -> None:
    pytest.importorskip("liffile", reason="reading LIF is an extra")
    write_lif(tmp_path / "day.lif", {"cell 1": FILM[:, :1], "cell 2": FILM[:, 1:]}, 0.065)
    with open_raw(tmp_path / "day.lif", GEOMETRY) as raw:
        assert raw.positions == ("cell 1", "cell 2")
        assert raw.grid == (2, 2, 1)
        assert raw.pixel_size_um == pytest.approx(0.065)
        np.testing.assert_array_equal(raw.read().reshape(2, 18, 24, 20), FILM.swapaxes(0, 1))
    with open_raw(tmp_path / "day.lif", GEOMETRY, RawRequest(position="cell 2")) as raw:
        np.testing.assert_array_equal(raw.read().reshape(18, 24, 20), FILM[:, 1])


@pytest.mark.parametrize("kind", ["nd2", "lif"])
def test_a_cut_file_is_refused_or_says_so(tmp_path: Path, kind: str) -> None:
    pytest.importorskip({"nd2": "nd2", "lif": "liffile"}[kind], reason="an extra")
    path = tmp_path / f"cut.{kind}"
    if kind == "nd2":
        write_nd2(path, FILM, [GREEN, RED], 0.065)
    else:
        write_lif(path, {"cell": FILM[:, :1]}, 0.065)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(DataError, match=path.name), open_raw(path, GEOMETRY, request_for([GREEN, RED], None)) as raw:
        raw.read()
