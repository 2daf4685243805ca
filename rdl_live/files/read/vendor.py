"""What readers of vendors' files have in common: optional libraries, and axes that these name by letters."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files._guard import naming, reading
from rdl_live.files.frame_source import Frames, RawFile
from rdl_live.files.stack import Axis

LETTERS = {
    "T": Axis.TIME,
    "Z": Axis.Z,
    "C": Axis.CHANNEL,
    "P": Axis.POSITION,
    "S": Axis.POSITION,
    "R": Axis.ANGLE,
    "A": Axis.ANGLE,
    "H": Axis.PHASE,
}
"""Of CZI: R rotation, H phase, S scene; of ND2: P position."""


def library(name: str, path: Path, what: str) -> Any:
    """Return the module that reads a kind of file.

    Raises:
        DataError: it is not installed; says how to get it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split(".")[0]:
            raise
        raise DataError(
            f"{path}: {what}; reading it needs an extra package: pip install 'rdl-live[vendor]'; or export it as "
            "OME-TIFF"
        ) from error


def axes_of(letters: Sequence[str]) -> tuple[Axis, ...]:
    """Return what the letters of leading axes stand for; unknown ones are further frames."""
    return tuple(LETTERS.get(letter.upper()[:1], Axis.FRAME) for letter in letters)


class VendorFrames(ABC):
    """Frames of a file that a vendor's library has open: a `FrameSource`."""

    kind: str
    """Of file, for messages: "LIF"."""

    def __init__(self, path: Path, file: Any, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Wrap a library's open file.

        Args:
            path: of the file.
            file: of the library, with `close`.
            shape: of a frame (Y, X).
            dtype: number type of the frames, of any byte order.
        """
        self._path, self._file = path, file
        self._shape, self._dtype = shape, np.dtype(dtype).newbyteorder("=")

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames."""
        return self._dtype

    @abstractmethod
    def frame(self, number: int) -> npt.NDArray[Any]:
        """Return one frame (y, x)."""

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        with naming(self._path), reading(self._path, self.kind):
            for number, target in zip(frames.tolist(), out, strict=True):
                target[...] = self.frame(number)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def opened(path: Path, kind: str, open_file: Callable[[], Any], described: Callable[[Path, Any], RawFile]) -> RawFile:
    """Open a file with its library and describe it; it is closed again where that fails.

    Raises:
        DataError: the file is damaged, or holds something else.
    """
    with naming(path), reading(path, kind):
        file = open_file()
        try:
            return described(path, file)
        except BaseException:
            file.close()
            raise
