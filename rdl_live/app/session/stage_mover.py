"""Moves stage and focus for the window, in a thread of its own: a stage that is slow or hangs holds nothing else up.

What is asked for while a move goes on is joined: steps add up, and only the last place is driven to. While a recording
or a plan runs nothing moves: `hold` waits until the stage rests, and refuses until `release`.
"""

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from rdl_live.acquire.devices import Devices
from rdl_live.app.session.notices import Notices
from rdl_live.app.session.stage_watch import StageWatch
from rdl_live.errors import DeviceError
from rdl_live.view.live.session import Severity

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from rdl_live.optics.hardware import Hardware

_LOG = logging.getLogger(__name__)

REST_S = 10.0
"""How long a run waits for a stage that moves."""
END_S = 1.0
XY = ("x", "y")


class StageMover:
    """Moves the stages of one core until it is closed. Any thread may ask; nothing that is asked waits."""

    def __init__(self, core: "CMMCorePlus", hardware: "Hardware", watch: StageWatch, notices: Notices) -> None:
        """Begin to wait for moves.

        Args:
            core: with the devices loaded.
            hardware: which of them are stage and focus, and how far they may travel.
            watch: is asked to read where they are after each move.
            notices: what cannot be done is reported there.
        """
        self._core, self._hardware, self._watch, self._notices = core, hardware, watch, notices
        self._devices = Devices(core, hardware)
        self._changed = threading.Condition()
        self._to: dict[str, float] = {}
        """Where each axis is to go [um]."""
        self._by: dict[str, float] = {}
        """By how much each is to go from where it is [um]."""
        self._held = self._moving = self._stopped = self._closing = False
        self._thread = threading.Thread(target=self._work, name="rdl-stage-moves", daemon=True)
        self._thread.start()

    @property
    def moving(self) -> bool:
        """Whether something moves, or is about to."""
        return self._moving or bool(self._to or self._by)

    def move(self, places: dict[str, float], *, by: bool = False) -> None:
        """Drive axes ("x", "y", "z") to places, or by distances [um]."""
        lacking = self._lacking(places)
        with self._changed:
            held = self._held
            if not held and not lacking:
                for axis, value in places.items():
                    if not by:
                        self._by.pop(axis, None)
                        self._to[axis] = value
                    elif axis in self._to:
                        self._to[axis] += value
                    else:
                        self._by[axis] = self._by.get(axis, 0.0) + value
                self._changed.notify_all()
        if lacking:
            self._notices.warn(f"nothing to move: add the device as hardware.{lacking} to the microscope file")
        elif held:
            self._notices.warn("stage and focus do not move while a recording, a plan or a snap runs; stop it first")

    def stop(self) -> None:
        """Halt, and forget what was to come."""
        with self._changed:
            self._to.clear()
            self._by.clear()
            halts = self._moving
            self._stopped = halts
        if halts:  # in a thread of its own: the window does not wait for a device
            threading.Thread(target=self._halt, name="rdl-stage-halt", daemon=True).start()

    def hold(self) -> None:
        """Move nothing from now on; return when everything rests.

        Raises:
            DeviceError: it goes on moving.
        """
        with self._changed:
            self._held = True
            self._to.clear()
            self._by.clear()
            rests = self._changed.wait_for(lambda: not self._moving, REST_S)
        if not rests:
            self.release()
            raise DeviceError(
                f"the stage has been moving for {REST_S:g} s; wait until it has stopped, then start again"
            )

    def release(self) -> None:
        """Move again when asked to."""
        with self._changed:
            self._held = False

    def close(self) -> None:
        """End, and wait a little for that."""
        self.stop()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(END_S)

    # What the thread does -------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._moving = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closing or self._to or self._by)
                if self._closing:
                    return
                to, by, self._to, self._by = self._to, self._by, {}, {}
                self._moving, self._stopped = True, False
            try:
                self._drive(to, by)
            except DeviceError as error:
                if not self._stopped:  # else it rests where it was halted
                    self._notices.add(Severity.WARNING, f"the stage was not moved as asked: {error}")
            except Exception as error:  # a driver's own: the window must not lose its stage for it
                _LOG.exception("a stage move failed")
                self._notices.add(Severity.ERROR, f"the stage cannot be moved: {type(error).__name__}: {error}")
            self._watch.read()

    def _drive(self, to: dict[str, float], by: dict[str, float]) -> None:
        if any(axis in XY for axis in (*to, *by)):
            label = self._hardware.stage or ""
            here = dict(zip(XY, self._core.getXYPosition(label), strict=True))
            x, y = (to.get(axis, here[axis]) + by.get(axis, 0.0) for axis in XY)
            self._devices.move_xy(x, y)
        if "z" in to or "z" in by:
            here_z = to["z"] if "z" in to else self._devices.focus_um()
            self._devices.move_z(here_z + by.get("z", 0.0))

    def _halt(self) -> None:
        for label in (self._hardware.stage, self._hardware.focus):
            if label is not None:
                with suppress(RuntimeError, NotImplementedError):  # not every stage can be halted
                    self._core.stop(label)

    def _lacking(self, places: dict[str, float]) -> str:
        if self._hardware.stage is None and any(axis in XY for axis in places):
            return "stage"
        return "focus" if self._hardware.focus is None and "z" in places else ""
