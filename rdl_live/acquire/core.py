"""A Micro-Manager core for a microscope, from loading to an end without a crash."""

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rdl_live.acquire.devices import Devices
from rdl_live.acquire.faults import raise_all, told
from rdl_live.acquire.guard import IlluminationGuard
from rdl_live.errors import ConfigError, DeviceError, RdlError
from rdl_live.optics.hardware import Hardware
from rdl_live.optics.microscope import Microscope

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus
    from pymmcore_plus.experimental.unicore import UniMMCore

_LOG = logging.getLogger(__name__)


class Run(Protocol):
    """What runs on a core."""

    @property
    def running(self) -> bool:
        """Whether it does so now."""

    def stop(self) -> None:
        """Ask it to stop, and return at once."""

    def wait(self, timeout_s: float | None = None) -> object:
        """Wait for its end."""


runs: "weakref.WeakKeyDictionary[CMMCorePlus, weakref.ref[Run]]" = weakref.WeakKeyDictionary()
"""What ran last on each core. Weak on both sides: a run holds its core, and neither would ever go."""
wholes: "weakref.WeakKeyDictionary[CMMCorePlus, weakref.ref[Run]]" = weakref.WeakKeyDictionary()
"""Runs of several acquisitions, which run on between two of them."""
_at_exit: "weakref.WeakKeyDictionary[CMMCorePlus, Callable[[], None]]" = weakref.WeakKeyDictionary()

UNLOAD_S = 10.0
"""How long unloading may take."""
stuck: list[threading.Thread] = []
"""Threads that unload devices which hang. A process that has any is to be ended by `os._exit`: its orderly end would
wait for them, or abort."""
CAMERA_THREAD = "AcquisitionThread"
"""Class of the thread in which pymmcore-plus runs the sequence of a camera in Python."""
CAMERA_END_S = 15.0
"""How long a camera may take to end its last exposure when the core is shut down."""


def hardware_of(microscope: Microscope) -> Hardware:
    """Return the hardware section of a microscope.

    Raises:
        ConfigError: the microscope file has none.
    """
    if microscope.hardware is None:
        raise ConfigError(
            f"microscope {microscope.name!r} has no hardware section, which live acquisition needs; copy one from "
            "configs/template.yaml into the microscope file"
        )
    return microscope.hardware


def open_core(microscope: Microscope) -> "UniMMCore":
    """Load the microscope's devices into a new core, check them, and make it dark.

    Raises:
        ConfigError: no hardware section, no such .cfg, or roles that the .cfg does not load.
        DeviceError: a device cannot be loaded or initialised, or does not go dark.
    """
    from pymmcore_plus.core import DeviceInitializationState
    from pymmcore_plus.experimental.unicore import UniMMCore

    hardware = hardware_of(microscope)
    path = Path(hardware.config)
    if not path.is_file():
        raise ConfigError(f"hardware.config: {path} does not exist; correct the path in the microscope file")
    # A core is used by threads and may outlive a window: its signals must not be objects of Qt, which die with it.
    os.environ.setdefault("PYMM_SIGNALS_BACKEND", "psygnal")
    with _without_advice() as missing:
        core = UniMMCore()
    try:
        _load(core, path, missing)
        failed = [
            label
            for label in core.getLoadedDevices()
            # Only logged by the core; a device that is not initialised must not be taken for one that is dark.
            if label != "Core"
            and core.getDeviceInitializationState(label) is DeviceInitializationState.InitializationFailed
        ]
        if failed:
            raise DeviceError(f"{path}: cannot initialise {', '.join(failed)}; check power and cables, see the log")
        Devices(core, hardware).check_present()
        core.setCameraDevice(hardware.camera.device)
        guard = IlluminationGuard(core, hardware)
        guard.make_safe()
        guard.release()
    except BaseException:
        _end(core)
        raise
    at_exit = _exit_of(weakref.ref(core), hardware)
    _at_exit[core] = at_exit
    atexit.register(at_exit)
    return core


def shutdown(core: "CMMCorePlus", hardware: Hardware | None = None) -> None:
    """Make the microscope dark (where its hardware is given), unload its devices, and end the core for good.

    A run on the core is stopped first, or it would light the sample again just before its devices are unloaded.
    Without this a process that used a core can die with SIGABRT at its exit. The core is of no use afterwards.

    Raises:
        DeviceError: it does not go dark; everything else is done nevertheless.
    """
    errors: list[BaseException] = []
    if (at_exit := _at_exit.pop(core, None)) is not None:
        atexit.unregister(at_exit)
    errors += _ended_run(core)
    if hardware is not None and core.getLoadedDevices() != ("Core",):
        guard = IlluminationGuard(core, hardware)
        try:
            if core.isSequenceRunning():
                core.stopSequenceAcquisition()
            guard.make_safe()
        except (DeviceError, RuntimeError) as error:
            errors.append(error)
        finally:
            guard.release()
    await_cameras()
    errors += _unloaded(core)
    raise_all(errors)


def running_on(core: "CMMCorePlus") -> Run | None:
    """Return what runs on a core now: a run of several acquisitions as a whole, between two of them, too."""
    for known in (wholes.get(core), runs.get(core)):
        run = None if known is None else known()
        if run is not None and run.running:
            return run
    return None


def refuse_if_busy(core: "CMMCorePlus", whole: Run | None = None) -> None:
    """Raise DeviceError if something runs on a core, but for the run of which this is a part."""
    run = running_on(core)
    if (run is not None and run is not whole) or core.mda.is_running():
        raise DeviceError("an acquisition is running already; stop it first")


def _ended_run(core: "CMMCorePlus") -> list[BaseException]:
    run = running_on(core)
    if run is None:
        return []
    run.stop()
    try:
        run.wait(UNLOAD_S)
    except (RdlError, TimeoutError) as error:
        return [error]
    return []


def _unloaded(core: "CMMCorePlus") -> list[BaseException]:
    """End a core, in a thread of its own: unloading a device that hangs may never return."""
    errors: list[BaseException] = []

    def end() -> None:
        try:
            _end(core)
        except (RuntimeError, DeviceError) as error:
            errors.append(DeviceError(f"unloading the devices failed ({told(error)}); restart the program"))

    thread = threading.Thread(target=end, name="rdl-unload", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is shutting down and starts no threads
        end()
        return errors
    thread.join(UNLOAD_S)
    if thread.is_alive():
        stuck.append(thread)
        errors.append(
            DeviceError(
                "a device hangs and cannot be unloaded; see that its light is off, turn it off and on, and restart the "
                "program"
            )
        )
    return errors


def await_cameras(patience_s: float = CAMERA_END_S) -> None:
    """Wait until no Python camera exposes any more.

    The core gives a camera's thread two seconds to stop and forgets it; one that is in C++ code when the interpreter
    ends aborts the process.
    """
    deadline = time.monotonic() + patience_s
    for thread in threading.enumerate():
        if type(thread).__name__ == CAMERA_THREAD and thread is not threading.current_thread():
            thread.join(max(deadline - time.monotonic(), 0.0))


def _exit_of(core: "weakref.ref[UniMMCore]", hardware: Hardware) -> Callable[[], None]:
    """Return what ends a core at the exit of a process that forgot to, without keeping it alive."""

    def at_exit() -> None:
        alive = core()
        if alive is None:
            return
        try:
            shutdown(alive, hardware)
        except DeviceError as error:
            _LOG.critical("at exit: %s", error)

    return at_exit


@contextmanager
def _without_advice() -> Iterator[list[str]]:
    """Keep the core's advice to install Micro-Manager for when its devices are needed; give what was held back.

    Devices in Python, such as the simulated ones, need no Micro-Manager.
    """
    held: list[str] = []

    def passes(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "mmcore install" in text:
            held.append(text)
            return False
        return True

    logger = logging.getLogger("pymmcore-plus")
    logger.addFilter(passes)
    try:
        yield held
    finally:
        logger.removeFilter(passes)


def _load(core: "UniMMCore", path: Path, missing: list[str]) -> None:
    try:
        core.loadSystemConfiguration(path)
    except Exception as error:  # adapters raise anything
        remedy = "; no Micro-Manager was found here: install it, or run `mmcore install`" if missing else ""
        raise DeviceError(f"{path}: cannot be loaded: {told(error)}{remedy}") from error


def _end(core: "CMMCorePlus") -> None:
    from pymmcore import CMMCore

    try:
        core.reset()
    finally:
        # pymmcore-plus forbids the method on its own class; without the call exits can abort.
        CMMCore.registerCallback(core, None)
