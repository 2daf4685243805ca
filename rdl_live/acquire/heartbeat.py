"""The heartbeat for a hardware watchdog: while the run is alive a property is written again and again.

The hardware goes dark by itself when that stops: after kill -9, a frozen computer, or a driver that holds the run.
"""

import logging
import threading
import time
from collections.abc import Callable
from itertools import cycle
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rdl_live.acquire.faults import asking
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import WatchdogRole

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)


class Heartbeat:
    """Beats within a `with` block, in a thread of its own, as long as the run gives signs of life."""

    def __init__(
        self,
        core: "CMMCorePlus",
        role: WatchdogRole | None,
        alive_s: Callable[[], float],
        patience_s: float,
        failed: Callable[[DeviceError], None],
    ) -> None:
        """Prepare.

        Args:
            core: the core.
            role: what is written; None: the microscope has no watchdog, and nothing is done.
            alive_s: when the run last did something, by `time.monotonic` [s].
            patience_s: for how long it may do nothing; then there is no beat, and the hardware goes dark.
            failed: called when the watchdog does not take a beat; there are no more then.
        """
        self._core, self._role = core, role
        self._alive_s, self._patience_s, self._failed = alive_s, patience_s, failed
        self._values = cycle(role.values if role is not None else ())
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rdl-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Beat once, before there is any light, and go on.

        Raises:
            DeviceError: the watchdog does not take it.
        """
        if self._role is not None:
            self.beat()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def beat(self) -> None:
        """Write the next value.

        Raises:
            DeviceError: the watchdog does not take it.
        """
        role = self._role
        if role is None:
            return
        with self._lock:
            value = next(self._values)
            with asking(role.device, f"{role.property} = {value} (heartbeat of the watchdog)"):
                self._core.setProperty(role.device, role.property, value)

    def _run(self) -> None:
        if self._role is None:
            return
        while not self._over.wait(self._role.every_s):
            if time.monotonic() - self._alive_s() > self._patience_s:
                continue  # the run hangs, or waits in the dark: the hardware is to decide
            try:
                self.beat()
            except DeviceError as error:
                _LOG.error("%s", error)
                self._failed(error)
                return
