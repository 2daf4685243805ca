"""How the system asks a program to end: signals, and the events of Windows' console. A run then ends in the dark.

What none of this can do: SIGKILL, SIGSTOP, a crash of the process, a power cut. A hardware watchdog is for those.
"""

import ctypes
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

_LOG = logging.getLogger(__name__)

ALWAYS = ("SIGINT", "SIGTERM", "SIGBREAK")
"""Signals that end a run whatever was set before."""
UNLESS_SET = ("SIGHUP", "SIGQUIT", "SIGTSTP", "SIGXCPU", "SIGALRM", "SIGUSR1", "SIGUSR2")
"""Those that end a run where the system's own action would: end or suspend the program with the light on. `nohup`
ignores SIGHUP, and a host may use some of them; that is respected."""
INSISTS = ("SIGINT", "SIGTERM", "SIGBREAK")
"""A second one of these ends the program at once. Not SIGHUP: shell and terminal both send one."""

CLOSE, LOGOFF, SHUTDOWN = 2, 5, 6
"""Windows: CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT (HandlerRoutine of the Windows API)."""
STOPS_S = 0.5
"""After the stop a run has so long to go dark by itself, before the guard does it."""
CONSOLE_S = 4.5
"""Windows ends the process when the handler returns, and after 5 s anyway."""
Step = Callable[[], object]


class Kernel32(Protocol):
    """What is used of kernel32.dll."""

    def SetConsoleCtrlHandler(self, handler: Any, add: bool) -> int:  # noqa: N802
        """Add or remove a handler; 0 where that fails."""


@contextmanager
def stopped_by_signals(
    stop: Step, make_safe: Step = lambda: None, then: Callable[[int], object] = lambda _: None
) -> Iterator[list[int]]:
    """Let the system's requests to end call `stop` within the block: signals, and console events of Windows.

    `stop` is called by a thread of its own, so that light goes off also while the main thread is in a library that
    does not return. A second SIGINT or SIGTERM raises KeyboardInterrupt. In other than the main thread of the
    program signals stay as they are: Python allows it only there.

    Args:
        stop: asks the run to end, and returns at once; any thread, any number of times.
        make_safe: turns the light off now; any thread. Called where Windows does not wait for the run's own end.
        then: called with the signal's number in the main thread, between two of its steps.

    Yields:
        The signals that came.
    """
    came: list[int] = []
    with ExitStack() as stack:
        if sys.platform == "win32":
            stack.enter_context(ConsoleEvents(stop, make_safe))
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_handlers(came, stop, then))
        yield came


@contextmanager
def _handlers(came: list[int], stop: Step, then: Callable[[int], object]) -> Iterator[None]:
    insisting = {int(getattr(signal, name)) for name in INSISTS if hasattr(signal, name)}
    numbers = ending_signals()
    with _woken(numbers, stop) as woken:

        def handle(number: int, _: FrameType | None) -> None:
            came.append(number)
            if not woken:
                stop()
            then(number)
            if number in insisting and came.count(number) > 1:
                raise KeyboardInterrupt

        before = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                # What comes again at the end of a terminal must not cut the end of the program short.
                again = number in came and number not in insisting
                signal.signal(number, signal.SIG_IGN if again else handler)


def ending_signals() -> list[int]:
    """Return the signals that are to end a run, of those that this system has."""
    numbers = [int(getattr(signal, name)) for name in ALWAYS if hasattr(signal, name)]
    for name in UNLESS_SET:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            numbers.append(int(number))
    return numbers


@contextmanager
def _woken(numbers: list[int], stop: Step) -> Iterator[bool]:
    """Let a thread call `stop` at a signal, also while the main thread does not come to its handlers.

    Yields False where another library has Python's wake-up file already; nothing is done then.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before)
        reading.close()
        writing.close()
        yield False
        return

    def wait() -> None:
        while came := reading.recv(64):
            if set(came) & set(numbers):
                stop()
        reading.close()

    thread = threading.Thread(target=wait, name="rdl-signals", daemon=True)
    thread.start()
    try:
        yield True
    finally:
        signal.set_wakeup_fd(-1)
        writing.close()
        thread.join(2.0)


class ConsoleEvents:
    """Windows only: console closed, log-off, shut-down. A context manager around the run.

    Windows calls the handler in a thread of its own and ends the process when it returns. So it returns only when
    the block is left, that is when it is dark and the recording is closed, or when Windows would wait no longer.
    Ctrl-C and Ctrl-Break are signals for Python, and are left to it.
    """

    def __init__(self, stop: Step, make_safe: Step, kernel32: Kernel32 | None = None) -> None:
        """Only take what is needed; see `stopped_by_signals`. `kernel32` is for tests."""
        self._stop, self._make_safe = stop, make_safe
        self._kernel32: Any = kernel32 or getattr(ctypes, "WinDLL", ctypes.CDLL)("kernel32")
        self._over = threading.Event()
        self.came: list[int] = []
        make = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
        # Kept for as long as Windows may call it.
        self._handler = make(ctypes.c_int, ctypes.c_uint)(self._handle)

    def __enter__(self) -> Self:
        """Begin to listen."""
        if not self._kernel32.SetConsoleCtrlHandler(self._handler, True):
            _LOG.warning("Windows takes no console handler: do not close the console while light is on")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let a waiting handler return, and listen no more."""
        self._over.set()
        self._kernel32.SetConsoleCtrlHandler(self._handler, False)

    def _handle(self, event: int) -> int:
        """Return 1 where the event was dealt with; called by Windows in a new thread."""
        if event not in (CLOSE, LOGOFF, SHUTDOWN):
            return 0
        deadline = time.monotonic() + CONSOLE_S
        self.came.append(event)
        for step in (self._stop, lambda: self._over.wait(STOPS_S) or self._make_safe()):
            try:
                step()
            except Exception:  # the next step must come, whatever this one met
                _LOG.exception("at the end of the console")
        self._over.wait(max(deadline - time.monotonic(), 0.0))
        return 1
