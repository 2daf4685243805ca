"""Frames of several files as those of one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.files.frame_source import Frames, FrameSource


class JoinedFrames:
    """Frames of several sources of one size and type, numbered one source after the other."""

    def __init__(self, sources: Sequence[FrameSource], counts: Sequence[int]) -> None:
        """Join sources that have `counts` frames each; they are closed with this one."""
        self._sources = list(sources)
        self._ends = np.cumsum(np.asarray(counts, np.int64))

    @property
    def shape(self) -> tuple[int, int]:
        """Frame shape (Y, X)."""
        return self._sources[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the frames."""
        return self._sources[0].dtype

    def read(self, frames: npt.NDArray[np.int64], out: Frames) -> None:
        """Fill `out` (n, y, x) with the frames of these numbers (n,)."""
        places = np.searchsorted(self._ends, frames, side="right")
        for place in np.unique(places).tolist():
            wanted = np.flatnonzero(places == place)
            first = int(self._ends[place - 1]) if place else 0
            part = np.empty((len(wanted), *self.shape), self.dtype)
            self._sources[place].read(frames[wanted] - first, part)
            out[wanted] = part

    def close(self) -> None:
        """Close all files."""
        for source in self._sources:
            source.close()
