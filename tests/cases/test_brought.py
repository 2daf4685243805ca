"""Recordings of the kinds that people bring, drawn by a simulator of their own (`scene.py`): none is silently wrong.

Reading: every frame is where it belongs, or the file is refused with the words given. Else: the series that are wrong
are named, and those that are right keep their images.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from rdl_live.errors import DataError, RdlError
from rdl_live.files.raw import said
from tests.cases.fast import variants
from tests.cases.scene import Scene, counts, film, flat, microscope
from tests.cases.test_in_step import agreement, reconstructed, untrusted
from tests.cases.test_reading import is_right, opened

GREY = {"photometric": "minisblack"}
SMALL = Scene(seed=11, shape=(72, 96))
FIVE = Scene(seed=12, shape=(72, 96), phases=5)


def planes_of(scene: Scene, count: int, photons: float = 60.0) -> np.ndarray:
    """Return planes (z, angle, phase, y, x), each of its own specimen."""
    return np.stack([counts(Scene(**{**vars(scene), "seed": 100 + z}), photons) for z in range(count)])


# ---- reading ---------------------------------------------------------------------------------------------------------

Written = tuple[Path, np.ndarray, dict[str, Any]]
"""A file, what it holds (series x frames, y, x), and the words of the user."""


def modulo(path: Path, stored: np.ndarray, *along: tuple[str, str, int, int]) -> None:
    """Write (t, z, y, x) with Bio-Formats' modulo annotations: (axis, type, step, end)."""
    t, z, y, x = stored.shape
    words = "".join(
        f'<ModuloAlong{axis} Type="{kind}" Start="0" Step="{step}" End="{end}"/>' for axis, kind, step, end in along
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="{x}" '
        f'SizeY="{y}" SizeC="1" SizeZ="{z}" SizeT="{t}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f'<TiffData IFD="0" PlaneCount="{t * z}"/></Pixels><AnnotationRef ID="Annotation:0"/></Image>'
        '<StructuredAnnotations><XMLAnnotation ID="Annotation:0" '
        'Namespace="openmicroscopy.org/omero/dimension/modulo"><Value><Modulo '
        f'namespace="http://www.openmicroscopy.org/Schemas/Additions/2011-09">{words}</Modulo></Value></XMLAnnotation>'
        "</StructuredAnnotations></OME>"
    )
    tifffile.imwrite(path, stored.reshape(-1, y, x), description=xml.encode(), metadata=None, **GREY)


def five_planes_of_omx(d: Path) -> Written:
    z = planes_of(FIVE, 5)
    tifffile.imwrite(d / "a.tif", flat(np.ascontiguousarray(z.transpose(1, 0, 2, 3, 4))), **GREY)
    return d / "a.tif", z, {}


def phases_outside_of_planes(d: Path) -> Written:
    z = planes_of(Scene(seed=13, shape=(72, 96), angles=2, phases=5), 4)
    tifffile.imwrite(d / "a.tif", flat(np.ascontiguousarray(z.transpose(2, 0, 1, 3, 4))), **GREY)
    return d / "a.tif", z, {}


def modulo_with_rotation_in_time(d: Path) -> Written:
    """Rotations within time points, phases within planes, both fastest (`Step` 1)."""
    six = planes_of(SMALL, 6).reshape(2, 3, 3, 3, 72, 96)  # t z angle phase y x
    stored = six.transpose(0, 2, 1, 3, 4, 5).reshape(6, 9, 72, 96)
    modulo(d / "a.ome.tif", stored, ("Z", "phase", 1, 2), ("T", "rotation", 1, 2))
    return d / "a.ome.tif", six, {}


def modulo_with_all_in_planes(d: Path) -> Written:
    """Planes outside, phases within; rotations within time points, outermost."""
    six = planes_of(SMALL, 6).reshape(2, 3, 3, 3, 72, 96)
    stored = six.transpose(2, 0, 1, 3, 4, 5).reshape(6, 9, 72, 96)
    modulo(d / "a.ome.tif", stored, ("Z", "phase", 1, 2), ("T", "angle", 2, 4))
    return d / "a.ome.tif", six, {}


def nine_planes_of_nine_patterns(d: Path) -> Written:
    nine = planes_of(SMALL, 9)
    tifffile.imwrite(d / "a.tif", nine.reshape(9, 9, 72, 96).swapaxes(0, 1), imagej=True, metadata={"axes": "TZYX"})
    return d / "a.tif", nine, {}


def compressed(**how: Any) -> Callable[[Path], Written]:
    def write(d: Path) -> Written:
        three = planes_of(SMALL, 3)
        tifffile.imwrite(d / "a.tif", flat(three), **GREY, **how)
        return d / "a.tif", three, {}

    return write


def packed(bits: int) -> Callable[[Path], Written]:
    """Write samples of 10 or 14 bits one after the other, each row from a whole byte."""

    def write(d: Path) -> Written:
        frames = np.minimum(flat(counts(SMALL)), 2**bits - 1)
        shifts = np.arange(bits - 1, -1, -1)
        rows = ((frames[..., None] >> shifts) & 1).astype(np.uint8).reshape(9, 72, 96 * bits)
        packed_rows = np.packbits(rows, axis=-1)
        tifffile.imwrite(
            d / "a.tif", iter([one.tobytes() for one in packed_rows]), shape=frames.shape, dtype=np.uint16,
            bitspersample=bits, compression=1, rowsperstrip=72, **GREY
        )  # fmt: skip
        return d / "a.tif", frames, {}

    return write


def other_numbers(kind: str) -> Callable[[Path], Written]:
    def write(d: Path) -> Written:
        frames = flat(counts(SMALL)).astype(kind)
        tifffile.imwrite(d / "a.tif", frames, byteorder=kind[0] if kind[0] in "<>" else None, **GREY)
        return d / "a.tif", frames, {}

    return write


def frames_without_zeros(d: Path) -> Written:
    """Frame 10 comes after frame 9."""
    (d / "cell").mkdir()
    two = film(SMALL, 2)
    for number, one in enumerate(flat(two)):
        tifffile.imwrite(d / "cell" / f"cell 3 frame {number + 1}.tiff", one, **GREY)
    return d / "cell", two, {}


def three_files_of_one_image(d: Path) -> Written:
    three = film(SMALL, 3)
    names = [f"cell_{i}.ome.tif" for i in range(3)]
    cuts = np.array_split(np.arange(27), [5, 16])
    ids = [f"urn:uuid:00000000-0000-0000-0000-00000000000{i}" for i in range(3)]
    planes = "".join(
        f'<TiffData FirstT="{t}" FirstC="0" FirstZ="0" IFD="{i}" PlaneCount="1"><UUID FileName="{name}">{uuid}</UUID>'
        "</TiffData>"
        for name, uuid, cut in zip(names, ids, cuts, strict=True)
        for i, t in enumerate(cut)
    )
    for name, uuid, cut in zip(names, ids, cuts, strict=True):
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuid}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="96" SizeY="72" '
            f'SizeC="1" SizeZ="1" SizeT="27"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels>'
            "</Image></OME>"
        )
        tifffile.imwrite(d / name, flat(three)[cut], description=xml.encode(), metadata=None, **GREY)
    return d / names[1], three, {}


def mosaic_by_columns(d: Path) -> Written:
    """Orientations in columns: read as rows it is wrong, which the stripes show."""
    one = counts(FIVE)
    picture = one.transpose(1, 2, 0, 3).reshape(5 * 72, 3 * 96)
    tifffile.imwrite(d / "a.tif", picture, **GREY)
    return d / "a.tif", one, {"tiles": "5x3"}


READ: dict[str, tuple[Scene, Callable[[Path], Written], str]] = {
    "OMX, 5 planes": (FIVE, five_planes_of_omx, "angle-z-phase"),
    "phases outside, 2 x 5": (Scene(angles=2, phases=5), phases_outside_of_planes, "phase-z-angle"),
    "modulo, rotations in time": (SMALL, modulo_with_rotation_in_time, ""),
    "modulo, angles outermost": (SMALL, modulo_with_all_in_planes, ""),
    "9 x 9, oblong": (SMALL, nine_planes_of_nine_patterns, "angle-phase-z"),
    "LZW with predictor, strips": (SMALL, compressed(compression="lzw", predictor=True, rowsperstrip=7), ""),
    "Deflate with predictor, tiles": (SMALL, compressed(compression="zlib", predictor=True, tile=(32, 32)), ""),
    "Zstd, BigTIFF, big-endian": (SMALL, compressed(compression="zstd", bigtiff=True, byteorder=">"), ""),
    "JPEG 2000": (SMALL, compressed(compression="jpeg2000"), ""),
    "10 bit": (SMALL, packed(10), ""),
    "14 bit": (SMALL, packed(14), ""),
    "unsigned 32 bit": (SMALL, other_numbers("uint32"), ""),
    "float, big-endian": (SMALL, other_numbers(">f4"), ""),
    "natural order": (SMALL, frames_without_zeros, ""),
    "three files": (SMALL, three_files_of_one_image, ""),
    "mosaic by columns": (FIVE, mosaic_by_columns, "phase-angle"),
}


@pytest.mark.parametrize("name", READ)
def test_is_read_right(tmp_path: Path, name: str) -> None:
    scene, write, order = READ[name]
    path, right, words = write(tmp_path)
    notes = is_right(path, microscope(tmp_path / "M.yaml", scene), flat(right), **words)
    assert [order in note for note in notes] == [True] * bool(order)


def three_colours(d: Path, axes: str, about: dict[str, Any]) -> list[np.ndarray]:
    """Write 640, 488, 561 in this order; return the frames of 488, 561, 640."""
    kinds = ((640, 0.26, 0.68), (488, 0.2, 0.525), (561, 0.22, 0.605))
    made = [flat(counts(Scene(seed=s, shape=(72, 96), period_um=p, emission_um=e))) for s, p, e in kinds]
    stored = np.stack(made, axis=axes.index("C"))
    tifffile.imwrite(d / "a.ome.tif", stored, ome=True, metadata={"axes": f"{axes}YX", "Channel": about}, **GREY)
    return [made[1], made[2], made[0]]


@pytest.mark.parametrize("axes", ["TC", "CZ"])
@pytest.mark.parametrize("channel", ["488", "561", "640"])
def test_three_colours_by_name(tmp_path: Path, axes: str, channel: str) -> None:
    frames = three_colours(tmp_path, axes, {"Name": ["Cy5", "FITC", "TRITC"], "EmissionWavelength": [676, 520, 600]})
    scope = microscope(tmp_path / "M.yaml", Scene(), "488", "561", "640")
    assert not is_right(tmp_path / "a.ome.tif", scope, frames[("488", "561", "640").index(channel)], channel)


def test_a_name_that_the_wavelength_contradicts_is_refused(tmp_path: Path) -> None:
    three_colours(tmp_path, "TC", {"Name": ["488", "561", "640"], "EmissionWavelength": [676, 520, 600]})
    scope = microscope(tmp_path / "M.yaml", Scene(), "488", "561", "640")
    for channel in ("488", "561", "640"):
        with pytest.raises(DataError, match=r"488.*640|640.*488|561"):
            opened(tmp_path / "a.ome.tif", scope, channel)


def test_a_mosaic_that_is_cut_the_wrong_way_is_not_trusted(tmp_path: Path) -> None:
    path, _, _ = mosaic_by_columns(tmp_path)
    with pytest.raises(DataError):
        reconstructed(path, microscope(tmp_path / "M.yaml", FIVE), reading=said(tiles="3x5"))


# ---- frames lost, doubled, exchanged ---------------------------------------------------------------------------------

Change = Callable[[np.ndarray, int], np.ndarray]
OBLONG = Scene(seed=21, shape=(96, 128))


def taken_away(*where: tuple[int, int]) -> Change:
    """Return what loses frames (series, frame) and stays as long as whole series are."""

    def change(frames: np.ndarray, n: int) -> np.ndarray:
        left = np.delete(frames, [series * n + frame for series, frame in where], axis=0)
        return left[: len(left) // n * n]

    return change


def put_in(series: int, frame: int, other: int) -> Change:
    """Return what has a frame once more, at another place."""

    def change(frames: np.ndarray, n: int) -> np.ndarray:
        more = np.insert(frames, series * n + frame, frames[series * n + other], axis=0)
        return more[: len(more) // n * n]

    return change


def exchange(series: int, first: int, second: int) -> Change:
    def change(frames: np.ndarray, n: int) -> np.ndarray:
        changed = frames.copy()
        changed[[series * n + first, series * n + second]] = changed[[series * n + second, series * n + first]]
        return changed

    return change


def scaled(series: int, frame: int, factor: float) -> Change:
    def change(frames: np.ndarray, n: int) -> np.ndarray:
        changed = frames.astype(float)
        changed[series * n + frame] = factor * (changed[series * n + frame] - 100) + 100
        return changed.round().astype(np.uint16)

    return change


def half_read(series: int, frame: int) -> Change:
    """Return what has the upper half of the frame before in a frame: a camera that was read while it was exposed."""

    def change(frames: np.ndarray, n: int) -> np.ndarray:
        changed = frames.copy()
        half = frames.shape[1] // 2
        changed[series * n + frame, :half] = frames[series * n + frame - 1, :half]
        return changed

    return change


def backwards(series: int) -> Change:
    """Return what has the phases of every orientation the other way round."""

    def change(frames: np.ndarray, n: int) -> np.ndarray:
        changed = frames.copy()
        one = changed[series * n : (series + 1) * n].reshape(3, n // 3, *frames.shape[-2:])
        changed[series * n : (series + 1) * n] = one[:, ::-1].reshape(n, *frames.shape[-2:])
        return changed

    return change


STEPS: dict[str, tuple[Scene, float, Change, list[int]]] = {
    "two in a row, across series": (OBLONG, 60, taken_away((2, 8), (3, 0)), [2]),
    "five phases, lost in the fourth": (Scene(seed=22, phases=5), 40, taken_away((3, 7)), [3]),
    "the very first": (OBLONG, 60, taken_away((0, 0)), [0, 1, 2, 3, 4, 5]),
    "one, at 10 photons": (Scene(seed=23, shape=(160, 160)), 10, taken_away((4, 4)), [4]),
    "the last series'": (OBLONG, 60, lambda frames, n: taken_away((6, 4))(frames, n), []),
    "a frame from before, once more": (OBLONG, 60, put_in(3, 5, 2), [3]),
    "doubled, twice as long": (Scene(seed=24, angles=2, phases=4), 60, put_in(2, 4, 3), [2]),
    "orientations exchanged": (OBLONG, 60, exchange(4, 1, 7), [4]),
    "30 % brighter": (OBLONG, 60, scaled(2, 4, 1.3), [2]),
    "half of the frame before": (OBLONG, 60, half_read(4, 5), [4]),
    "phases backwards": (OBLONG, 60, backwards(5), [5]),
    "half a frame at a border": (OBLONG, 60, half_read(3, 3), [3]),
}


@pytest.mark.parametrize("name", variants(STEPS, ("half a frame at a border", "30 % brighter")))
def test_is_named_and_the_rest_is_kept(tmp_path: Path, name: str) -> None:
    scene, photons, change, wrong = STEPS[name]
    n = scene.angles * scene.phases
    whole = flat(film(scene, 7, photons))
    frames = change(whole, n)
    scope = microscope(tmp_path / "M.yaml", scene)
    tifffile.imwrite(tmp_path / "whole.tif", whole, **GREY)
    tifffile.imwrite(tmp_path / "raw.tif", frames, **GREY)
    right, fine = reconstructed(tmp_path / "whole.tif", scope)
    images, report = reconstructed(tmp_path / "raw.tif", scope)
    assert untrusted(fine) == []
    assert untrusted(report) == wrong
    for series in report["series"]:
        index = series["index"]["time"]
        if series["trusted"]:
            best = max(agreement(images[index], right[other]) for other in range(index, min(index + 2, 7)))
            assert best > 0.95
    for index in wrong:
        assert any(f"series {index}" in text for text in report["warnings"])


def test_frames_lost_in_half_of_the_series_are_not_called_a_wrong_count(tmp_path: Path) -> None:
    frames = taken_away((1, 3), (3, 6), (5, 2))(flat(film(OBLONG, 7)), 9)
    tifffile.imwrite(tmp_path / "raw.tif", frames, **GREY)
    with pytest.raises(DataError, match="missing or too many in several of its series"):
        reconstructed(tmp_path / "raw.tif", microscope(tmp_path / "M.yaml", OBLONG))


# ---- values and microscope files -------------------------------------------------------------------------------------


def plain(scene: Scene, photons: float = 60.0, **camera: float) -> np.ndarray:
    return flat(counts(scene, photons, **camera))


def broken_column(scene: Scene) -> np.ndarray:
    frames = plain(scene)
    frames[:, :, 41] = 0
    return frames


def clustered(scene: Scene) -> np.ndarray:
    """Four clusters of two by two hot pixels."""
    frames = plain(scene)
    for y, x in ((10, 10), (40, 77), (70, 31), (88, 60)):
        frames[:, y : y + 2, x : x + 2] = 5000
    return frames


def left_aligned(scene: Scene) -> np.ndarray:
    """12 bit stored in the upper bits of 16."""
    return np.minimum(plain(scene), 4095) * 16


def eight_bit(scene: Scene) -> np.ndarray:
    """Stretched to 0 to 255, as a picture."""
    frames = plain(scene).astype(float)
    return ((frames - frames.min()) * 255 / (frames.max() - frames.min())).round().astype(np.uint8)


def to_one(scene: Scene) -> np.ndarray:
    frames = plain(scene).astype(float)
    return ((frames - frames.min()) / (frames.max() - frames.min())).astype(np.float32)


def enlarged(scene: Scene) -> np.ndarray:
    from scipy.ndimage import zoom

    return np.stack([zoom(one.astype(float), 1.5, order=3) for one in plain(scene, 30)]).round().astype(np.uint16)


def smoothed(scene: Scene) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return np.stack([gaussian_filter(one.astype(float), 0.8) for one in plain(scene, 30)]).round().astype(np.uint16)


def binned(scene: Scene) -> np.ndarray:
    """Every pixel four times: enlarged by repeating."""
    return plain(scene).repeat(2, 1).repeat(2, 2)


VALUES: dict[str, tuple[Callable[[Scene], np.ndarray], dict[str, Any], str]] = {
    "offset subtracted, half of it left": (lambda s: plain(s, offset=40), {}, "camera.offset_adu"),
    "offset 250": (lambda s: plain(s, offset=250), {}, "too low"),
    "dead column": (broken_column, {}, "dead"),
    "hot clusters": (clustered, {}, "no pattern is trusted"),
    "12 bit, left-aligned": (left_aligned, {}, "multiples of 16"),
    "8 bit picture": (eight_bit, {}, "camera"),
    "0 to 1": (to_one, {}, "0 to 1"),
    "enlarged 1.5": (enlarged, {"pixel_um": 0.065 / 1.5}, "interpolated"),
    "smoothed": (smoothed, {}, "interpolated"),
    "repeated pixels": (binned, {"pixel_um": 0.0325}, "repeating pixels"),
    "NA 1.0": (plain, {"na": 1.0}, "no pattern is trusted"),
    "NA 0.6": (plain, {"na": 0.6}, "optics.na"),
    "pixel in nm": (plain, {"pixel_um": 65.0}, "pixel_size_um"),
    "pixel 110 nm": (plain, {"pixel_um": 0.11}, "pixel_size_um"),
    "emission 720 nm": (plain, {"emission_nm": 720.0}, "wavelengths"),
    "three beams": (
        lambda s: plain(Scene(**{**vars(s), "coarse_too": True, "phases": 5, "period_um": 0.23})),
        {},
        "second harmonic",
    ),
    "far out of focus": (lambda s: plain(Scene(**{**vars(s), "defocus_um": 0.8})), {}, "focus"),
}


REFUSED = ("0 to 1",)


@pytest.mark.parametrize("name", variants(VALUES, ("12 bit, left-aligned", "repeated pixels")))
def test_values_and_optics_that_do_not_fit_are_said(tmp_path: Path, name: str) -> None:
    make, changes, word = VALUES[name]
    scene = Scene(seed=31)
    frames = make(scene)
    scope = microscope(tmp_path / "M.yaml", Scene(phases=len(frames) // 3), **changes)
    tifffile.imwrite(tmp_path / "raw.tif", frames, **GREY)
    if name in REFUSED:
        with pytest.raises(RdlError, match=word):
            reconstructed(tmp_path / "raw.tif", scope)
        return
    _, report = reconstructed(tmp_path / "raw.tif", scope)
    assert any(word in text for text in report["warnings"]), report["warnings"]
