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


class Voxels:
    """Voxels (z, y, x) of one type, read and written by blocks. A context manager."""

    def __init__(
        self, shape: Sequence[int], dtype: npt.DTypeLike, folder: Path, *, in_memory: int = IN_MEMORY_BYTES
    ) -> None:
        """Make room, of no particular values.

        Args:
            shape: (z, y, x).
            dtype: number type.
            folder: where the file lies, if there is to be one; the system removes it whatever happens.
            in_memory: bytes up to which there is none.

        Raises:
            OutputError: the file cannot be made.
        """
        self.shape, self.dtype = tuple(int(length) for length in shape), np.dtype(dtype)
        size = prod(self.shape) * self.dtype.itemsize
        self._array: npt.NDArray[Any] | None = np.empty(self.shape, self.dtype) if size <= in_memory else None
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
        rows = np.empty((z.stop - z.start, y.stop - y.start, self.shape[2]), self.dtype)
        for plane, into in zip(range(z.start, z.stop), rows, strict=True):
            self._file.seek(self._place(plane, y.start))
            view = into.reshape(-1).view(np.uint8).data
            done = 0
            while done < len(view):
                got = self._file.readinto(view[done:])
                if not got:
                    raise OutputError(f"{self._folder}: a temporary file was cut; free space on the disk")
                done += got
        return rows[:, :, x]

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
        rows = np.ascontiguousarray(values, self.dtype) if whole else self.read((z, y, slice(0, self.shape[2])))
        if not whole:
            rows[:, :, x] = values
        try:
            for plane, row in zip(range(z.start, z.stop), rows, strict=True):
                self._file.seek(self._place(plane, y.start))
                view = np.ascontiguousarray(row).reshape(-1).view(np.uint8).data
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
