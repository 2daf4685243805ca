"""Memory that is given back: glibc's heaps are kept few, and large blocks out of them.

glibc gives every new thread a heap of its own (up to eight times the cores), and gives none of them back while anything
in it lives; and once a large block was freed it takes the next ones from the heaps, too. Runs start and end threads all
night; what they left in so many heaps, between blocks that live, added up to 14 % in 40 short runs, though the program
held not a byte more. With two heaps, and frames and images in pages of their own, it stays within half a per cent.
`make soak` watches it.
"""

import ctypes
import sys

ARENAS = 2
LARGE_BYTES = 2 << 20
"""Blocks from this size on go back to the system when they are freed. That costs 0.2 ms a MB, so those that come and go
with every frame are smaller."""
RESERVE_BYTES = 16 << 20
"""What a heap may keep at its end: otherwise glibc gives it back and asks for it again with every frame."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of mallopt(3), in malloc.h."""


def few_arenas() -> bool:
    """Keep the heaps of this process few, from now on; return whether that could be said (only to glibc)."""
    return _told(_M_ARENA_MAX, ARENAS)


def give_back() -> bool:
    """Do that, and give large blocks back to the system; return whether it could be said."""
    return few_arenas() and _told(_M_MMAP_THRESHOLD, LARGE_BYTES) and _told(_M_TRIM_THRESHOLD, RESERVE_BYTES)


def _told(parameter: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(parameter, value))
