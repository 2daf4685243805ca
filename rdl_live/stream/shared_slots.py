"""Memory that two processes share, in slots of equal size: pixels cross here and are never pickled."""

import shutil
import sys
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DeviceError

ALIGN = 64


class SharedSlots:
    """A block of slots. Who made it unlinks it; each side closes its own."""

    def __init__(self, count: int, nbytes: int, name: str | None = None) -> None:
        """Make a block, or attach to the one of this name.

        Raises:
            DeviceError: the computer has not enough shared memory.
        """
        self.count, self.nbytes = count, -(-nbytes // ALIGN) * ALIGN
        size = count * self.nbytes
        if name is None:
            _check_room(size)
        try:
            self._memory = SharedMemory(name, create=name is None, size=size)
        except OSError as error:
            raise DeviceError(
                f"no shared memory of {size / 1e6:.0f} MB for the processing ({error.strerror}); close other programs, "
                "or process in a thread"
            ) from error
        self._linked = name is None

    @property
    def name(self) -> str:
        """What the other side attaches by."""
        return self._memory.name

    def array(
        self, slot: int, shape: tuple[int, ...], dtype: npt.DTypeLike, offset: int = 0
    ) -> npt.NDArray[np.generic]:
        """Return a slot, or a part of it, as an array of the memory itself; let it go before `close`."""
        return np.ndarray(shape, dtype, buffer=self._memory.buf, offset=slot * self.nbytes + offset)

    @property
    def whole(self) -> npt.NDArray[np.uint8]:
        """All of it, as bytes; let it go before `close`."""
        return np.ndarray(self.count * self.nbytes, np.uint8, buffer=self._memory.buf)

    def close(self) -> None:
        """Let go of the memory, on this side."""
        self._memory.close()

    def unlink(self) -> None:
        """Let the memory vanish when both sides have let go of it; nothing is left behind then by any kill."""
        if self._linked:
            self._linked = False
            self._memory.unlink()


def _check_room(size: int) -> None:
    """Where shared memory is a small disk, writing beyond its end would kill the process that writes."""
    if not sys.platform.startswith("linux"):
        return
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        return
    if size > free:
        raise DeviceError(
            f"processing in its own process needs {size / 1e6:.0f} MB of shared memory and /dev/shm has "
            f"{free / 1e6:.0f} MB free; enlarge it, take a smaller region, or process in a thread"
        )
