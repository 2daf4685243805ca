"""The illumination guard: the microscope goes dark, whatever happens, and it is read back that it did.

Software cannot turn a laser off after kill -9, nor through a driver that hangs: wire the AOTF's blanking to the
camera's exposure-out, and have an interlock. The guard forces the safe state at every start, too.
"""

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.faults import raise_all
from rdl_live.acquire.light_gate import LightGate
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import Hardware

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)

PATIENCE_S = 0.8
"""How long a device may take to go dark; one that hangs must not keep the others from it.

Counted in turns that this process gets: on a busy computer a thread waits for each of them, and so does the device's.
"""
TURN_S = 0.01
MOST_S = 8.0
"""Longest that it lasts, whatever the turns."""
SETS_S = 0.1
"""So long what a run is just setting on a device is waited for, before the device is made dark nevertheless."""
SETS_ON_S = 0.4
"""Likewise before it is made dark once more, where it then does not read back as dark."""
Step = Callable[[], None]


class IlluminationGuard:
    """Keeps one microscope dark unless a run wants light. `make_safe` may be called from any thread.

    A context manager: safe at its start and at its end, at any exception, and at the exit of the process.
    """

    def __init__(self, core: "CMMCorePlus", hardware: Hardware, gate: LightGate | None = None) -> None:
        """Watch over a core; from now on the process does not end without making it safe.

        Args:
            core: the core.
            hardware: its devices by role.
            gate: of a run that may be setting its light while it is made dark.
        """
        self._core, self.hardware, self._gate = weakref.ref(core), hardware, gate
        self._lock = threading.Lock()
        self._at_exit = _exit_of(weakref.ref(self))
        atexit.register(self._at_exit)

    def make_safe(self) -> None:
        """Close the shutter, set every entry of the safe state, read it back. All steps run, whatever one raises.

        Each device is asked in a thread of its own and given `PATIENCE_S`.

        Raises:
            DeviceError: anything that is not dark, or did not answer; all problems are listed.
        """
        with self._lock:
            raise_all(side_by_side(self._steps()))

    def release(self) -> None:
        """Watch no longer; for the orderly end, after `make_safe`."""
        atexit.unregister(self._at_exit)

    def __enter__(self) -> Self:
        """Force the safe state and return itself."""
        self.make_safe()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make safe; with an error in the block, both are raised."""
        try:
            self.make_safe()
        except DeviceError as failure:
            if error is None:
                raise
            raise_all([error, failure])
        finally:
            self.release()

    def _steps(self) -> dict[str, list[Step]]:
        """Return what is to be done, device by device."""
        core = self._core()
        if core is None:
            return {}  # the core is gone, and its devices with it
        devices = Devices(core, self.hardware)
        loaded = set(core.getLoadedDevices())
        steps: dict[str, list[Step]] = {}
        if self.hardware.shutter in loaded and self.hardware.shutter is not None:
            steps[self.hardware.shutter] = [self._alone(self.hardware.shutter, lambda: devices.shutter(False), SETS_S)]
        for setting in self.hardware.safe_state:
            if setting.device in loaded:
                patience_s = 0.0 if setting.device in steps else SETS_S
                step = self._alone(setting.device, partial(devices.set, setting, always=True), patience_s)
                steps.setdefault(setting.device, []).append(step)
        return steps

    def _alone(self, device: str, step: Step, patience_s: float) -> Step:
        """Return a step that does not meet with what a run is just setting, as long as that does not hang."""
        gate = self._gate
        if gate is None:
            return step

        def alone() -> None:
            with gate.darkening(device, patience_s) as hands_off:
                try:
                    step()
                    return
                except DeviceError:
                    if hands_off:
                        raise
            with gate.darkening(device, SETS_ON_S):
                step()

        return alone


def side_by_side(steps: Mapping[str, Sequence[Step]]) -> list[BaseException]:
    """Run the steps of all devices, each device in a thread of its own, and return what went wrong.

    A device that hangs is reported after `PATIENCE_S` and keeps no other waiting: all others are dark by then.
    """
    errors: list[BaseException] = []
    threads = {}
    for device, mine in steps.items():
        thread = threading.Thread(target=_all_of, args=(mine, errors), name=f"safe-{device}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down and starts no threads
            _all_of(mine, errors)
        else:
            threads[device] = thread
    _wait_for(list(threads.values()))
    for device, thread in threads.items():
        if thread.is_alive():
            errors.append(
                DeviceError(
                    f"{device}: did not answer within {PATIENCE_S:g} s when it was to stop or go dark; IF IT IS A "
                    "LIGHT, TURN IT OFF BY HAND, then restart the device"
                )
            )
    return errors


def _wait_for(threads: Sequence[threading.Thread]) -> None:
    """Wait until all have ended, for `PATIENCE_S` of turns: a busy computer makes each of them last longer."""
    deadline, turns = time.monotonic() + MOST_S, round(PATIENCE_S / TURN_S)
    for thread in threads:
        while thread.is_alive() and turns > 0 and time.monotonic() < deadline:
            thread.join(TURN_S)
            turns -= 1


def _all_of(steps: Sequence[Step], errors: list[BaseException]) -> None:
    for step in steps:
        try:
            step()
        except Exception as error:  # every step must run; all errors are reported by the caller
            errors.append(error)


def _exit_of(guard: "weakref.ref[IlluminationGuard]") -> Step:
    """Return what makes safe at the exit of the process, without keeping guard and core alive."""

    def at_exit() -> None:
        alive = guard()
        if alive is None:
            return
        try:
            alive.make_safe()
        except DeviceError as error:
            _LOG.critical("at exit: %s", error)

    return at_exit
