"""Memory that is given back: glibc's heaps are kept few, and large blocks out of them.

glibc gives every new thread a heap of its own (up to eight times the cores), and gives none of them back while anything
in it lives; and once a large block was freed it takes the next ones from the heaps, too. Runs start and end threads all
night; what they left in so many heaps, between blocks that live, added up to 14 % in 40 short runs, though the program
held not a byte more. With two heaps, and frames and images in pages of their own, it stays within one or two per cent.
`make soak` watches it.
"""

import ctypes
import sys

ARENAS = 2
LARGE_BYTES = 512 * 1024
"""Blocks from this size on go back to the system when they are freed. That costs about a millisecond a MB, which the
simulated camera feels (45 for 65 frames a second in the denoised demo); a real one does not compute its frames, and
images are computed in a process of their own, without it. Tried: 2 and 8 MB with a reserve of 16 and 64 MB at the end
of each heap; memory then grew by 5 to 9 % in ten minutes."""
KEPT_BYTES = 2**31 - 1
"""At the end of the heap of a process that computes images, so much stays taken when it is free."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8
"""Of mallopt(3), in malloc.h."""


def few_arenas() -> bool:
    """Keep the heaps of this process few, from now on; return whether that could be said (only to glibc)."""
    return _told(_M_ARENA_MAX, ARENAS)


def give_back() -> bool:
    """Do that, and give large blocks back to the system; return whether it could be said."""
    return few_arenas() and _told(_M_MMAP_THRESHOLD, LARGE_BYTES)


def keep() -> bool:
    """Keep the heaps few, and in them what was taken once; return whether it could be said.

    For a process that computes the same images again and again: pages that are given back and taken anew with each of
    them cost a fifth of the time at 1024 x 1024.
    """
    return few_arenas() and _told(_M_MMAP_MAX, 0) and _told(_M_TRIM_THRESHOLD, KEPT_BYTES)


def _told(parameter: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(parameter, value))
