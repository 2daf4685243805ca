"""Arrays that are used again once nobody holds them any more.

Memory that is new to a process costs about a millisecond a MB the first time that it is written, ten times as much as a
copy; an image of 512 x 512 raw pixels comes with 14 MB of companions.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[Any]


class Recycled:
    """Arrays whose memory comes back by itself. Belongs to one thread; the arrays may go anywhere."""

    def __init__(self, most: int) -> None:
        """Remember so many arrays; more are made where all of them are in use, and not remembered."""
        self._most, self._arrays = most, list[Image]()

    def array(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Image:
        """Return an array that is its receiver's for as long as it, a view or a tensor of it is held.

        What it holds is anything: it may have been another's.
        """
        for index in range(len(self._arrays)):
            found = self._arrays[index]
            fits = found.shape == shape and found.dtype == dtype
            del found
            if fits and _holders(self._arrays, index) == _NOBODY_ELSE:
                return self._arrays[index]
        made = np.empty(shape, dtype)
        if len(self._arrays) < self._most:
            self._arrays.append(made)
        return made

    def copy_of(self, values: npt.NDArray[np.generic]) -> Image:
        """Return a copy likewise."""
        found = self.array(values.shape, values.dtype)
        np.copyto(found, values)
        return found


def _holders(arrays: list[Image], index: int) -> int:
    return sys.getrefcount(arrays[index])


_NOBODY_ELSE = _holders([np.empty(0, np.float32)], 0)
"""What is counted for an array that only its list holds; versions of Python differ."""
