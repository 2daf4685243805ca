"""A stack that may be larger than the memory: kept in it where it is small, else in a file without a name."""

import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import OutputError

IN_MEMORY_BYTES = 128 * 2**20
"""Up to so many bytes a stack is kept in memory."""
_ROWS_BYTES = 4 * 2**20
"""Of rows that are read at a time for some of their columns."""


class Voxels:
    """Voxels (z, y, x) of one type, read and written by blocks. A context manager."""

    def __init__(
        self, shape: Sequence[int], dtype: npt.DTypeLike, folder: Path, *, in_memory: int | None = None
    ) -> None:
        """Make room, of no particular values.

        Args:
            shape: (z, y, x).
            dtype: number type.
            folder: where the file lies, if there is to be one; the system removes it whatever happens.
            in_memory: bytes up to which there is none; `IN_MEMORY_BYTES` where left out.

        Raises:
            OutputError: the file cannot be made.
        """
        self.shape, self.dtype = tuple(int(length) for length in shape), np.dtype(dtype)
        size = prod(self.shape) * self.dtype.itemsize
        limit = IN_MEMORY_BYTES if in_memory is None else in_memory
        self._array: npt.NDArray[Any] | None = None if size > limit else np.empty(self.shape, self.dtype)
        self._file: Any = None
        if self._array is None:
            try:
                self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # closed with this
                self._file.truncate(size)
            except OSError as error:
                raise _refused(folder, size, error) from error
        self._folder, self._size = folder, size

    def __enter__(self) -> "Voxels":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, block: Sequence[slice]) -> npt.NDArray[Any]:
        """Return a block (z, y, x); slices have a start and a stop."""
        if self._array is not None:
            return self._array[tuple(block)]
        z, y, x = block
        out = np.empty(tuple(part.stop - part.start for part in block), self.dtype)
        if x.start == 0 and x.stop == self.shape[2]:
            for plane, into in zip(range(z.start, z.stop), out, strict=True):
                self._fill(self._place(plane, y.start), into)
            return out
        # Whole rows, but only some at a time: a block of a few columns needs no more memory than itself.
        some = max(1, _ROWS_BYTES // (self.shape[2] * self.dtype.itemsize))
        rows = np.empty((min(some, out.shape[1]), self.shape[2]), self.dtype)
        for plane, into in zip(range(z.start, z.stop), out, strict=True):
            for first in range(0, len(into), some):
                part = rows[: min(some, len(into) - first)]
                self._fill(self._place(plane, y.start + first), part)
                into[first : first + len(part)] = part[:, x]
        return out

    def _fill(self, place: int, into: npt.NDArray[Any]) -> None:
        """Read what lies from a place on."""
        self._file.seek(place)
        view = into.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            got = self._file.readinto(view[done:])
            if not got:
                raise OutputError(f"{self._folder}: a temporary file was cut; free space on the disk")
            done += got

    def write(self, block: Sequence[slice], values: npt.NDArray[Any]) -> None:
        """Put a block in place.

        Raises:
            OutputError: the disk refuses.
        """
        if self._array is not None:
            self._array[tuple(block)] = values
            return
        z, y, x = block
        whole = x.start == 0 and x.stop == self.shape[2]
        some = max(1, _ROWS_BYTES // (self.shape[2] * self.dtype.itemsize))
        try:
            for plane, given in zip(range(z.start, z.stop), values, strict=True):
                for first in range(0, len(given), some):
                    part, row = given[first : first + some], y.start + first
                    if whole:
                        rows = np.ascontiguousarray(part, self.dtype)
                    else:
                        here = (slice(plane, plane + 1), slice(row, row + len(part)), slice(0, self.shape[2]))
                        rows = self.read(here)[0]
                        rows[:, x] = part
                    self._file.seek(self._place(plane, row))
                    view = rows.reshape(-1).view(np.uint8).data
                    while len(view):
                        view = view[self._file.write(view) :]
        except OSError as error:
            raise _refused(self._folder, self._size, error) from error

    def _place(self, plane: int, row: int) -> int:
        return (plane * self.shape[1] + row) * self.shape[2] * self.dtype.itemsize


def _refused(folder: Path, size: int, error: OSError) -> OutputError:
    return OutputError(
        f"{folder}: a temporary file of {size / 2**30:.1f} GiB cannot be written ({error.strerror}); free space on the "
        "disk, or write elsewhere"
    )
