"""An acquisition: plan, devices, guard, engine and recorder, from the first check to the dark."""

import atexit
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

from rdl_live.acquire.core import Run, refuse_if_busy, runs
from rdl_live.acquire.devices import powered
from rdl_live.acquire.dose import DoseGuard, DoseMeter, fields_of_view
from rdl_live.acquire.engine import SimEngine
from rdl_live.acquire.events import PlanEvents
from rdl_live.acquire.fan_out import Calls, FanOut, Frame, FrameListener, FrameSink, OnFrame
from rdl_live.acquire.faults import raise_all, told
from rdl_live.acquire.guard import IlluminationGuard
from rdl_live.acquire.heartbeat import Heartbeat
from rdl_live.acquire.lamp import Lamp
from rdl_live.acquire.light_gate import LightGate
from rdl_live.acquire.plan import Plan, light_of
from rdl_live.acquire.preparation import Preparation
from rdl_live.acquire.progress import Progress, progress_of
from rdl_live.acquire.run_status import RunReport, RunStatus
from rdl_live.acquire.safe_light import SafeLight
from rdl_live.acquire.skipping import Skipping
from rdl_live.acquire.thread_errors import told_of_thread_errors
from rdl_live.acquire.thread_work import ThreadWork
from rdl_live.errors import ConfigError, DeviceError, RdlError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.pattern import PatternSet

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)
_running_lock = threading.Lock()

STOP_S = 5.0
"""How long an acquisition may take to stop; the light is off long before."""
COMPUTES_S = 20.0
"""How much longer, where its thread is seen to compute."""
SLACK_S = 1.0
"""Beyond the camera's own time-out, until a run that does nothing gets no heartbeat any more."""
LIVE_BURST_S = 1.0
"""Length of the hardware sequences of an endless plan: how soon a changed plan shows."""


class Acquisition:
    """One run of a plan on one core. `run` blocks; `start`, `stop` and `wait` do not."""

    def __init__(
        self,
        core: "CMMCorePlus",
        microscope: Microscope,
        plan: Plan,
        sink: FrameSink | None = None,
        *,
        on_frame: OnFrame | None = None,
        on_warning: Callable[[str], None] | None = None,
        check_patterns: bool = True,
        light: SafeLight | None = None,
        whole: Run | None = None,
    ) -> None:
        """Check everything that can be checked in the dark, compute the patterns, and estimate.

        Args:
            core: from `open_core`.
            microscope: the microscope that it was opened with.
            plan: what to do.
            sink: the recorder. Whoever made it closes it.
            on_frame: called with each frame at once, None for a missing one; must not wait. See `listen`.
            on_warning: called with what the user should know; goes to the log by default.
            check_patterns: flag frames in which the data show another pattern than planned.
            light: by which others see and turn off the run's light; by default the run makes one.
            whole: the run of which this is a part; nothing else may run on the core.

        Raises:
            ConfigError: plan, microscope file and core do not fit, or a limit of the plan is exceeded.
            DeviceError: a value that a device cannot take.
        """
        refuse_if_busy(core, whole)
        self.core, self.microscope, self._whole = core, microscope, whole
        self._made = made = Preparation(core, microscope, plan)
        self.hardware, self.patterns = made.hardware, made.source.patterns
        self.stepped, self.frame_shape, self.binning = made.stepped, made.frame_shape, made.binning
        self.corner, self.estimate = made.corner, made.estimate
        self._devices, self._warn = made.devices, on_warning or _LOG.warning
        self._warnings: list[str] = list(self.estimate.warnings)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._given_up = False
        self._others: list[BaseException] = []
        """What ended the run from other threads."""
        self._seconds = 0.0
        self._limit = DoseGuard(microscope, made.field_um)
        self._dose = DoseMeter(microscope, tuple(c.name for c in plan.channels), fields_of_view(plan, made.field_um))
        self._events = PlanEvents(plan, microscope, self.patterns, made.focus_um, self._limit)
        checks = made.checks() if check_patterns else {}
        self._fan_out = FanOut(
            sink,
            checks,
            microscope.pattern.frames,
            self.warn,
            saturation_adu=microscope.camera.saturation_adu,
            source=made.source.name,
        )
        if on_frame is not None:
            self.listen(Calls(on_frame))
        self._devices.gate = gate = LightGate(self.hardware, self._stop.is_set)
        self._guard = IlluminationGuard(core, self.hardware, gate)
        self._engine = SimEngine(
            core,
            self._devices,
            self._guard,
            made.source,
            self._deliver,
            self._stop.is_set,
            stepped=self.stepped,
            frames_per_series=microscope.pattern.frames,
            burst_s=LIVE_BURST_S if plan.endless else 10.0,
            skipping=Skipping(lambda: self.plan),
        )
        self._engine.warn, self._engine.leave_out = self.warn, self._fan_out
        self._engine.watch.shape = self.frame_shape
        self.light = light or SafeLight()
        self.light.attach(self._engine.light, self._guard, lambda: self.running, self.stop)

    # What the user asks ---------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The plan as it is followed now."""
        return self._events.plan

    @property
    def status(self) -> RunStatus:
        """How far it is; may be asked from any thread."""
        return self._engine.status

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def lit(self) -> bool:
        """Whether the light path is open; any thread."""
        return self.light.lit

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """What lights the sample now, and whether the devices have confirmed it; empty in the dark; any thread."""
        return self.light.lamps

    def make_safe(self) -> None:
        """Turn the light off now, from any thread; see `SafeLight.make_safe`."""
        self.light.make_safe()

    @property
    def dose_j_cm2(self) -> float | None:
        """Light so far on the field of view that had most, all colours together [J/cm2]; None if it is not known."""
        return self._dose.j_cm2

    @property
    def doses_j_cm2(self) -> dict[str, float | None]:
        """The same for each channel of the plan."""
        return self._dose.colours_j_cm2

    def nominal(self, channel: str) -> PatternSet | None:
        """Return the stripes to be expected in the images of a channel, for the region in use; None where unknown."""
        return self._made.nominal(channel)

    def record_to(self, sink: FrameSink | None) -> None:
        """Take a recorder, made for this acquisition's `recording_layout`; before the start only.

        Raises:
            DeviceError: it has been started.
        """
        if self._thread is not None:
            raise DeviceError("the acquisition has been started; give it its recorder before")
        self._fan_out.record_to(sink)

    def listen(self, listener: FrameListener) -> None:
        """Hand frames to somebody else, too; before the start only.

        Raises:
            DeviceError: it has been started.
        """
        if self._thread is not None:
            raise DeviceError("the acquisition has been started; give it its listeners before")
        self._fan_out.listen(listener)

    def run(self) -> RunReport:
        """Run to the end of the plan, or until `stop`.

        Ctrl-C in the main thread stops it, in the dark, before KeyboardInterrupt goes on.

        Raises:
            DeviceError: a device failed, or something is not dark at the end; all that went wrong is reported.
            RdlError: from the sink.
        """
        self.start()
        try:
            while self.running:
                # In pieces: a wait without an end would not see Ctrl-C everywhere.
                self._thread_of_run().join(0.1)
        except BaseException:
            self.stop()
            raise
        return self.wait()

    def start(self) -> None:
        """Start in a thread of its own.

        Raises:
            DeviceError: another acquisition runs on this core, or this one has run already.
        """
        with _running_lock:
            refuse_if_busy(self.core, self._whole)
            if self._thread is not None:
                raise DeviceError("this acquisition has run already; make a new one")
            self._thread = threading.Thread(target=self._run, name="rdl-acquisition", daemon=True)
            runs[self.core] = ref(self)
            self._thread.start()
        # A daemon that calls into C++ while the interpreter ends can abort the process.
        atexit.register(self._stop_at_exit)

    def stop(self) -> None:
        """Ask it to stop, and return at once; the light goes off within a second. Any thread, any number of times."""
        first = not self._stop.is_set()
        self._stop.set()
        self.core.mda.cancel()
        if first and self.running:
            self.light.watch_stop()

    def wait(self, timeout_s: float | None = None) -> RunReport:
        """Wait for the end, and return how it went.

        After `stop` it waits `STOP_S` at most; if a hanging device still holds the run, the light is turned off
        from here. A thread that computes hangs not: on a busy computer it is waited for, `COMPUTES_S` at most.

        Raises:
            DeviceError: as `run`; or it does not stop.
            TimeoutError: it still runs after `timeout_s`.
        """
        thread = self._thread_of_run()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        patience, work, computes = STOP_S, ThreadWork(thread), COMPUTES_S
        while thread.is_alive():
            thread.join(0.05)
            if self._stop.is_set():
                busy = computes > 0 and work.goes_on()
                patience, computes = (patience, computes - 0.05) if busy else (patience - 0.05, computes)
            if thread.is_alive() and patience <= 0:
                self._given_up = True
                stuck = DeviceError("the acquisition does not stop: a device hangs; check the devices, then restart")
                raise_all([stuck, *self.light.darkened()])
            if deadline is not None and time.monotonic() > deadline and thread.is_alive():
                raise TimeoutError(f"the acquisition still runs after {timeout_s:g} s")
        atexit.unregister(self._stop_at_exit)
        self.light.end_watch()
        if self._error is not None:
            raise self._error
        return self.report

    @property
    def report(self) -> RunReport:
        """How it went, so far."""
        return RunReport(
            self.status,
            self._fan_out.wrong_patterns,
            self._fan_out.unjudged,
            self._fan_out.listener_error,
            self._stop.is_set(),
            self._seconds,
            tuple(self._warnings),
            self._limit.reached,
            self._dose.j_cm2,
            self.progress,
        )

    @property
    def progress(self) -> Progress:
        """How far the plan has come, whether in time, what is missing and why; any thread."""
        engine, ended = self._engine, self._thread is not None and not self.running
        return progress_of(
            self.estimate,
            self.plan.series_per_time_point,
            engine.pace,
            engine.skipped,
            ended=ended,
            why=self._why_ended if ended else "",
        )

    @property
    def _why_ended(self) -> str:
        if self._error is not None:
            return told(self._error)
        if self._limit.reached is not None:
            return self._limit.reached
        return "it was stopped" if self._stop.is_set() else ""

    def follow(self, plan: Plan) -> None:
        """Exchange the plan of an endless acquisition: power and exposure follow from the next time point on.

        Raises:
            ConfigError: anything else than power, exposure and interval differs, or the plan is not endless.
        """
        old = self.plan
        adjusted = old.replace(channels=[c.model_dump() for c in plan.channels], time=plan.time.model_dump())
        names = [c.name for c in plan.channels] == [c.name for c in old.channels]
        if not (old.endless and plan.endless and names and adjusted == plan):
            raise ConfigError(
                "only power, exposure and interval of a live acquisition can change; stop it and start again"
            )
        self._check_light(plan)
        self._events.plan = plan

    def relight(self, plan: Plan) -> None:
        """Take power and exposure of a plan from the next time point on, also where the plan at hand has an end.

        Raises:
            ConfigError: more light than a device admits.
        """
        self._check_light(plan)
        self._events.plan = self.plan.replace(channels=[c.model_dump() for c in plan.channels])

    def _check_light(self, plan: Plan) -> None:
        self._devices.check_limits(
            powered(light_of(self.microscope, c.name).power, c.power_percent) for c in plan.channels
        )

    # How it runs ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Everything between dark and dark; in the acquisition's thread."""
        began = time.perf_counter()
        errors: list[BaseException] = []
        core = self.core
        before = core.mda.engine
        autoshutter = core.getAutoShutter()
        try:
            self._guard.make_safe()
            core.setAutoShutter(False)
            core.mda.set_engine(self._engine)
            if not self._stop.is_set():
                with told_of_thread_errors(self._other_thread_failed), self._heartbeat() as heart:
                    self._engine.light.beat = heart.beat
                    core.mda.run(self._events)
            if self._limit.reached is not None:
                self.warn(self._limit.reached)
        except BaseException as error:  # kept, and raised by `wait` in the caller's thread
            errors.append(error)
        errors += self.light.darkened()
        errors += [*self._engine.problems, *self._others]
        errors += self._made.focus_back() if self.status.time_point >= 0 else []
        try:
            core.setAutoShutter(autoshutter)
            if before is not None:
                core.mda.set_engine(before)
        except (RdlError, RuntimeError) as error:
            errors.append(error)
        self._guard.release()
        if self._given_up:  # nobody will wait again, and the exit must not keep core and images until then
            atexit.unregister(self._stop_at_exit)
        self._seconds = time.perf_counter() - began
        try:
            raise_all(errors)
        except BaseException as error:
            self._error = error

    def _deliver(self, frame: Frame | None, tag: FrameTag, read_s: float) -> None:
        self._dose.count(tag)
        self._fan_out(frame, tag, read_s)

    def _heartbeat(self) -> Heartbeat:
        longest_s = 1e-3 * max(channel.exposure_ms for channel in self.plan.channels)
        patience_s = self.hardware.camera.timeout_s + longest_s + SLACK_S
        return Heartbeat(self.core, self.hardware.watchdog, lambda: self._engine.alive_s, patience_s, self._end_because)

    def _other_thread_failed(self, thread: str, error: BaseException) -> None:
        words = f"{type(error).__name__}: {error}"
        self._end_because(
            DeviceError(
                f"the run was ended, in the dark: thread {thread!r} of the program failed ({words}); see the log"
            )
        )

    def _end_because(self, error: BaseException) -> None:
        """End the run from another thread, with an error."""
        self._others.append(error)
        self.stop()

    def _stop_at_exit(self) -> None:
        self.stop()
        try:
            self.wait(STOP_S)
        except (RdlError, TimeoutError) as error:
            _LOG.critical("at exit: %s", error)

    def _thread_of_run(self) -> threading.Thread:
        if self._thread is None:
            raise DeviceError("the acquisition has not been started; call start")
        return self._thread

    def warn(self, text: str) -> None:
        """Warn the user, now and in the report."""
        self._warnings.append(text)
        self._warn(text)
