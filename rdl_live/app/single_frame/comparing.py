"""Series of patterns are compared with the network's images one after the other, while the next frames are taken."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy.typing as npt

from rdl_live.app.single_frame.check import Check, Comparison
from rdl_live.errors import RdlError
from rdl_live.files.recorder import SeriesKey
from rdl_live.optics.microscope import Channel

WAITING = 8
"""So many series wait to be compared; more are recorded, and said not to be compared, for they fill the memory."""


class Comparing:
    """A queue of comparisons, in a thread of its own."""

    def __init__(self, on_check: Callable[[Check], None]) -> None:
        """Hand on what each says, from any thread."""
        self._on_check = on_check
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="rdl-check")
        self._asked: list[Future[None]] = []
        self._failed: list[BaseException] = []

    def ask(
        self, compared: Comparison, series: npt.NDArray[Any] | None, channel: Channel, key: SeriesKey, time: int
    ) -> None:
        """Compare a series (angle, phase, y, x) ADU, or say why not; None: frames of it are missing."""
        done = [one for one in self._asked if one.done()]
        self._failed += _errors_of(done)
        self._asked = [one for one in self._asked if one not in done]
        if series is None:
            self._on_check(Check(time, channel.name, key.position, key.z, None, "frames of it are missing"))
        elif len(self._asked) >= WAITING:
            why = "the computer still compares those before"
            self._on_check(Check(time, channel.name, key.position, key.z, None, why))
        else:
            self._asked.append(self._executor.submit(self._compare, compared, series, channel, key, time))

    def end(self, *, cancel: bool) -> list[BaseException]:
        """Wait for those that were asked for, or leave them out; return what broke."""
        self._executor.shutdown(wait=True, cancel_futures=cancel)
        errors = [*self._failed, *_errors_of(self._asked)]
        self._failed, self._asked = [], []
        return errors

    def _compare(
        self, compared: Comparison, series: npt.NDArray[Any], channel: Channel, key: SeriesKey, time: int
    ) -> None:
        try:
            check = compared(series, channel, time, key)
        except RdlError as error:
            check = Check(time, channel.name, key.position, key.z, None, str(error))
        self._on_check(check)


def _errors_of(comparisons: "list[Future[None]]") -> list[BaseException]:
    """Return what broke comparisons that have ended; a defect, for what is wrong with a series is a `Check`."""
    ended = [one for one in comparisons if one.done() and not one.cancelled()]
    return [error for one in ended if (error := one.exception()) is not None]
