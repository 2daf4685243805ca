"""TIFF files of all kinds read as what was written; damage and foreign content are refused."""

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdl_live.errors import DataError, RdlError
from rdl_live.files import open_raw
from rdl_live.optics.microscope import PatternGeometry, SeriesOrder
from tests.raw_files import write_raw

GEOMETRY = PatternGeometry(angles=3, phases=5)
REAL = Path(__file__).parents[3] / "shared" / "data" / "b-sim-mitochondria" / "bsim2_hela_mito_120_raw.tif"
DTYPES = ["u1", "i2", "u2", "u4", "i4", "f4", "f8"]


def series(times: int = 2, dtype: str = "u2", size: tuple[int, int] = (6, 7)) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(times)
    return rng.integers(0, 120, (times, 3, 5, *size)).astype(dtype)


def read(path: Path, geometry: PatternGeometry = GEOMETRY, **options: Any) -> np.ndarray[Any, Any]:
    with open_raw(path, geometry, **options) as raw:
        assert raw.shape[0] == len(raw)
        values = raw.read()
        assert values.shape == raw.shape
        assert values.dtype == raw.dtype
        assert values.dtype.isnative
        return values


@pytest.mark.skipif(not REAL.exists(), reason=f"the recording {REAL.name} is not here")
def test_reads_the_real_recording() -> None:
    with open_raw(REAL, PatternGeometry()) as raw:
        assert raw.shape == (1, 3, 3, 120, 120)
        assert raw.saturation is None
        assert raw.pixel_size_um is None  # one pixel a micrometre: never calibrated
        np.testing.assert_array_equal(raw[0].reshape(9, 120, 120), tifffile.imread(REAL))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_stacks(dtype: str, bigtiff: bool, byteorder: Any, tmp_path: Path) -> None:
    values = series(dtype=dtype)
    path = tmp_path / "a.tif"
    stack = values.reshape(-1, 6, 7)
    tifffile.imwrite(path, stack, bigtiff=bigtiff, byteorder=byteorder, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(read(path), values)


OPTIONS: dict[str, dict[str, Any]] = {
    "one directory for all": {"truncate": True},
    "deflate": {"compression": "zlib", "predictor": True},
    "tiled": {"tile": (16, 16)},
    "strips of two rows": {"rowsperstrip": 2},
    "no metadata": {"metadata": None},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_layouts(options: dict[str, Any], tmp_path: Path) -> None:
    values = series()
    tifffile.imwrite(tmp_path / "a.tif", values.reshape(-1, 6, 7), photometric="minisblack", **options)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), values)


def test_axes_named_by_tifffile(tmp_path: Path) -> None:
    values = series()
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values.swapaxes(1, 2), metadata={"axes": "TPAYX"}, photometric="minisblack")
    np.testing.assert_array_equal(read(path), values)


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX", "TZCYX"])
def test_imagej_hyperstacks(axes: str, tmp_path: Path) -> None:
    values = series(2)
    shapes = {"ZYX": (30,), "TYX": (30,), "TZYX": (2, 15), "TZCYX": (2, 15, 1)}
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        values.reshape(*shapes[axes], 6, 7),
        imagej=True,
        metadata={"axes": axes, "unit": "um"},
        resolution=(1 / 0.065, 1 / 0.065),
    )
    np.testing.assert_array_equal(read(path), values)
    with open_raw(path, GEOMETRY) as raw:
        assert raw.pixel_size_um == pytest.approx(0.065, rel=1e-5)


@pytest.mark.parametrize("channel", [None, 0, 1])
def test_colours(channel: int | None, tmp_path: Path) -> None:
    one, two = series(1), series(2)[1:]
    both = np.stack([one, two], axis=3).reshape(15, 2, 6, 7)  # z, c
    for options in ({"imagej": True}, {"ome": True}):
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, both, metadata={"axes": "ZCYX"}, photometric="minisblack", **options)
        np.testing.assert_array_equal(read(path, channel=channel), two if channel else one)


def ome_xml(
    order: str, sizes: dict[str, int], modulo: str, reference: str = "<AnnotationRef ID='Annotation:9'/>"
) -> str:
    size = " ".join(f"Size{letter}='{n}'" for letter, n in {**sizes, "X": 7, "Y": 6}.items())
    return (
        "<?xml version='1.0'?><OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06'>"
        f"<Image ID='Image:0'><Pixels ID='Pixels:0' DimensionOrder='XY{order}' Type='uint16' {size} "
        "PhysicalSizeX='65' PhysicalSizeXUnit='nm' PhysicalSizeY='65' PhysicalSizeYUnit='nm'>"
        f"<TiffData/></Pixels>{reference}</Image><StructuredAnnotations>"
        "<XMLAnnotation ID='Annotation:9' Namespace='openmicroscopy.org/omero/dimension/modulo'><Value>"
        f"<Modulo namespace='http://www.openmicroscopy.org/Schemas/Additions/2011-09'>{modulo}</Modulo>"
        "</Value></XMLAnnotation></StructuredAnnotations></OME>"
    )


def range_of(letter: str, kind: str, n: int) -> str:
    return f"<ModuloAlong{letter} Type='{kind}' Start='0' Step='10' End='{10 * (n - 1)}'/>"


def labels_of(letter: str, kind: str, n: int) -> str:
    return f"<ModuloAlong{letter} Type='{kind}'>{'<Label>x</Label>' * n}</ModuloAlong{letter}>"


def write_ome(path: Path, planes: np.ndarray[Any, Any], xml: str) -> Path:
    stack = planes.reshape(-1, 6, 7)
    tifffile.imwrite(path, stack, description=xml, metadata=None, photometric="minisblack", ome=False)
    return path


# Each case: order (fastest first), sizes, modulo, and the axes of the planes as they lie (slowest first).
MODULO = {
    "angle along z, phase along t": ("ZTC", {"Z": 3, "T": 10, "C": 1}, {"Z": "angle", "T": "phase"}, "TPA"),
    "phase along z, angle along t": ("ZTC", {"Z": 5, "T": 6, "C": 1}, {"Z": "phase", "T": "angle"}, "TAP"),
    "angle along c, phase along z": ("CZT", {"Z": 5, "T": 2, "C": 3}, {"C": "angle", "Z": "phase"}, "TPA"),
    "phase along c, angle along t": ("CZT", {"Z": 1, "T": 6, "C": 5}, {"C": "phase", "T": "angle"}, "TAP"),
    "phase fastest, time slow": ("ZCT", {"Z": 5, "T": 2, "C": 3}, {"Z": "phase", "C": "angle"}, "TAP"),
    "time fastest": ("TZC", {"Z": 5, "T": 2, "C": 3}, {"Z": "phase", "C": "angle"}, "APT"),
    "only angle named": ("ZTC", {"Z": 3, "T": 10, "C": 1}, {"Z": "angle"}, "TPA"),
    "only phase named": ("ZTC", {"Z": 5, "T": 6, "C": 1}, {"Z": "phase"}, "TAP"),
}


@pytest.mark.parametrize("spelt", [range_of, labels_of])
@pytest.mark.parametrize("case", MODULO.values(), ids=MODULO)
@pytest.mark.parametrize("order", list(SeriesOrder))
def test_modulo_annotations(case: Any, spelt: Any, order: SeriesOrder, tmp_path: Path) -> None:
    dimensions, sizes, named, layout = case
    values = series()
    planes = values.transpose([*("TAP".index(letter) for letter in layout), 3, 4])
    counts = {"angle": 3, "phase": 5}
    modulo = "".join(spelt(letter, kind, counts[kind]) for letter, kind in named.items())
    path = write_ome(tmp_path / "a.ome.tif", planes, ome_xml(dimensions, sizes, modulo))
    geometry = PatternGeometry(angles=3, phases=5, order=order)
    np.testing.assert_array_equal(read(path, geometry), values)
    with open_raw(path, geometry) as raw:
        assert raw.pixel_size_um == pytest.approx(0.065)


def test_modulo_without_reference_is_understood(tmp_path: Path) -> None:
    values = series(1)
    xml = ome_xml("ZTC", {"Z": 3, "T": 5, "C": 1}, range_of("Z", "angle", 3), reference="")
    path = write_ome(tmp_path / "a.tif", values.swapaxes(1, 2), xml)
    np.testing.assert_array_equal(read(path), values)


def test_tifffile_writes_modulo_that_we_read(tmp_path: Path) -> None:
    values = series()
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, values, ome=True, metadata={"axes": "TAPYX"}, photometric="minisblack")
    np.testing.assert_array_equal(read(path), values)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.integers(1, 3),
    angles=st.integers(1, 5),
    phases=st.integers(3, 6),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from(["u1", "i2", "u2", "i4", "u4", "f4", "f8"]),
    order=st.sampled_from(list(SeriesOrder)),
    seed=st.integers(0, 99),
)
def test_what_is_written_is_read_back(
    tmp_path: Path, times: int, angles: int, phases: int, size: Any, dtype: str, order: SeriesOrder, seed: int
) -> None:
    geometry = PatternGeometry(angles=angles, phases=phases, order=order)
    values = np.random.default_rng(seed).integers(0, 100, (times, angles, phases, *size)).astype(dtype)
    path = tmp_path / "a.tif"
    write_raw(path, values, geometry, 0.065, dtype=dtype, overwrite=True)
    with open_raw(path, geometry) as raw:
        assert raw.shape == values.shape
        assert raw.dtype == values.dtype
        assert raw.pixel_size_um == 0.065
        assert raw.notes == []
        for start in range(times):
            np.testing.assert_array_equal(raw.read(start, times), values[start:])
    with open_raw(path, geometry) as raw, pytest.raises(IndexError):
        raw.read(0, times + 1)


def refused(path: Path, says: str, **options: Any) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read(path, **options)
    assert str(caught.value).startswith(str(path))


def test_refuses_colour_pictures_complex_and_packed_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((15, 8, 8, 3), "u1"), photometric="rgb")
    refused(path, "colour pictures")
    tifffile.imwrite(path, np.zeros((15, 8, 8), "c8"))
    refused(path, "complex")
    tifffile.imwrite(path, np.zeros((15, 8, 8), "?"))
    refused(path, "1 bits a pixel")


def test_refuses_unequal_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for i in range(15):
            tiff.write(np.zeros((6, 7 + (i == 9)), "u2"), metadata=None)
    refused(path, "page 9 is 6 x 8 uint16, page 0 is 6 x 7 uint16")


def test_says_how_many_frames_would_do(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 6, 7), "u2"), photometric="minisblack")
    refused(
        path,
        re.escape("16 frames, no whole number of series: a series has pattern.angles 3 x pattern.phases 5"),
    )
    refused(path, "nearest whole count is 15 or 30; correct pattern.angles and pattern.phases")
    tifffile.imwrite(path, np.zeros((6, 7), "u2"))
    refused(path, "one single image")


def test_refuses_modulo_that_contradicts_the_microscope_file(tmp_path: Path) -> None:
    values = series(1)
    write_raw(tmp_path / "a.tif", values, GEOMETRY, 0.065)
    with pytest.raises(DataError, match=r"5 phases \(pattern.phases says 3\)"):
        read(tmp_path / "a.tif", PatternGeometry(angles=5, phases=3))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../secret.tif", "lies elsewhere"),
        ("..\\secret.tif", "lies elsewhere"),
        ("/etc/passwd", "lies elsewhere"),
        ("C:secret.tif", "lies elsewhere"),
        ("", "lies elsewhere"),
        ("link.tif", "a link to elsewhere"),
        ("gone.tif", "is not beside it"),
    ],
)
def test_opens_no_file_of_another_folder_on_a_files_word(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_raw(tmp_path / "secret.tif", series(1), GEOMETRY, 0.065)
    (tmp_path / "in" / "link.tif").symlink_to(tmp_path / "secret.tif")
    xml = ome_xml("ZTC", {"Z": 15, "T": 1, "C": 1}, "").replace(
        "<TiffData/>",
        "<TiffData IFD='0' PlaneCount='5'><UUID FileName='{name}'>urn:uuid:1</UUID></TiffData>"
        "<TiffData FirstZ='5' IFD='0' PlaneCount='10'><UUID FileName='a.tif'>urn:uuid:2</UUID></TiffData>",
    )
    xml = xml.replace("{name}", name)
    refused(write_ome(tmp_path / "in" / "a.tif", series(1), xml), f"one of several files.*{says}")


OME_REFUSED = {
    "entities": (
        "<?xml version='1.0'?>",
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]>",
        "document type",
    ),
    "no image": ("Image", "Bild", "no image"),
    "sizes": ("SizeZ='15'", "SizeZ='30'", "30 planes, 15 of them"),
    "negative size": ("SizeZ='15'", "SizeZ='-15'", "cannot be"),
    "no number": ("SizeZ='15'", "SizeZ='many'", "OME-TIFF file is damaged"),
    "order": ("XYZTC", "XYZZZ", "DimensionOrder 'XYZZZ'"),
    "first plane": ("<TiffData/>", "<TiffData FirstZ='99'/>", "beyond the end"),
    "broken": ("</Pixels>", "", "damaged"),
    "modulo size": ("End='20'", "End='30'", "no multiple"),
    "modulo step": ("Step='10'", "Step='0'", "Start, Step and End"),
    "modulo endless": ("End='20'", "End='inf'", "Start, Step and End"),
}


@pytest.mark.parametrize("case", OME_REFUSED.values(), ids=OME_REFUSED)
def test_refuses_ome_xml(case: tuple[str, str, str], tmp_path: Path) -> None:
    old, new, says = case
    xml = ome_xml("ZTC", {"Z": 15, "T": 1, "C": 1}, range_of("Z", "angle", 3))
    assert old in xml
    refused(write_ome(tmp_path / "a.tif", series(1), xml.replace(old, new)), says)


def test_refuses_a_circle_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((15, 6, 7), "u2"), metadata=None, photometric="minisblack")
    content = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    tags = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * tags, first)
    path.write_bytes(bytes(content))
    refused(path, "circle")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04" + bytes(2000), "zip archive"),
        (b"\x1f\x8b" + bytes(2000), "gzip archive"),
        (b"\x89HDF" + bytes(2000), "HDF5"),
        (b"\x89PNG" + bytes(2000), "PNG"),
        (b"hello world" * 200, "none of the known formats"),
        (b"II*\0", "none of the known formats, or lacks its start"),
        (b"II*\0" + bytes(12), "no frames"),
        (b"II*\0\xff\xff\xff\x7f" + bytes(8), "truncated"),
    ],
)
def test_refuses_foreign_content_whatever_its_name(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    refused(path, says)


def test_refuses_missing_file_and_folder(tmp_path: Path) -> None:
    refused(tmp_path / "no.tif", "no such file")
    refused(tmp_path / ("x" * 300), "cannot be read")
    refused(tmp_path, "a folder that is no Zarr image")


def written(path: Path, kind: str) -> Path:
    if kind == "ours":
        write_raw(path, series(1), GEOMETRY, 0.065)
    else:
        options: dict[str, Any] = {
            "imagej": {"imagej": True},
            "big": {"bigtiff": True, "metadata": None},
            "deflate": {"compression": "zlib"},
            "tiled": {"tile": (16, 16), "compression": "zlib"},
            "one directory": {"truncate": True},
        }[kind]
        stack = series(1).reshape(-1, 6, 7)
        tifffile.imwrite(path, stack, **({} if kind == "imagej" else {"photometric": "minisblack"}), **options)
    return path


KINDS = ["ours", "imagej", "big", "deflate", "tiled", "one directory"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_noticed(kind: str, tmp_path: Path) -> None:
    content = written(tmp_path / "whole.tif", kind).read_bytes()
    whole = read(tmp_path / "whole.tif")
    path = tmp_path / "cut.tif"
    for keep in [*range(0, len(content) - 1, 211), len(content) - 1]:
        path.write_bytes(content[:keep])
        try:
            values = read(path)
        except RdlError as error:
            assert str(path) in str(error)  # noqa: PT017 - the last bytes may be padding
        else:
            np.testing.assert_array_equal(values, whole)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_raises_anything_but_an_rdl_error(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    source = tmp_path / "whole.tif"
    content = bytearray((source if source.exists() else written(source, kind)).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.one_of(st.integers(0, 400), st.integers(0, len(content) - 1)))
        junk = data.draw(st.binary(min_size=1, max_size=4))
        content[place : place + len(junk)] = junk
    path = tmp_path / "fuzz.tif"
    path.write_bytes(bytes(content))
    try:
        assert read(path).size > 0
    except RdlError as error:
        assert str(path) in str(error)  # noqa: PT017 - damaged pixels are still pixels
