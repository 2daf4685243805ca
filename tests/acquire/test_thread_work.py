"""A thread that computes is told from one that waits."""

import sys
import threading
import time

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
