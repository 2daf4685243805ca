"""A recording of many gigabytes is read, and written, in the memory of a few frames."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from rdl_live.files import RawRequest, RawWriter, open_raw
from rdl_live.optics.microscope import PatternGeometry

GEOMETRY = PatternGeometry()
SIZE = 1024
SERIES_BYTES = 9 * SIZE * SIZE * 2
GIB = 2**30


def sparse_mrc(path: Path) -> int:
    """20 GiB that take no room on the disk."""
    times = 20 * GIB // SERIES_BYTES
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, SIZE, SIZE, 9 * times, 6)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    struct.pack_into("<h", head, 96, -16224)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(1024 + times * SERIES_BYTES)
    return times


def sparse_tiff(path: Path) -> int:
    """A BigTIFF of 2.1 GiB, one directory a page."""
    times = int(2.1 * GIB) // SERIES_BYTES
    shape = (9 * times, SIZE, SIZE)
    tifffile.imwrite(path, shape=shape, dtype="u2", bigtiff=True, photometric="minisblack", metadata=None)
    return times


@pytest.mark.parametrize("make", [sparse_mrc, sparse_tiff])
def test_reading_one_series_takes_the_memory_of_one(make: Callable[[Path], int], tmp_path: Path) -> None:
    path = tmp_path / "large"
    times = make(path)
    marked = np.arange(SIZE, dtype="u2")
    with open_raw(path, GEOMETRY, RawRequest(order="time-angle-phase")) as raw:  # nothing has to be found out
        offset = int(raw._source._offsets[-1])  # type: ignore[attr-defined]
    with path.open("r+b") as file:  # the last frame has something to show
        file.seek(offset)
        file.write(marked.tobytes())
    tracemalloc.start()
    try:
        with open_raw(path, GEOMETRY) as raw:
            assert raw.shape == (times, 3, 3, SIZE, SIZE)
            tracemalloc.reset_peak()
            last = raw[-1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(last[2, 2, 0], marked)
    assert peak < 2 * SERIES_BYTES + 40 * 2**20


def test_writing_takes_the_memory_of_one_series(tmp_path: Path) -> None:
    series: Any = np.zeros((3, 3, 128, 128), "u2")
    tracemalloc.start()
    try:
        with RawWriter(tmp_path / "a.tif", (None, 128, 128), GEOMETRY, 0.065) as writer:
            writer.write(series)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(60):
                writer.write(series)
            peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert (tmp_path / "a.tif").stat().st_size > 61 * series.nbytes
    assert peak < 3 * series.nbytes + 2**20
