"""Open any raw SIM file as a time-lapse of series."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming
from rdl_live.files.frame_source import RawFile
from rdl_live.files.mrc import is_mrc, open_mrc
from rdl_live.files.stack import SeriesFolder
from rdl_live.files.tiff_pages import is_tiff
from rdl_live.files.tiff_raw import open_tiff
from rdl_live.files.zarr_raw import is_zarr, open_zarr
from rdl_live.optics.microscope import PatternGeometry

MAX_SERIES_BYTES = 4 * 2**30
"""A series is held in memory whole, so a larger one (5 x 5 frames of 9000 x 9000) is refused, not tried."""
FORMATS = "TIFF, OME-TIFF, MRC and OME-Zarr are read"
FOREIGN = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"PK\x05\x06": "an empty zip archive",
    b"Rar!": "a rar archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"ZISRAWFILE": "a Zeiss CZI file: export it as OME-TIFF",
    b"\xda\xce\xbe\x0a": "a Nikon ND2 file: export it as OME-TIFF",
    b"\x89HDF": "an HDF5 file: export it as OME-TIFF",
    b"\x89PNG": "a PNG picture: raw frames are needed",
    b"\xff\xd8\xff": "a JPEG picture: raw frames are needed",
    b"\x93NUMPY": "a NumPy file: save it with tifffile.imwrite",
    b"<?xml": "an XML file: give the image file beside it",
}


class RawRecording:
    """A time-lapse of raw series (T, angle, phase, y, x) that is read as it is asked for.

    Not thread-safe: one reader, or one recording a thread.
    """

    def __init__(self, path: Path, raw: RawFile, frames: npt.NDArray[np.int64], notes: list[str]) -> None:
        """Wrap an open file; `frames` (T, A, P) says which frame is which."""
        self.path = path
        self.pixel_size_um = raw.pixel_size_um
        """Pixel in the sample plane [um] as the file has it, if it does."""
        self.channel_names = list(raw.channel_names)
        self.notes = [*raw.notes, *notes]
        """What had to be decided in reading, in sentences for the user."""
        self._source, self._frames = raw.source, frames

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(T, A, P, Y, X)."""
        times, angles, phases = self._frames.shape
        rows, columns = self._source.shape
        return (times, angles, phases, rows, columns)

    @property
    def corner(self) -> tuple[int, int] | None:
        """(y, x) of a frame's first pixel on the camera's chip; None where the file does not tell."""
        return None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the values, in native byte order."""
        return self._source.dtype

    @property
    def saturation(self) -> float | None:
        """Largest value of the file's integer type [ADU]; None for floating-point data."""
        return float(np.iinfo(self.dtype).max) if self.dtype.kind in "iu" else None

    def __len__(self) -> int:
        """Return the number of time points T."""
        return int(self._frames.shape[0])

    def __getitem__(self, time: int) -> npt.NDArray[Any]:
        """Return the series (A, P, Y, X) of one time point; negative ones count from the end."""
        time = time + len(self) if time < 0 else time
        series: npt.NDArray[Any] = self.read(time, time + 1)[0]
        return series

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Return the series (t, A, P, Y, X) of the time points start <= t < stop, as the camera gave them.

        Raises:
            IndexError: time points that the recording does not have.
            DataError: the file cannot be decoded, or was cut since it was opened.
        """
        stop = len(self) if stop is None else stop
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"time points {start} to {stop} of a recording of {len(self)}")
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        if stop > start:
            self._source.read(self._frames[start:stop].reshape(-1), out.reshape(-1, *self._source.shape))
        return out

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def open_raw(path: str | Path, geometry: PatternGeometry, *, channel: int | None = None) -> RawRecording:
    """Open a TIFF, OME-TIFF, MRC or OME-Zarr file as a time-lapse of series, by its content.

    Angles and phases that the file itself names (OME Modulo annotations, OME-Zarr axes) are taken as named;
    any other stack is read in `geometry.order`.

    Args:
        path: file, or folder of an OME-Zarr image.
        geometry: how many angles and phases make a series.
        channel: colour to read, from 0, where the file has several.

    Raises:
        DataError: not such a file, damaged, or not a whole number of series; says what to do.
    """
    path = Path(path)
    raw = open_any(path)
    folder = SeriesFolder(geometry, channel, [])
    try:
        with naming(path):
            frames = folder.fold(raw.stack)
            _check_series(frames, raw)
    except DataError:
        raw.source.close()
        raise
    return RawRecording(path, raw, frames, folder.notes)


def _check_series(frames: npt.NDArray[np.int64], raw: RawFile) -> None:
    (rows, columns), n = raw.source.shape, frames[0].size
    size = n * rows * columns * raw.source.dtype.itemsize
    if size > MAX_SERIES_BYTES:
        raise DataError(
            f"a series of {n} frames of {rows} x {columns} pixels is {size / 2**30:.1f} GiB, more than the "
            f"{MAX_SERIES_BYTES / 2**30:.0f} GiB that are read at a time; crop the recording"
        )


def open_any(path: Path) -> RawFile:
    """Open a file, or the folder of a Zarr image, by its content.

    Raises:
        DataError: no such file, of no known format, or damaged.
    """
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file")
        if path.is_dir():
            return _open_folder(path)
        if not path.is_file():
            raise DataError(f"{path}: not a regular file ({FORMATS})")
        with path.open("rb") as file:
            head = file.read(1024)
        return _open_by_content(path, head)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _open_folder(path: Path) -> RawFile:
    if not is_zarr(path):
        raise DataError(f"{path}: a folder that is no Zarr image; give a file ({FORMATS})")
    return open_zarr(path)


def _open_by_content(path: Path, head: bytes) -> RawFile:
    if is_tiff(head):
        return open_tiff(path)
    if is_mrc(head):
        return open_mrc(path)
    if not head:
        raise DataError(f"{path}: is empty")
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            raise DataError(f"{path}: {what} ({FORMATS})")
    if head[257:262] == b"ustar":
        raise DataError(f"{path}: a tar archive: unpack it first ({FORMATS})")
    raise DataError(f"{path}: is none of the known formats, or lacks its start ({FORMATS}); export it as OME-TIFF")
