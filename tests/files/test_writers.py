"""What is written is read alike by tifffile, by us and by OME's own types; it is whole, or not there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdl_live.errors import OutputError
from rdl_live.files import RawWriter, SrWriter, open_raw, page_writer, read_provenance
from rdl_live.optics.microscope import PatternGeometry, SeriesOrder
from tests.raw_files import write_raw

IMAGES = np.random.default_rng(1).normal(50, 20, (3, 12, 14)).astype(np.float32)
PROVENANCE = {"software": "rdl-live", "patterns": [{"angle_deg": 5.5, "trusted": True}], "wiener": None}


def write(path: Path, times: int | None, count: int = 1, **options: Any) -> Path:
    with SrWriter(path, (times, 12, 14), 0.0313, "GFP", PROVENANCE, **options) as writer:
        for image in IMAGES[:count]:
            writer.write(image)
    return path


@pytest.mark.parametrize(("times", "count"), [(1, 1), (None, 1), (3, 3), (None, 3)])
def test_sr_images_are_read_as_written(times: int | None, count: int, tmp_path: Path) -> None:
    values = tifffile.imread(write(tmp_path / "sr.tif", times, count))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, IMAGES[0] if count == 1 else IMAGES[:count])
    assert read_provenance(tmp_path / "sr.tif") == PROVENANCE
    assert [file.name for file in tmp_path.iterdir()] == ["sr.tif"]


def test_other_number_types_become_float32(tmp_path: Path) -> None:
    with SrWriter(tmp_path / "a.tiff", (1, 2, 3), 0.03, "x", {}) as writer:
        writer.write(np.ones((2, 3), np.float64).T.copy().T)
    assert tifffile.imread(tmp_path / "a.tiff").dtype == np.float32
    assert read_provenance(tmp_path / "a.tiff") == {}


@pytest.mark.parametrize("times", [1, None])
def test_the_metadata_are_valid_ome(times: int | None, tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types")
    path = write(tmp_path / "sr.tif", times, 1, excitation_nm=488, emission_nm=525)
    image = ome_types.from_tiff(path, validate=False).images[0]
    assert image.pixels.physical_size_x == image.pixels.physical_size_y == 0.0313
    assert image.pixels.physical_size_x_unit.value == "µm"
    channel = image.pixels.channels[0]
    assert (channel.name, channel.excitation_wavelength, channel.emission_wavelength) == ("GFP", 488, 525)
    assert image.pixels.type.value == "float"


def test_the_raw_metadata_are_valid_ome(tmp_path: Path) -> None:
    ome_types = pytest.importorskip("ome_types")
    geometry = PatternGeometry(angles=3, phases=5)
    write_raw(tmp_path / "raw.tif", np.zeros((2, 3, 5, 4, 6)), geometry, 0.065, provenance={"seed": 7})
    ome = ome_types.from_tiff(tmp_path / "raw.tif")
    pixels = ome.images[0].pixels
    assert (pixels.size_t, pixels.size_z, pixels.size_c, pixels.size_y, pixels.size_x) == (6, 5, 1, 4, 6)
    assert len(ome.structured_annotations) == len(ome.images[0].annotation_refs) == 2


@pytest.mark.parametrize(("order", "axes"), [("angle-phase", "TAPYX"), ("phase-angle", "TPAYX")])
def test_tifffile_understands_raw_files(order: str, axes: str, tmp_path: Path) -> None:
    geometry = PatternGeometry(angles=3, phases=5, order=SeriesOrder(order))
    values = np.random.default_rng(0).integers(0, 65536, (2, 3, 5, 4, 6)).astype("u2")
    write_raw(tmp_path / "raw.tif", iter(values), geometry, 0.065)
    with tifffile.TiffFile(tmp_path / "raw.tif") as tiff:
        assert tiff.series[0].axes == axes
        got = tiff.series[0].asarray()
    np.testing.assert_array_equal(got if order == "angle-phase" else got.swapaxes(1, 2), values)


def test_planes_lie_in_the_order_of_the_geometry(tmp_path: Path) -> None:
    values = np.arange(30, dtype="u2").reshape(2, 3, 5)[..., None, None] * np.ones((4, 6), "u2")
    for order in SeriesOrder:
        geometry = PatternGeometry(angles=3, phases=5, order=order)
        write_raw(tmp_path / "raw.tif", values, geometry, 0.065, overwrite=True)
        with tifffile.TiffFile(tmp_path / "raw.tif", is_ome=False) as tiff:
            tifffile.imwrite(tmp_path / "plain.tif", np.stack([page.asarray() for page in tiff.pages]), metadata=None)
        with open_raw(tmp_path / "plain.tif", geometry) as raw:
            np.testing.assert_array_equal(raw.read(), values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Co"]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(provenance=st.dictionaries(KEYS, JSON, max_size=4), name=st.text(max_size=10))
def test_any_provenance_comes_back(tmp_path: Path, provenance: dict[str, Any], name: str) -> None:
    path = tmp_path / "a.tif"
    with SrWriter(path, (1, 2, 3), 0.03, name, provenance, overwrite=True) as writer:
        writer.write(np.ones((2, 3)))
    assert read_provenance(path) == provenance
    assert tifffile.imread(path).shape == (2, 3)


def test_provenance_may_grow_until_the_end(tmp_path: Path) -> None:
    with SrWriter(tmp_path / "a.tif", (1, 2, 3), 0.03, "x", {"a": 1}) as writer:
        writer.write(np.ones((2, 3)))
        writer.provenance["seconds"] = {"estimate": np.float32(0.5), "all": np.arange(300)}
    got = read_provenance(tmp_path / "a.tif")
    assert got == {"a": 1, "seconds": {"estimate": 0.5, "all": list(range(300))}}
    assert tifffile.imread(tmp_path / "a.tif").shape == (2, 3)


def test_large_files_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, big in ((504 * 4, False), (504 * 4 - 1, True)):
        monkeypatch.setattr(page_writer, "CLASSIC_LIMIT", limit)
        write(tmp_path / "a.tif", 3, 3, overwrite=True)
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            assert tiff.is_bigtiff is big


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


@pytest.mark.parametrize("problem", [RuntimeError, Interrupted, KeyboardInterrupt])
def test_a_failure_leaves_nothing_and_keeps_the_old_file(problem: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")

    def images() -> Iterator[np.ndarray[Any, Any]]:
        yield IMAGES[0]
        raise problem

    def run() -> None:
        with SrWriter(path, (2, 12, 14), 0.03, "x", {}, overwrite=True) as writer:
            for image in images():
                writer.write(image)

    with pytest.raises(problem):
        run()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_incomplete_file_is_not_left(count: int, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"{count} of 2 time points"):
        write(tmp_path / "a.tif", 2, count)
    assert list(tmp_path.iterdir()) == []


def test_no_series_at_all(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="0 of at least 1"):
        write_raw(tmp_path / "a.tif", iter([]), PatternGeometry(), 0.065)
    assert list(tmp_path.iterdir()) == []


def test_refuses_before_any_work(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", 1)
    with pytest.raises(OutputError, match="--overwrite"):
        SrWriter(path, (1, 2, 3), 0.03, "x", {})
    with pytest.raises(OutputError, match=r"\.tif or \.tiff"):
        SrWriter(tmp_path / "a.png", (1, 2, 3), 0.03, "x", {})
    with pytest.raises(OutputError, match="no folder"):
        SrWriter(tmp_path / "no" / "a.tif", (1, 2, 3), 0.03, "x", {})
    with pytest.raises(TypeError, match="provenance"):
        SrWriter(tmp_path / "b.tif", (1, 2, 3), 0.03, "x", {"a": object()})
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_arrays_are_refused(tmp_path: Path) -> None:
    geometry = PatternGeometry()
    with (
        pytest.raises(ValueError, match="announced"),
        SrWriter(tmp_path / "a.tif", (1, 2, 3), 0.03, "x", {}) as writer,
    ):
        writer.write(np.ones((3, 2)))
    for wrong, says in ((-1, "cannot"), (65536, "cannot"), (np.nan, "cannot")):
        with pytest.raises(ValueError, match=says):
            write_raw(tmp_path / "a.tif", np.full((1, 3, 3, 2, 2), wrong, float), geometry, 0.065)
    with pytest.raises(ValueError, match="int64"):
        RawWriter(tmp_path / "a.tif", (1, 2, 2), geometry, 0.065, dtype="i8")
    with pytest.raises(ValueError, match="announced"):
        write_raw(tmp_path / "a.tif", np.ones((1, 3, 4, 2, 2)), geometry, 0.065)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    with pytest.raises(OutputError, match=r"No space left on device.*nothing was left"):
        write(tmp_path / "a.tif", 1)
    assert list(tmp_path.iterdir()) == []
