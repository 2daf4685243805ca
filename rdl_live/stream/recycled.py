"""Arrays that are used again once nobody holds them any more.

Memory that is new to a process costs about a millisecond a MB the first time that it is written, ten times as much as a
copy; an image of 512 x 512 raw pixels comes with 14 MB of companions.
"""

import sys

import numpy as np
import numpy.typing as npt

MOST = 12
"""Arrays that are remembered: four images with their three companions, more than viewers hold at a time."""

Image = npt.NDArray[np.float32]


class Recycled:
    """Copies whose memory comes back by itself. Belongs to one thread; the copies may go anywhere."""

    def __init__(self, most: int = MOST) -> None:
        """Remember so many arrays; more are made where all of them are in use, and not remembered."""
        self._most, self._arrays = most, list[Image]()

    def copy_of(self, values: npt.NDArray[np.generic]) -> Image:
        """Return a copy that is its receiver's for as long as it, a view or a tensor of it is held."""
        for index in range(len(self._arrays)):
            if self._arrays[index].shape == values.shape and _holders(self._arrays, index) == _NOBODY_ELSE:
                found = self._arrays[index]
                np.copyto(found, values)
                return found
        made = np.array(values, np.float32)
        if len(self._arrays) < self._most:
            self._arrays.append(made)
        return made


def _holders(arrays: list[Image], index: int) -> int:
    return sys.getrefcount(arrays[index])


_NOBODY_ELSE = _holders([np.empty(0, np.float32)], 0)
"""What is counted for an array that only its list holds; versions of Python differ."""
