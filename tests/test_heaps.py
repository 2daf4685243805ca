"""Heaps stay few, however many threads come and go."""

import gc
import subprocess
import sys

import pytest

from rdl_live._garbage import loading

HEAPS = """
import ctypes, sys, threading
sys.path[:0] = [{path!r}]
from rdl_live._heaps import give_back
assert give_back()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
hold = threading.Barrier(13)
def take():
    libc.malloc(1000)
    hold.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
for thread in threads: thread.start()
hold.wait()
for thread in threads: thread.join()
file = libc.fopen; file.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_many_threads_share_two_heaps() -> None:
    made = subprocess.run(
        [sys.executable, "-c", HEAPS.format(path="")], capture_output=True, text=True, check=True, timeout=240
    )
    assert made.stdout.count("<heap nr=") == 2


AGAIN = """
import resource
import numpy as np
from rdl_live._heaps import keep
assert keep()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(8_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first, *others = [faults() for _ in range(4)]
print(first > 500, max(others) < 100)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_what_a_worker_took_once_it_need_not_take_again() -> None:
    made = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True, timeout=240)
    assert made.stdout.split()[1] == "True"


def test_nothing_is_collected_while_modules_are_loaded() -> None:
    assert gc.isenabled()
    with loading():
        assert not gc.isenabled()
        with loading():  # a module that loads others
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()
