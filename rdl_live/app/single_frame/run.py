"""A run of single frames with a series of patterns now and then: parts of one run, one after the other, on one core.

Single frames go the usual way (recording, pipeline, window) as frames of a microscope in even light. Between them, in
the dark, the light is made striped and a series of patterns is taken at every place of the plan; it is recorded beside
(`CHECKS`) and compared with what the network makes of a tenth of its photons, while the next single frames are taken.
"""

import atexit
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from rdl_live._names import NO_DENOISER
from rdl_live.acquire import Acquisition, Plan, Progress, RunReport, recording_layout
from rdl_live.acquire.core import refuse_if_busy, wholes
from rdl_live.acquire.progress import Skipped
from rdl_live.acquire.run_status import RunStatus
from rdl_live.acquire.session import COMPUTES_S, STOP_S
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.single_frame.check import Check, Comparison, SeriesCollector
from rdl_live.app.single_frame.comparing import Comparing
from rdl_live.app.single_frame.light_budget import LightBudget, check_together
from rdl_live.app.single_frame.light_of_parts import LightOfParts
from rdl_live.app.single_frame.shifted import ShiftedListener, ShiftedSink, in_the_whole
from rdl_live.errors import ConfigError, DeviceError, RdlError
from rdl_live.files.recorder import Recorder
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.single_frames import in_even_light
from rdl_live.restore.stages import without_weights
from rdl_models import Task, load_weights

if TYPE_CHECKING:
    from concurrent.futures import Future

CHECKS = "checks.ome.zarr"
"""Name of the recording of the series of patterns, beside that of the single frames."""
HANGS_S = STOP_S + COMPUTES_S + 2.0
"""After a stop a part gives up a device that hangs by itself; between two parts, this is the end of patience."""


class SingleFrameRun(LiveRun):
    """A `LiveRun` of single frames; see there."""

    def __init__(
        self,
        microscope: Microscope,
        plan: Plan,
        out: Path | None,
        options: LiveOptions | None = None,
        *,
        on_check: Callable[[Check], None] = lambda _: None,
        **more: Any,
    ) -> None:
        """Only take what is needed, as `LiveRun` does.

        Args:
            microscope: with patterns, and `hardware.even`.
            plan: of modality single-frame.
            out: folder for the recordings.
            options: how to process; the denoiser is one that super-resolves a single image, or none.
            on_check: called with what each series of patterns says, from any thread.
            more: see `LiveRun`.

        Raises:
            ConfigError: the microscope cannot be lit evenly, or the denoiser takes series.
        """
        plan.check(microscope)
        self._patterned, self._whole = microscope, plan.replace(modality=None)
        super().__init__(in_even_light(microscope), self._whole, out, options, **more)
        self.light = self._light_of_parts = LightOfParts(lambda: self.running, self.stop)
        self.checks: list[Check] = []
        """What the series of patterns said so far."""
        self._latest: dict[tuple[str, int, int], Check] = {}
        """What the last one of each colour and place said."""
        self._on_check = on_check
        self._compared = self._comparison(self.options.denoise)
        self._comparing = Comparing(self._tell_of)
        self._thread: threading.Thread | None = None
        self._failed: list[BaseException] = []
        self._check_recorder: Recorder | None = None
        self._frames = self._missing = self._series = self._points = 0
        self._series_taken = 0
        """Series of patterns, at all places."""
        self._dose_before = 0.0
        self._budget = LightBudget(self._whole.limits)
        self._part_limits: dict[str, Any] = {}
        self._wrong_patterns = self._unjudged = 0
        self._skipped: tuple[Skipped, ...] = ()
        self._dose_unknown = False
        self._counted: Acquisition | None = None
        self._began_s = self._ended_s = 0.0
        self._starting = threading.Lock()

    def _comparison(self, denoise: str) -> Comparison | None:
        """Return what compares series of patterns with a network; None where there is no network."""
        if denoise == NO_DENOISER or without_weights(denoise) is not None:
            return None
        weights = load_weights(denoise)
        if weights.card.task != Task.SUPER_RESOLUTION or weights.network.config.channels != 1:
            raise ConfigError(f"--denoise {denoise}: single frames need weights of `train sr --frames 1`")
        return Comparison(self._patterned, weights, lambda: self.camera_maps)

    def use_denoiser(self, name: str) -> "Future[None]":
        """See `LiveRun`; series of patterns are compared with the new one from now on."""
        compared = self._comparison(name)
        asked = super().use_denoiser(name)
        self._compared = compared
        return asked

    # Putting it together --------------------------------------------------------------------------------

    def _open(self) -> None:
        super()._open()
        assert self._core is not None
        checks = Acquisition(self._core, self._patterned, self._check_plan, on_warning=self._warn)
        if self._acquisition is not None:
            check_together(self._whole, self._acquisition.estimate, checks.estimate)
        if self.out is not None:
            whole = recording_layout(checks, denoiser=self.options.denoise)
            points = self._whole.time.points
            count = None if points is None else -(-points // self._whole.check_every)
            layout = whole.model_copy(update={"time_points": count})
            self._check_recorder = Recorder(self.out / CHECKS, layout, self.options.overwrite, on_warning=self._warn)

    @property
    def _check_plan(self) -> Plan:
        return self._whole.replace(time={"points": 1}, limits=self._limits_left())

    def _limits_left(self) -> dict[str, Any]:
        """Return the plan's limits less the dose so far."""
        return {**self._whole.limits.model_dump(), **self._budget.left()}

    def _admitted(self, plan: Plan, scope: Microscope, points: int) -> int:
        """Return how many time points of a part are within the plan's limits; where not all are, no part follows."""
        limits = self._limits_left()
        points = self._budget.admit(plan, scope, points, self._points)
        self._part_limits = limits
        return points

    # Running --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start; returns at once. See `LiveRun`."""
        if self._thread is None and not self._stop.is_set():
            refuse_if_busy(self.core)
            self._began_s = time.monotonic()
            # Between two parts, too, whoever ends the core must find it, and must not wait for a thread not yet begun.
            with self._starting:
                self._thread = threading.Thread(target=self._go, name="rdl-single-frames", daemon=True)
                wholes[self.core] = ref(self)
                atexit.register(self._stop_at_exit)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until no part follows.

        Raises:
            TimeoutError: it still runs after that time.
        """
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
            if thread.is_alive():
                raise TimeoutError(f"the run of single frames still goes on after {timeout_s:g} s")

    def _stop_at_exit(self) -> None:
        """A daemon thread that calls into C++ while the interpreter ends can abort the process, with the light on."""
        self.stop()
        if self._thread is not None:
            self._thread.join(HANGS_S)

    @property
    def running(self) -> bool:
        """Whether it runs, between two parts too."""
        return self._thread is not None and self._thread.is_alive()

    def follow(self, plan: Plan) -> None:
        """Exchange power and exposure of an endless run, from the next time point on.

        Raises:
            ConfigError: more light than a device admits.
        """
        if self._acquisition is not None:
            self._acquisition.relight(plan)
        self._whole = self._whole.replace(channels=[one.model_dump() for one in plan.channels])

    def _go(self) -> None:
        try:
            total = self._whole.time.points
            while not self._stop.is_set() and (total is None or self._points < total):
                self._await_turn()
                self._take_check()
                if self._stop.is_set():
                    break
                left = self._whole.check_every if total is None else total - self._points
                self._take_frames(min(self._whole.check_every, left))
        except BaseException as error:  # kept, and raised at the end in the caller's thread
            self._failed.append(error)
        finally:
            self._ended_s = time.monotonic()

    def _await_turn(self) -> None:
        """Wait in the dark until the next time point is due: the plan's interval holds across parts, too."""
        due_s = self._began_s + self._points * self._whole.time.interval_s
        self._stop.wait(max(due_s - time.monotonic(), 0.0))

    def _take_frames(self, count: int) -> None:
        """Take so many time points of single frames."""
        count = self._admitted(self._whole, self.microscope, count)
        if not count:
            self._stop.set()
            return
        time = {**self._whole.time.model_dump(), "points": count}
        plan = self._whole.replace(time=time, limits=self._part_limits)
        part = self._part(self.microscope, plan)
        if part is None:
            return
        for listener in self._listeners:
            part.listen(ShiftedListener(listener, self._points, self._seconds))
        if self._recordings is not None:
            part.record_to(ShiftedSink(self._recordings.raw, self._points, self._seconds))
        self._done(part, count)
        if self._budget.reached is not None:
            self._stop.set()

    def _take_check(self) -> None:
        """Take a series of patterns at every place, and have them compared."""
        if not self._admitted(self._whole, self._patterned, 1):
            self._stop.set()
            return
        part = self._part(self._patterned, self._check_plan.replace(limits=self._part_limits))
        if part is None:
            return
        collector = SeriesCollector(self._patterned)
        part.listen(collector)
        if self._check_recorder is not None:
            part.record_to(ShiftedSink(self._check_recorder, self._series_taken, self._seconds))
        time = self._points
        self._done(part, 0)
        self._series_taken += 1
        if self._compared is None or self._stop.is_set():
            return
        whole = collector.whole()
        for key in self._check_plan.series(0):
            channel = self._patterned.channel(self._whole.channels[key.channel].name)
            self._comparing.ask(self._compared, whole.get(key), channel, key, time)

    @property
    def _seconds(self) -> float:
        """From the run's beginning to that of a part [s], where frames are stamped from its own beginning."""
        own_clock = self.microscope.hardware is not None and self.microscope.hardware.camera.start_tag is not None
        return 0.0 if own_clock else time.monotonic() - self._began_s

    def _tell_of(self, check: Check) -> None:
        self.checks.append(check)
        self._latest[check.channel, check.position, check.z] = check
        if check.doubt:
            self._warn(check.doubt)
        self._on_check(check)

    def _part(self, scope: Microscope, plan: Plan) -> Acquisition | None:
        """Return a part of the run, which a stop reaches from now on; None after a stop."""
        assert self._core is not None
        self._count()
        part = Acquisition(self._core, scope, plan, on_warning=self._warn, light=self.light, whole=self)
        self._acquisition = part
        # A stop that came before it was reachable.
        return None if self._stop.is_set() else part

    def _done(self, part: Acquisition, points: int) -> None:
        part.start()
        report = part.wait()
        self._count()
        self._points += points
        if report.limit_reached is not None or report.stopped:
            self._stop.set()  # no other part may light the specimen

    def _count(self) -> None:
        """Add what the part that has ended took, once."""
        part = self._acquisition
        if part is None or part is self._counted:
            return
        self._counted = part
        if part.microscope is self.microscope:
            status = part.status
            self._frames, self._missing = self._frames + status.frames, self._missing + status.missing
            self._series += status.series
        if part.dose_j_cm2 is None:
            self._dose_unknown = True
        else:
            self._dose_before += part.dose_j_cm2
            self._budget.measured(self._dose_before)
        report = part.report
        self._wrong_patterns += report.wrong_patterns
        self._unjudged += report.unjudged_series
        if part.microscope is self.microscope:
            self._skipped += in_the_whole(report.progress.skipped if report.progress else (), self._points)

    # What is said of all parts together -----------------------------------------------------------------

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the latest series of patterns of each colour and place says against the images."""
        return tuple(check.doubt for check in list(self._latest.values()) if check.doubt)

    @property
    def shows_none(self) -> bool:
        """Whether it takes a series of patterns."""
        now = self._now
        return now is not None and now.microscope is self._patterned

    @property
    def _now(self) -> Acquisition | None:
        """The part that is not counted yet."""
        return None if self._acquisition is self._counted else self._acquisition

    @property
    def _run_status(self) -> RunStatus | None:
        """Of the single frames; the series of patterns are counted by their own recording."""
        now = self._now
        status = now.status if now is not None and now.microscope is self.microscope else RunStatus()
        return replace(
            status,
            frames=self._frames + status.frames,
            missing=self._missing + status.missing,
            series=self._series + status.series,
        )

    @property
    def _dose_j_cm2(self) -> float | None:
        now = self._now
        here = 0.0 if now is None else now.dose_j_cm2
        return None if self._dose_unknown or here is None else self._dose_before + here

    @property
    def _doses_j_cm2(self) -> dict[str, float | None]:
        return {}  # its parts light every channel with and without patterns

    @property
    def progress(self) -> Progress | None:
        """How far the single frames have come; None before it is open."""
        here, status = super().progress, self._run_status
        if here is None or status is None:
            return None
        whole = self._whole.time.points
        planned = None if whole is None else whole * self._whole.series_per_time_point
        until_s = self._ended_s or time.monotonic()
        seconds = until_s - self._began_s if self._began_s else 0.0
        now = self._now
        skipped = here.skipped if now is not None and now.microscope is self.microscope else ()
        return replace(
            here,
            skipped=self._skipped + in_the_whole(skipped, self._points),
            why=self._budget.reached or here.why,
            series=status.series,
            planned=planned,
            seconds=seconds,
            planned_s=None,
            late_s=0.0,
            remaining_s=None,
        )

    @property
    def _report(self) -> RunReport:
        report, status = super()._report, self._run_status
        progress = self.progress
        if status is None or progress is None:
            return report
        counted = self._now is None
        return replace(
            report,
            status=status,
            wrong_patterns=self._wrong_patterns + (0 if counted else report.wrong_patterns),
            unjudged_series=self._unjudged + (0 if counted else report.unjudged_series),
            limit_reached=self._budget.reached or report.limit_reached,
            dose_j_cm2=self._dose_j_cm2,
            seconds=progress.seconds,
            progress=progress,
            stopped=self._stop.is_set(),
        )

    def _joined(self) -> list[BaseException]:
        """Wait for the end of all parts; after a stop as long as a device may take, then say that one hangs."""
        thread, left_s = self._thread, HANGS_S
        while thread is not None and thread.is_alive():
            thread.join(0.1)
            left_s -= 0.1 if self._stop.is_set() else 0.0
            if left_s <= 0 and thread.is_alive():
                text = "the run of single frames does not stop: a device hangs; check the devices, then restart"
                return [DeviceError(text), *self.light.darkened()]
        return []

    def _end(self) -> list[BaseException]:
        """See `LiveRun`; the last comparisons are waited for."""
        hangs = self._joined()
        self._light_of_parts.end_watch_of_all()
        atexit.unregister(self._stop_at_exit)
        errors = [*hangs, *self._failed, *self._comparing.end(cancel=self._stop.is_set())]
        self._failed = []
        errors += super()._end()
        if self._check_recorder is not None and self._check_recorder.summary is None:
            self._check_recorder.remarks.update({"checks": [one.record() for one in self.checks]})
            try:
                self._check_recorder.close()
            except (RdlError, RuntimeError) as error:
                errors.append(error)
        return errors
