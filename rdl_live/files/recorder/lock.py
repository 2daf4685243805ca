"""One writer a recording: an advisory lock on its journal, which the system lets go when a process dies."""

import os
import sys

_FAR = 1 << 40
"""On Windows a lock also keeps readers out, so it is put on a byte that the journal never reaches."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process; return False if another one holds it."""
    try:
        _lock(descriptor)
    except BlockingIOError:
        return False
    except PermissionError:
        if sys.platform != "win32":
            raise
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
