"""Measured OTFs and camera maps."""

import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from rdl_live.errors import DataError
from rdl_live.files import check_frames, read_map, read_otf, saturated_fraction

DATA = Path(__file__).parents[3] / "shared" / "data"
OTFS = sorted((DATA / "rdl-sim-microtubules").glob("*OTF2d.mrc"))


def otf_file(path: Path, values: np.ndarray, mode: int = 4, spacing: float = 0.0312) -> Path:
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, len(values), 1, 1, mode)
    struct.pack_into("<3f", head, 40, spacing, spacing, 0.05)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    struct.pack_into("<h", head, 96, -16224)
    path.write_bytes(bytes(head) + values.tobytes())
    return path


@pytest.mark.skipif(not OTFS, reason="the measured OTFs are not here")
@pytest.mark.parametrize("path", OTFS, ids=lambda path: path.name)
def test_reads_the_measured_otfs(path: Path) -> None:
    otf = read_otf(path)
    assert otf.values.shape == (257,)
    assert otf.values.dtype == np.complex64
    assert otf.values[0] == 1
    assert otf.spacing_cycles_per_um == pytest.approx(0.0312, rel=1e-4)
    cutoff = 2 * 1.35 / 0.5  # no light beyond the cut-off of the largest NA and shortest wavelength
    assert np.abs(otf.values[int(cutoff / 0.0312) + 2 :]).max(initial=0) < 0.01


@pytest.mark.parametrize(("dtype", "mode"), [("c8", 4), ("f4", 2)])
def test_complex_and_real_samples(dtype: str, mode: int, tmp_path: Path) -> None:
    values = np.linspace(1, 0, 20).astype(dtype)
    otf = read_otf(otf_file(tmp_path / "a.mrc", values, mode))
    np.testing.assert_array_equal(otf.values, values)


def test_refuses_otfs(tmp_path: Path) -> None:
    good = np.linspace(1, 0, 20).astype("c8")
    path = tmp_path / "a.mrc"
    for content, says in ((good * np.nan, "NaN"), (good * 0, "zero at frequency zero")):
        with pytest.raises(DataError, match=says):
            read_otf(otf_file(path, content.astype("c8")))
    for spacing in (0, -1, np.nan):
        with pytest.raises(DataError, match="spacing"):
            read_otf(otf_file(path, good, spacing=spacing))
    with pytest.raises(DataError, match="one row of complex"):
        read_otf(otf_file(path, np.ones(20, "u2"), mode=6))
    path.write_bytes(otf_file(path, good).read_bytes()[:-8])
    with pytest.raises(DataError, match="truncated"):
        read_otf(path)
    path.write_bytes(b"no otf")
    with pytest.raises(DataError, match="not an MRC file"):
        read_otf(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_otf(tmp_path / "no.mrc")
    with mrcfile.new(tmp_path / "b.mrc") as file:
        file.set_data(np.ones((9, 4, 5), "f4"))
    with pytest.raises(DataError, match="9 x 4 x 5"):
        read_otf(tmp_path / "b.mrc")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
def test_maps(dtype: str, tmp_path: Path) -> None:
    values = np.arange(1, 31).reshape(5, 6).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values)
    got = read_map(tmp_path / "a.tif", (5, 6), positive=True)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, values)


def test_a_map_of_the_whole_chip_is_cut_to_the_frames(tmp_path: Path) -> None:
    values, path = np.arange(1, 31, dtype="f4").reshape(5, 6), tmp_path / "a.tif"
    values[0, 0] = 0
    tifffile.imwrite(path, values)
    # What is wrong beyond the frame does not matter.
    np.testing.assert_array_equal(read_map(path, (2, 3), positive=True, corner=(3, 1)), values[3:5, 1:4])
    np.testing.assert_array_equal(read_map(path, (5, 6), corner=(7, 7)), values)
    for corner in (None, (4, 1), (3, 4)):
        with pytest.raises(DataError, match="cut the map to the same region"):
            read_map(path, (2, 3), corner=corner)


@pytest.mark.skipif(not DATA.exists(), reason="the camera maps are not here")
@pytest.mark.parametrize("name", ["gain", "offset", "variance"])
def test_reads_the_real_maps(name: str) -> None:
    values = read_map(DATA / "b-sim-mitochondria" / f"bsim2_{name}_map.tif", (120, 120), positive=True)
    assert values.shape == (120, 120)


def test_refuses_maps(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((5, 6), "f4"))
    with pytest.raises(DataError, match=r"1 image\(s\) of 5 x 6 pixels, the frames have 6 x 5"):
        read_map(path, (6, 5))
    tifffile.imwrite(path, np.ones((2, 5, 6), "f4"), photometric="minisblack")
    with pytest.raises(DataError, match="2 image"):
        read_map(path, (5, 6))
    values = np.ones((5, 6), "f4")
    values[2, 3] = 0
    tifffile.imwrite(path, values)
    assert read_map(path, (5, 6))[2, 3] == 0
    with pytest.raises(
        DataError, match=r"1 pixels are not finite and above zero, the first at y 2, x 3 with value 0\.0"
    ):
        read_map(path, (5, 6), positive=True)
    values[2, 3] = np.nan
    tifffile.imwrite(path, values)
    with pytest.raises(DataError, match="y 2, x 3 with value nan"):
        read_map(path, (5, 6))
    tifffile.imwrite(path, np.full((5, 6), 1e300))
    with pytest.raises(DataError, match="inf"):
        read_map(path, (5, 6))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_frames_that_are_no_numbers(bad: float) -> None:
    frames = np.zeros((3, 2, 4, 5, 6), np.float32)
    check_frames(frames, "a.tif")
    check_frames(frames[0].astype("u2"), "a.tif")
    frames[1, 0, 2, 3, 4] = frames[1, 1, 0, 0, 0] = frames[2] = bad
    with pytest.raises(DataError, match=r"a\.tif: 2 pixels of time point 11 .* angle 0, phase 2 at y 3, x 4"):
        check_frames(frames, "a.tif", first_time=10)
    with pytest.raises(DataError, match="240 pixels of time point 0 "):
        check_frames(frames[2], "a.tif")


def test_saturation() -> None:
    frames = np.array([0, 254, 255, 255], np.uint8)
    assert saturated_fraction(frames, 255) == 0.5
    assert saturated_fraction(frames, 254) == 0.75
    assert saturated_fraction(frames, None) == 0
    assert saturated_fraction(frames[:0], 255) == 0
