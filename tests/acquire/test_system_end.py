"""How the system asks for the end: signals, and Windows' console events with its system calls replaced."""

import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rdl_live.acquire import Acquisition
from rdl_live.acquire.system_end import CLOSE, LOGOFF, SHUTDOWN, ConsoleEvents, stopped_by_signals
from rdl_live.cli._terminal import LastingStream
from rdl_live.optics.microscope import Microscope
from tests.acquire.conftest import is_dark, plan_of
from tests.busy import BUSY, PATIENCE_S

if TYPE_CHECKING:
    from pymmcore_plus.experimental.unicore import UniMMCore

    from rdl_devices.sim import World

unix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


class Kernel32:
    """Windows' system call, replaced: it keeps the handler, and a test calls it as Windows would, in a new thread."""

    def __init__(self, answer: int = 1) -> None:
        self.handlers: list[Any] = []
        self._answer = answer

    def SetConsoleCtrlHandler(self, handler: Any, add: bool) -> int:  # noqa: N802
        if add:
            self.handlers.append(handler)
        else:
            self.handlers.remove(handler)
        return self._answer

    def sends(self, event: int) -> tuple[threading.Thread, list[int]]:
        """Send an event; return the thread that handles it, and what it will return."""
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(self.handlers[-1](event)))
        thread.start()
        return thread, answers


@pytest.mark.parametrize("event", [CLOSE, LOGOFF, SHUTDOWN])
def test_windows_waits_until_it_is_dark_and_recorded(
    core: "UniMMCore", world: "World", microscope: Microscope, event: int
) -> None:
    kernel, run = Kernel32(), Acquisition(core, microscope, plan_of(None), check_patterns=False)
    with ConsoleEvents(run.stop, run.make_safe, kernel) as console:
        run.start()
        while run.status.frames < 20:
            time.sleep(0.005)
        assert not is_dark(core, world)
        thread, answers = kernel.sends(event)
        report = run.wait()
        assert report.stopped
        assert is_dark(core, world)
        assert thread.is_alive()  # Windows would end the process now
    thread.join(PATIENCE_S)
    assert (answers, console.came) == ([1], [event])
    assert kernel.handlers == []


def test_windows_gets_the_dark_also_where_the_run_does_not_end() -> None:
    kernel, asked = Kernel32(), []
    with ConsoleEvents(lambda: asked.append("stop"), lambda: asked.append("safe"), kernel):
        began = time.monotonic()
        thread, answers = kernel.sends(CLOSE)
        while "safe" not in asked:
            time.sleep(0.01)
        assert time.monotonic() - began < 1.0 * BUSY
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert time.monotonic() - began < 5.0 * BUSY  # Windows waits for 5 s
    assert asked == ["stop", "safe"]
    assert answers == [1]


def test_a_stop_that_fails_keeps_nothing_from_going_dark() -> None:
    kernel, asked = Kernel32(), []

    def fail() -> None:
        raise RuntimeError("no")

    with ConsoleEvents(fail, lambda: asked.append("safe"), kernel) as console:
        thread, _ = kernel.sends(LOGOFF)
        while not asked:
            time.sleep(0.01)
    thread.join(PATIENCE_S)
    assert console.came == [LOGOFF]


@pytest.mark.parametrize("event", [0, 1])
def test_keys_in_the_console_are_left_to_python(event: int) -> None:
    kernel, asked = Kernel32(), []
    with ConsoleEvents(lambda: asked.append("stop"), lambda: None, kernel) as console:
        thread, answers = kernel.sends(event)
        thread.join(PATIENCE_S)
    assert (answers, asked, console.came) == ([0], [], [])


@pytest.fixture
def _default_hup() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@unix
@pytest.mark.usefixtures("_default_hup")
def test_a_signal_stops_while_the_main_thread_is_in_a_library() -> None:
    """Python's own handlers wait until the main thread comes back; the light must not.

    What came is ignored from then on (a terminal sends it twice); what did not come is as it was before.
    """
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGQUIT)
    stopped: list[float] = []
    with stopped_by_signals(lambda: stopped.append(time.perf_counter())) as came:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGHUP)).start()
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_500_000)
        back = time.perf_counter()
        while not came:
            time.sleep(0.01)
    assert min(stopped) < back - 0.05
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGQUIT)) == before


@unix
@pytest.mark.usefixtures("_default_hup")
def test_the_terminals_end_comes_twice_and_insists_on_nothing() -> None:
    with stopped_by_signals(lambda: None) as came:
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
        assert came == [signal.SIGHUP] * 3
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@unix
def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals(lambda: None) as came:
            signal.raise_signal(signal.SIGHUP)
        assert came == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_stream_whose_reader_is_gone_takes_everything() -> None:
    reading, writing = os.pipe()
    stream = LastingStream(os.fdopen(writing, "w", encoding="utf-8"))
    print("one", file=stream, flush=True)
    assert not stream.gone
    os.close(reading)
    print("two", file=stream, flush=True)
    assert stream.gone
    print("three", file=stream, flush=True)
    os.write(writing, b"what a library writes to the same file")
    stream.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_a_stream_whose_terminal_is_gone_takes_everything() -> None:
    import pty

    master, slave = pty.openpty()
    stream = LastingStream(os.fdopen(slave, "w", encoding="utf-8"))
    assert stream.isatty()
    os.close(master)
    print("anybody?", file=stream, flush=True)
    assert stream.gone
    stream.close()
