"""A live run, put together: core, acquisition, recorders, queue, pipeline.

acquisition -> fan-out -+-> Recorder                                   every raw frame; its errors end the run
                        +-> SeriesQueue -> host (pipeline) -+-> SrRecorder
                        |                                   +-> statistics, viewer
                        +-> rate, viewer
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch

from rdl_live._garbage import passing_over_what_is_there
from rdl_live._heaps import few_arenas, give_back
from rdl_live.acquire import Acquisition, Plan, Progress, RunReport, SafeLight, open_core, recording_layout, shutdown
from rdl_live.acquire.fan_out import Calls, FrameListener
from rdl_live.acquire.faults import raise_all, tried
from rdl_live.acquire.run_status import RunStatus
from rdl_live.app.denoiser import check_denoiser
from rdl_live.app.live.parts import host_of, live_threads, queue_of, recipe_of
from rdl_live.app.live.recordings import LiveRecordings
from rdl_live.app.live.stats import FrameRate, ResultStats
from rdl_live.app.live.values import LiveOptions, LiveOutcome, LiveStatus
from rdl_live.errors import ConfigError, DeviceError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.microscope import Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import PatternSet
from rdl_live.restore.stages import factor_of
from rdl_live.stream import Frame, Host, Result

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

_LOG = logging.getLogger(__name__)

READY_S = 60.0
"""How long the processing may take to load, in the dark; a run then begins without it."""
NOT_OPEN = "the run is not open; use it in a with block"


class LiveRun:
    """One run from the first check to the dark. A context manager: whatever happens, the light is off at its end."""

    def __init__(
        self,
        microscope: Microscope,
        plan: Plan,
        out: Path | None,
        options: LiveOptions | None = None,
        *,
        core: "CMMCorePlus | None" = None,
        prepare: Callable[["CMMCorePlus"], None] | None = None,
        receivers: tuple[Callable[[Result], None], ...] = (),
        on_frame: Callable[[Frame | None, FrameTag], None] | None = None,
        on_warning: Callable[[str], None] = _LOG.warning,
    ) -> None:
        """Only take what is needed; nothing is opened before the `with` block.

        Args:
            microscope: with its hardware section.
            plan: what to do.
            out: folder for the recordings; it must exist. None: nothing is recorded.
            options: how to process.
            core: an open core with the microscope's devices, which stays open; by default one is opened for the run.
            prepare: may change the core after it is opened and before the plan is checked.
            receivers: are given each image, in the pipeline's thread.
            on_frame: given each raw frame at once, in the acquisition's thread; must copy what it keeps, never wait.
            on_warning: called with what the user should know, from any thread, each text once.

        Raises:
            ConfigError: a denoiser that there is not.
        """
        self.options = options or LiveOptions()
        check_denoiser(self.options.denoise, microscope, live=True)
        self.microscope, self.plan, self.out = microscope, plan, out
        self._given_core, self._prepare = core, prepare
        self._more_receivers, self._frame_seen, self._on_warning = receivers, on_frame, on_warning
        self._stop = threading.Event()
        self._warnings: dict[str, None] = {}
        self._warnings_lock = threading.Lock()
        self._undo = ExitStack()
        """What holds for the run alone."""
        self.light = SafeLight()
        """Whether it is on, what lights, and how to turn it off; any thread, at any time."""
        self._core: CMMCorePlus | None = None
        self._acquisition: Acquisition | None = None
        self._recordings: LiveRecordings | None = None
        self._host: Host | None = None
        self._acquiring = self._host_ended = False
        self._nominal: dict[str, PatternSet | None] = {}
        self._listeners: tuple[FrameListener, ...] = ()
        """Who gets frames besides the recorder."""
        self.camera_maps: CameraMaps | None = None
        """Per-pixel camera calibration of the region in use, once it is open."""
        self._factor = microscope.pattern.sr_factor
        """Pixels of its images for one of the camera's, each way."""
        self.stats, self._rate = ResultStats(), FrameRate()

    # From the first check to the dark -------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Open everything, in the dark.

        Raises:
            RdlError: microscope, plan, devices or output do not fit.
        """
        # The simulated camera, the pipeline and the estimation run side by side; threads of threads only get in
        # each other's way: with two each, on two cores, an estimation took thirty times as long.
        self._undo.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(live_threads())
        if self.options.processing == "process":
            give_back()
        else:
            few_arenas()  # images are computed here, where every millisecond counts
        try:
            self._open()
            self._undo.enter_context(passing_over_what_is_there())
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs, and unload the devices of its own core."""
        self.stop()
        errors = self._end()
        core, self._core = self._core, None
        if core is not None and self._given_core is None:
            errors += tried(lambda: shutdown(core, self.microscope.hardware))
        self._undo.close()
        if error is None:
            raise_all(errors)
            return
        for failure in errors:
            if str(failure) != str(error):
                error.add_note(f"and at the end: {failure}")

    def start(self) -> None:
        """Start the acquisition; returns at once.

        Raises:
            DeviceError: another acquisition runs on this core.
        """
        if self._acquisition is None:
            raise DeviceError(NOT_OPEN)
        if not self._stop.is_set():
            self._acquisition.start()
            self._acquiring = True

    def stop(self) -> None:
        """Ask it to stop, and return at once. Any thread, any number of times; may come before the start."""
        self._stop.set()
        if self._acquisition is not None:
            self._acquisition.stop()

    def follow(self, plan: Plan) -> None:
        """Exchange the plan of an endless run; see `Acquisition.follow`."""
        if self._acquisition is None:
            raise DeviceError(NOT_OPEN)
        self._acquisition.follow(plan)

    def use_denoiser(self, name: str) -> "Future[None]":
        """Exchange the denoiser between two images; returns at once, any thread. See `Host.use_denoiser`.

        Raises:
            ConfigError: there is no such denoiser.
            DataError: its file is damaged.
            DeviceError: the run is not open.
        """
        check_denoiser(name, self.microscope, live=True)
        if self._host is None:
            raise DeviceError(NOT_OPEN)
        fixed = self.out is not None or self.options.processing == "process"
        if fixed and (factor := factor_of(name, self.microscope)) != self._factor:
            raise ConfigError(
                f"denoiser {name!r}: its images have {factor} pixel(s) for one of the camera's each way, those of this "
                f"run {self._factor}; stop it, and start again with this denoiser"
            )
        return self._host.use_denoiser(name)

    @property
    def core(self) -> "CMMCorePlus":
        """The core, while the run is open.

        Raises:
            DeviceError: it is not.
        """
        if self._core is None:
            raise DeviceError(NOT_OPEN)
        return self._core

    @property
    def opened(self) -> bool:
        """Whether everything is open or was, so that there is a status."""
        return self._host is not None

    def nominal(self, channel: str) -> PatternSet | None:
        """Return the stripes to be expected in the images; None where that is not known (yet)."""
        return self._nominal.get(channel)

    @property
    def running(self) -> bool:
        """Whether the acquisition runs."""
        return self._acquisition is not None and self._acquisition.running

    def end(self) -> None:
        """As `finish`, also for a run that is not recorded.

        Raises:
            RdlError: likewise.
        """
        raise_all(self._end())

    def finish(self) -> LiveOutcome:
        """Wait for the acquisition's end, let the pipeline finish, close the recordings.

        Raises:
            RdlError: whatever ended the run early, or went wrong in closing; all of it.
        """
        self.end()
        if self._acquisition is None or self._recordings is None or self._host is None:
            raise DeviceError(NOT_OPEN)
        raw, sr = self._recordings.summaries()
        return LiveOutcome(
            run=self._report,
            raw=raw,
            sr=sr,
            pipeline=self._host.pipeline_status,
            sr_dropped=self._dropped,
            stats=self.stats,
            raw_fps=self._rate.mean,
            dose_j_cm2=self._dose_j_cm2,
            doses_j_cm2=self._doses_j_cm2,
            warnings=self.warnings,
            denoiser=self.options.denoise,
            restarts=self._host.status.restarts,
        )

    @property
    def _dropped(self) -> int:
        """Whole series without an image, for the processing was too slow or had just ended."""
        return self._queue.status.dropped_series + (self._host.status.lost_series if self._host is not None else 0)

    @property
    def worker_pid(self) -> int | None:
        """Number of the process that computes the images; None where there is none (now)."""
        return getattr(self._host, "worker_pid", None)

    @property
    def restarts(self) -> int:
        """How often the processing was started anew."""
        return self._host.status.restarts if self._host is not None else 0

    @property
    def first_frame_s(self) -> float | None:
        """When the first raw frame came, by `time.perf_counter`; None before it."""
        return self._rate.first_s if self._rate.frames else None

    @property
    def status(self) -> LiveStatus:
        """Where it stands; any thread."""
        now_s, latest = time.perf_counter(), self.stats.latest
        run = self._run_status
        return LiveStatus(
            raw_frames=run.frames if run else 0,
            missing=run.missing if run else 0,
            raw_fps=self._rate.recent(now_s),
            sr_frames=self.stats.images,
            sr_fps=self.stats.recent_fps(now_s),
            dropped=self._dropped,
            refused=self._host.pipeline_status.refused if self._host is not None else 0,
            latency=self.stats.latency,
            photons_per_pixel=latest.quality.photons_per_pixel if latest else None,
            dose_j_cm2=self._dose_j_cm2,
            patterns=latest.patterns if latest else None,
            warnings=len(self.warnings),
            lit=self.light.lit,
            series=run.series if run else 0,
            written_bytes=self._written,
        )

    @property
    def progress(self) -> Progress | None:
        """How far the plan has come, whether in time, what is missing and why; None before it is open."""
        return self._acquisition.progress if self._acquisition is not None else None

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against the images, beyond what is said of each; any thread."""
        return ()

    @property
    def shows_none(self) -> bool:
        """Whether what it takes now is not shown, so that no frame is overdue; any thread."""
        return False

    @property
    def _run_status(self) -> RunStatus | None:
        return self._acquisition.status if self._acquisition is not None else None

    @property
    def _report(self) -> RunReport:
        if self._acquisition is None:
            raise DeviceError(NOT_OPEN)
        return self._acquisition.report

    @property
    def _dose_j_cm2(self) -> float | None:
        return self._acquisition.dose_j_cm2 if self._acquisition is not None else None

    @property
    def _doses_j_cm2(self) -> dict[str, float | None]:
        return self._acquisition.doses_j_cm2 if self._acquisition is not None else {}

    @property
    def _written(self) -> int:
        return 0 if self._recordings is None else self._recordings.written_bytes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was reported so far."""
        with self._warnings_lock:
            return tuple(self._warnings)

    # Putting it together --------------------------------------------------------------------------------

    def _open(self) -> None:
        core = self._core = self._given_core or open_core(self.microscope)
        if self._prepare is not None:
            self._prepare(core)
        self._acquisition = Acquisition(core, self.microscope, self.plan, on_warning=self._warn, light=self.light)
        if self._stop.is_set():
            self._acquisition.stop()
        layout = recording_layout(self._acquisition, denoiser=self.options.denoise)
        self._nominal = {channel.name: self._acquisition.nominal(channel.name) for channel in self.plan.channels}
        recipe = recipe_of(self.microscope, self.plan, self._acquisition, layout, self.options)
        # Who looks at an image has it before it is written.
        receivers: list[Callable[[Result], None]] = [self.stats, *self._more_receivers, self._record]
        self.camera_maps, self._factor = recipe.maps(), recipe.factor
        self._queue = queue_of(recipe, self.options)
        self._host = host_of(recipe, self.options, self._queue, receivers, self._warn)
        self._host.start()
        seen = () if self._frame_seen is None else (Calls(self._frame_seen, "the view of raw frames"),)
        self._listeners = (self._queue, self._rate, *seen)
        for listener in self._listeners:
            self._acquisition.listen(listener)
        if self.out is not None:
            overwrite = self.options.overwrite
            self._recordings = LiveRecordings(self.out, layout, self._factor, overwrite=overwrite, warn=self._warn)
            self._acquisition.record_to(self._recordings.raw)
        if not self._host.wait_ready(READY_S) and not self._host.status.failed:
            self._warn(f"the processing is not ready after {READY_S:g} s; the run begins without images")

    def _record(self, result: Result) -> None:
        """In the pipeline's thread: keep an image."""
        if self._recordings is not None:
            self._recordings.add(result)

    def _warn(self, text: str) -> None:
        with self._warnings_lock:
            if text in self._warnings:
                return
            self._warnings[text] = None
        self._on_warning(text)

    # Ending ---------------------------------------------------------------------------------------------

    def _end(self) -> list[BaseException]:
        """End acquisition, processing and recordings, in this order, each whatever the one before does."""
        errors: list[BaseException] = []
        acquisition, host = self._acquisition, self._host
        if self._acquiring and acquisition is not None:
            self._acquiring = False
            errors += tried(acquisition.wait)
        if host is not None and not self._host_ended:
            self._host_ended = True
            if not host.stop():
                self._warn("the processing stopped answering: its last images are missing; raw frames are not affected")
        progress = self.progress
        remarks = {"warnings": list(self.warnings), "progress": None if progress is None else progress.as_record()}
        if self._recordings is not None:
            known = {str(error) for error in errors}
            errors += [error for error in self._recordings.finish(remarks) if str(error) not in known]
        return errors
