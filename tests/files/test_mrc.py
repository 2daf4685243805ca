"""MRC files: standard and DeltaVision-like headers, both byte orders, all real modes, damage."""

import struct
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdl_live.errors import DataError, RdlError
from rdl_live.files import open_raw
from rdl_live.optics.microscope import PatternGeometry

GEOMETRY = PatternGeometry()
REAL = Path(__file__).parents[3] / "shared" / "data" / "rdl-sim-microtubules" / "MT.mrc"
MODES = {"i1": 0, "i2": 1, "f4": 2, "c8": 4, "u2": 6, "f2": 12}


def dv_file(path: Path, frames: np.ndarray[Any, Any], order: str = "<", mode: int | None = None, **words: Any) -> Path:
    """Write frames (n, y, x) with a DeltaVision-like header; `words` are values by byte offset (b92)."""
    stored = frames.astype(frames.dtype.newbyteorder(order))
    head = bytearray(1024)
    mode = MODES[stored.dtype.str[1:]] if mode is None else mode
    struct.pack_into(f"{order}4i", head, 0, *stored.shape[::-1], mode)
    struct.pack_into(f"{order}3f", head, 40, 0.065, 0.065, 0.1)
    struct.pack_into(f"{order}3i", head, 64, 1, 2, 3)
    struct.pack_into(f"{order}h", head, 96, -16224)
    for name, (code, value) in words.items():
        struct.pack_into(order + code, head, int(name[1:]), value)
    extended = words.get("b92", ("i", 0))[1]
    path.write_bytes(bytes(head) + b"\x7f" * extended + stored.tobytes())
    return path


def counted(n: int, dtype: str = "u2") -> np.ndarray[Any, Any]:
    return np.arange(n * 4 * 5).reshape(n, 4, 5).astype(dtype)


@pytest.mark.skipif(not REAL.exists(), reason=f"the recording {REAL.name} is not here")
def test_reads_the_real_recording() -> None:
    with open_raw(REAL, GEOMETRY) as raw:
        assert raw.shape == (1, 3, 3, 256, 256)
        assert raw.dtype == np.uint16
        assert raw.pixel_size_um == 0.0626
        assert raw.channel_names == ["525 nm"]
        assert raw.saturation == 65535
        series = raw[0]
    pixels = np.fromfile(REAL, "<u2", offset=1024).reshape(3, 3, 256, 256)
    np.testing.assert_array_equal(series, pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "f4", "f2"])
@pytest.mark.parametrize("extended", [0, 96])
def test_reads_dv_headers(order: str, dtype: str, extended: int, tmp_path: Path) -> None:
    frames = counted(18, dtype)
    with open_raw(dv_file(tmp_path / "a.dv", frames, order, b92=("i", extended)), GEOMETRY) as raw:
        assert raw.shape == (2, 3, 3, 4, 5)
        assert raw.dtype.isnative
        assert raw.pixel_size_um == 0.065
        np.testing.assert_array_equal(raw.read(1, 2).reshape(9, 4, 5), frames[9:])


def test_dv_bytes_are_unsigned(tmp_path: Path) -> None:
    frames = np.full((9, 4, 5), 200, "u1")
    with open_raw(dv_file(tmp_path / "a.dv", frames, mode=0), GEOMETRY) as raw:
        assert raw.dtype == np.uint8
        assert raw[0].min() == 200


@pytest.mark.parametrize("sequence", [0, 1, 2])
def test_dv_channels(sequence: int, tmp_path: Path) -> None:
    frames = counted(36)  # two colours, two times, nine patterns along z
    words = {
        "b180": ("h", 2),
        "b182": ("h", sequence),
        "b196": ("h", 2),
        "b198": ("h", 525),
        "b200": ("h", 605),
    }
    path = dv_file(tmp_path / "a.dv", frames, **words)
    numbers = {
        0: np.arange(36).reshape(2, 2, 9)[1],  # w, t, z
        1: np.arange(36).reshape(2, 9, 2)[..., 1],  # t, z, w
        2: np.arange(36).reshape(2, 2, 9)[:, 1],  # t, w, z
    }[sequence]
    with open_raw(path, GEOMETRY, channel=1) as raw:
        assert raw.channel_names == ["525 nm", "605 nm"]
        np.testing.assert_array_equal(raw.read().reshape(2, 9, 4, 5), frames[numbers])


@pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "f4", "f2"])
def test_reads_the_2014_standard(dtype: str, tmp_path: Path) -> None:
    frames = (counted(9, "i4") % 100).astype(dtype)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(frames)
        file.voxel_size = 650.0  # angstrom
    with open_raw(tmp_path / "a.mrc", GEOMETRY) as raw:
        np.testing.assert_array_equal(raw[0].reshape(9, 4, 5), frames)
        assert raw.dtype == (np.float32 if dtype == "f2" else np.dtype(dtype))
        assert raw.pixel_size_um == pytest.approx(0.065)


def test_the_2014_standard_without_calibration_has_no_pixel_size(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(counted(9, "i2"))
    with open_raw(tmp_path / "a.mrc", GEOMETRY) as raw:
        assert raw.pixel_size_um is None


def test_truncation_says_both_sizes(tmp_path: Path) -> None:
    path = dv_file(tmp_path / "a.mrc", counted(9))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.mrc: truncated: .* 1384 bytes, the file has 1284 .*100 are missing"):
        open_raw(path, GEOMETRY)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"mode": 4}, "complex"),
        ({"mode": 3}, "mode 3"),
        ({"mode": 101}, "mode 101"),
        ({"b0": ("i", -5)}, "impossible sizes"),
        ({"b8": ("i", 0)}, "impossible sizes"),
        ({"b92": ("i", -1)}, "extended header"),
        ({"b8": ("i", 2**30)}, "truncated"),
        ({"b8": ("i", 8)}, "8 frames"),
    ],
)
def test_refuses(words: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = dv_file(tmp_path / "a.mrc", counted(36), **words)
    with pytest.raises(DataError, match=says):
        open_raw(path, GEOMETRY)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), order=st.sampled_from("<>"))
def test_no_header_raises_anything_but_an_rdl_error(tmp_path: Path, data: st.DataObject, order: str) -> None:
    path = dv_file(tmp_path / "fuzz.mrc", counted(9), order)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(
            st.one_of(st.sampled_from([0, 4, 8, 12, 40, 92, 96, 180, 182, 196, 208]), st.integers(0, 1020))
        )
        content[place : place + 4] = data.draw(st.binary(min_size=4, max_size=4))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        with open_raw(path, GEOMETRY) as raw:
            assert raw.read().shape == raw.shape
    except RdlError as error:
        assert str(path) in str(error)  # noqa: PT017 - some changes do no harm
