"""Every way in which a window may end, other than by being closed: each turns the light off first.

Signals, the system's log-off, an exception that nobody caught, a screen that is gone (SSH lost). Loads no devices.
"""

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rdl_live.acquire.system_end import ending_signals, stopped_by_signals
from rdl_live.app.session.session import LiveSession
from rdl_live.view.live.session import Light, Severity

if TYPE_CHECKING:
    from rdl_live.view.live.main_window import MainWindow

_LOG = logging.getLogger(__name__)

LOST_S = 10.0
"""How long a recording may take to be closed when the screen is gone."""
DARK_S = 2.0
"""How long a host's process waits for the dark before it ends as it wants to."""
BROKEN = ("connection broke", "connection to the X11 server", "Wayland connection")
"""What Qt says before it ends the process because its screen is gone."""
Raised = Callable[[type[BaseException], BaseException, TracebackType | None], object]


@contextmanager
def window_endings(session: LiveSession, window: "MainWindow") -> Iterator[list[int]]:
    """Within the block: signals and log-off close the window without a question, exceptions stop the run.

    Yields:
        The signals that came.
    """
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance()

    def close(_: object = None) -> None:
        session.close()
        window.asks = False
        window.close()
        # Also where a dialog or a menu waits in an event loop of its own.
        QApplication.exit(0)

    with ExitStack() as stack:
        signals = stack.enter_context(stopped_by_signals(session.stop, session.make_safe, close))
        stack.enter_context(stopped_by_exceptions(session))
        stack.enter_context(stopped_by_a_lost_screen(session))
        if isinstance(application, QApplication):
            application.commitDataRequest.connect(close)
            stack.callback(application.commitDataRequest.disconnect, close)
        yield signals


@contextmanager
def stopped_by_exceptions(session: LiveSession) -> Iterator[None]:
    """Let an exception that nobody caught in the main thread stop the run; the window stays, and says so.

    Without a hook, PyQt ends the process at once, with the light on.
    """
    restore = stop_at_exceptions(session)
    try:
        yield
    finally:
        restore()


def stop_at_exceptions(session: LiveSession) -> Callable[[], None]:
    """Likewise, until what is returned is called."""
    from qtpy.QtCore import QCoreApplication

    before: Raised = sys.excepthook

    def raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        session.stop()
        if not issubclass(kind, KeyboardInterrupt):
            details = "".join(traceback.format_exception(kind, error, trace))
            text = (
                f"the run was ended, in the dark: the window failed ({kind.__name__}: {error}). This is a defect of "
                "rdl-live; please report it with the details"
            )
            session.notify(Severity.ERROR, text, details)
        before(kind, error, trace)
        if issubclass(kind, KeyboardInterrupt) and before is sys.__excepthook__:
            QCoreApplication.exit(130)  # without a hook it would end the process, too

    def restore() -> None:
        if sys.excepthook is raised:
            sys.excepthook = before

    sys.excepthook = raised
    return restore


@contextmanager
def stopped_by_a_lost_screen(session: LiveSession) -> Iterator[None]:
    """Go dark and close the recording when Qt says that its screen is gone; it ends the process right after that."""
    from qtpy.QtCore import QtMsgType, qInstallMessageHandler

    def heard(kind: QtMsgType, context: Any, text: str | None) -> None:
        lost = text is not None and any(word in text for word in BROKEN)
        if lost or kind == QtMsgType.QtFatalMsg:
            end_at_once(session)
        if before is not None:
            before(kind, context, text)
        elif text is not None:
            print(text, file=sys.stderr)
        if lost:
            os._exit(1)

    before = qInstallMessageHandler(heard)
    try:
        yield
    finally:
        qInstallMessageHandler(before)


def end_at_once(session: LiveSession, patience_s: float = LOST_S) -> None:
    """Go dark, close the recording, unload the devices; waits for it, `patience_s` at most."""
    session.close()
    if not session.join(patience_s):
        session.make_safe()


def guard_host(session: LiveSession) -> Callable[[], None]:
    """Keep a host's process from ending with the light on: dark first, then whatever would have come.

    For a widget in another program. Its handlers of signals, exceptions and Qt's messages stay; they are called when it
    is dark.
    In other than the main thread signals stay as they are.

    Returns:
        What takes it back.
    """
    screen = ExitStack()
    screen.enter_context(stopped_by_a_lost_screen(session))
    steps = [stop_at_exceptions(session), screen.close]
    if threading.current_thread() is threading.main_thread():
        steps.append(_dark_before_signals(session))

    def restore() -> None:
        while steps:
            steps.pop()()

    return restore


def _dark_before_signals(session: LiveSession) -> Callable[[], None]:
    before: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        session.stop()
        _wait_dark(session)
        theirs = before[number]
        if callable(theirs):
            theirs(number, frame)
            return
        signal.signal(number, theirs)
        os.kill(os.getpid(), number)  # as it would have been without us

    for number in ending_signals():
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, handle)

    def restore() -> None:
        for number, theirs in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, theirs)

    return restore


def _wait_dark(session: LiveSession) -> None:
    """Wait until a stopped run has ended and its recording is closed, or at least until it is dark."""
    waited = threading.Event()
    for _ in range(round(DARK_S / 0.02)):
        snapshot = session.snapshot
        if not snapshot.activity.busy and snapshot.light is Light.OFF:
            return
        waited.wait(0.02)
    session.make_safe()
