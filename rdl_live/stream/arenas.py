"""Memory that is given back: glibc's heaps are kept few.

glibc gives every new thread a heap of its own (up to eight times the cores), and gives none of them back while anything
in it lives. Runs start and end threads all night; what they leave in so many heaps added up to 14 % in 40 short runs,
though the program held not a byte more. With two heaps it stays level. `make soak` watches it.
"""

import ctypes
import sys

ARENAS = 2
_M_ARENA_MAX = -8
"""Of mallopt(3), in malloc.h."""


def few_arenas() -> bool:
    """Keep the heaps of this process few, from now on; return whether that could be said (only to glibc)."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, ARENAS))
