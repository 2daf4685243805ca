"""Trainings that are asked to end: after the step at hand, with their checkpoint, and with a sentence."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console

_ENDS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
_SIGNALLED = 128
"""Exit codes of programs that a signal ended begin here, by custom."""


@contextmanager
def orderly_end(out: Path) -> Iterator[Callable[[], None]]:
    """Let Ctrl-C, a closed terminal and the system's SIGTERM end a training after the step at hand.

    What is given is to be called after every step; it raises KeyboardInterrupt once an end was asked for. Before the
    first step, and where it is asked twice, the training ends at once. It is then said what was kept.
    """
    asked: list[int] = []
    steps = 0

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if steps == 0 or len(asked) > 1:
            raise KeyboardInterrupt

    def after_step() -> None:
        nonlocal steps
        steps += 1
        if asked:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, ask) for number in (_ENDS if main else ())}
    try:
        yield after_step
    except KeyboardInterrupt:
        from rdl_live.train.loop.outputs import Outputs

        checkpoint = Outputs(out).checkpoint
        kept = (
            f"{checkpoint} is kept; go on with --resume"
            if checkpoint.is_file()
            else "nothing was trained yet, so nothing is kept"
        )
        Console(stderr=True, highlight=False).print(f"stopped: {kept}", markup=False, soft_wrap=True)
        raise typer.Exit(_SIGNALLED + (asked[0] if asked else signal.SIGINT)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
