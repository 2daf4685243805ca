"""A thread that computes is told from one that waits."""

import sys
import threading
import time
from pathlib import Path

import pytest

from rdl_live.acquire.thread_work import LEAST_S, ThreadWork


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="schedstat")
def test_computing_is_told_from_waiting_and_from_the_end() -> None:
    begin, ended = threading.Event(), threading.Event()

    def work() -> None:
        begin.wait(60)
        before = time.thread_time()
        while time.thread_time() - before < 10 * LEAST_S:
            pass
        ended.wait(60)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    watched = ThreadWork(thread)
    for _ in range(3):
        time.sleep(0.02)
        assert not watched.goes_on()
    begin.set()
    deadline = time.monotonic() + 60
    while not watched.goes_on():
        time.sleep(0.05)
        assert time.monotonic() < deadline
    ended.set()
    thread.join()
    watched.goes_on()  # what it still did
    assert not watched.goes_on()


@pytest.mark.parametrize(
    ("computed_s", "waited_s", "goes_on"),
    [
        (0.0, 0.0, False),
        (0.5 * LEAST_S, 0.0, False),
        (2 * LEAST_S, 0.0, True),
        (0.0, 1e4, True),  # stood in line all the time: the computer is busy, no device hangs
        (0.0, 1e-6, False),
    ],
)
def test_one_that_waits_for_a_processor_hangs_not(
    tmp_path: Path, computed_s: float, waited_s: float, goes_on: bool
) -> None:
    watched = ThreadWork(threading.main_thread())
    watched._file = tmp_path / "schedstat"  # what Linux writes: processor, line, slices
    watched._file.write_text("5000000 7000000 3\n", encoding="ascii")
    watched.goes_on()
    time.sleep(1e-3)
    now = 5000000 + round(1e9 * computed_s), 7000000 + round(1e9 * waited_s)
    watched._file.write_text(f"{now[0]} {now[1]} 4\n", encoding="ascii")
    assert watched.goes_on() is goes_on
