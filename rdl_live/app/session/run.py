"""One run of a session: a `LiveRun` on the session's core, with what a viewer wants to know of it."""

import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rdl_live._names import RAW_RECORDING
from rdl_live.acquire import Plan, PlanChannel, Region, TimePlan
from rdl_live.acquire.plan import SINGLE_FRAME
from rdl_live.app.disk import disk_free
from rdl_live.app.live.values import LiveOptions, LiveStatus
from rdl_live.app.session.goals import Goal, Kind, Requests
from rdl_live.app.single_frame.choose import run_of
from rdl_live.errors import OutputError, RdlError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.modality import modality_of
from rdl_live.stream import Frame, Result
from rdl_live.view.live.progress_words import late_words
from rdl_live.view.live.session import Activity, Counts, Light, Readings, Recording, Severity, Snapshot

if TYPE_CHECKING:
    from rdl_live.app.live.truth import TruthWatch
    from rdl_live.app.session.bench import MicroscopeContext

SNAP_SERIES, SNAP_EVERY_S = 10, 0.4
"""A snap with unknown patterns takes a series now and then, until there is an image; the light is off between them."""
STALLED_S = 1.5
"""Without a frame for so long (and two exposures), the user is warned; the run goes on and waits."""
_AT = {Kind.LIVE: Activity.LIVE, Kind.SNAP: Activity.SNAPPING, Kind.RECORD: Activity.RECORDING}


class SessionRun:
    """A run for one goal. A context manager, like the `LiveRun` in it."""

    def __init__(self, bench: "MicroscopeContext", goal: Goal, wishes: Requests) -> None:
        """Make ready; nothing is opened before the `with` block.

        Raises:
            ConfigError: a denoiser that there is not, or a plan that does not hold together.
            OutputError: the recording's folder cannot be made.
        """
        core, microscope = bench.loaded()
        self._bench, self.goal, self.wishes = bench, goal, wishes
        self._modality = modality_of(microscope)
        settings = wishes.settings
        self._key = (settings.channel, settings.region)
        known = bench.known.get(self._key) if goal.kind is Kind.SNAP else None
        snaps = goal.kind is Kind.SNAP and known is None
        self.plan = goal.plan or plan_for(
            wishes, points=None if known is None else 1, interval_s=SNAP_EVERY_S if snaps else 0.0
        )
        out = _made(goal.folder) if goal.folder is not None else None
        self.restarts = False
        """Whether it ended only to begin anew with other settings."""
        self.stopped = False
        self._denoiser = settings.denoiser
        self.kept_denoiser: str | None = None
        """Denoiser that stays in use because another could not be had; None once it has been asked for again."""
        self.dose_before = 0.0
        self._doubts: tuple[str, ...] = ()
        self._refused = 0
        self._frame_s = 0.0
        self._latest: Result | None = None
        self._truth: TruthWatch | None = None
        self._began_s = time.monotonic()
        self._run = run_of(
            microscope,
            self.plan,
            out,
            LiveOptions(
                denoise=settings.denoiser,
                memory=settings.memory,
                patterns=None if known is None else (known,),
                # What is only looked at shall be fresh, and there at once: a process of its own takes seconds to
                # start, and there is no recording for it to spare.
                queue_series=2 if out is None else LiveOptions.queue_series,
                processing="thread" if out is None else "process",
            ),
            core=core,
            receivers=(self._receive,),
            on_frame=self._frame,
            on_warning=bench.notices.warn,
        )
        self.light = self._run.light
        bench.mailbox.open(microscope, tuple(c.name for c in self.plan.channels), microscope.optics.pixel_size_um)

    # From the start to the dark -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """See `LiveRun`."""
        self._run.__enter__()
        self._bench.mailbox.calibrate(self._run.camera_maps)
        if self._bench.simulated:
            self._truth = self._watch_truth()
        return self

    def _watch_truth(self) -> "TruthWatch":
        """Return what compares the images with the simulated specimen."""
        from rdl_devices.sim import world_of
        from rdl_devices.sim.view import Region as ChipRegion
        from rdl_live.app.live.truth import TruthWatch

        core, microscope = self._bench.loaded()
        left, top, width, height = core.getROI()
        region = ChipRegion(top, left, height, width)
        return TruthWatch(world_of(core), microscope, region, self._bench.mailbox.put_truth)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `LiveRun`."""
        try:
            self._run.__exit__(kind, error, trace)
        finally:
            if self._truth is not None:
                self._truth.close()

    def start(self) -> None:
        """See `LiveRun`."""
        self._began_s = time.monotonic()
        self._run.start()

    def stop(self) -> None:
        """Ask it to stop; any thread."""
        self.stopped = True
        self._run.stop()

    def end(self) -> None:
        """See `LiveRun`."""
        self._run.end()

    @property
    def running(self) -> bool:
        """Whether the acquisition runs."""
        return self._run.running

    def follow(self, wishes: Requests) -> None:
        """Pass changed wishes on.

        Raises:
            RdlError: a value that a device does not take; it is not tried again.
        """
        before, self.wishes = self.wishes, wishes
        if wishes.knobs != before.knobs:
            self._bench.turn(wishes.knobs)
        old, new = before.settings, wishes.settings
        if new.denoiser != old.denoiser:
            self._exchange(new.denoiser)
        if old == new or not self.plan.endless or self.goal.plan is not None:
            return
        if (new.channel, new.region, new.memory) != (old.channel, old.region, old.memory):
            if self.goal.kind is Kind.LIVE:
                self.restarts = True
                self.stop()
            return  # a recording stays what it was begun as
        self.plan = self.plan.replace(channels=plan_for(wishes).model_dump()["channels"])
        self._run.follow(self.plan)

    def _exchange(self, denoiser: str) -> None:
        """Ask for another denoiser; if it cannot be had, the one in use stays, and is wished for again."""
        try:
            asked = self._run.use_denoiser(denoiser)
        except RdlError:
            self.kept_denoiser = self._denoiser
            raise
        asked.add_done_callback(partial(self._exchanged, denoiser))

    def _exchanged(self, denoiser: str, done: "Future[None]") -> None:
        if (error := done.exception()) is None:
            self._denoiser = denoiser
        elif not self.stopped:  # the next run begins with it
            self.kept_denoiser = self._denoiser
            self._bench.notices.add(Severity.ERROR, f"the denoiser was not changed: {error}")

    # What it gives --------------------------------------------------------------------------------------

    def _frame(self, frame: Frame | None, tag: FrameTag) -> None:
        """In the acquisition's thread."""
        self._frame_s = time.monotonic()
        self._bench.mailbox.put_frame(frame, tag)
        if self.goal.kind is Kind.SNAP and tag.time >= SNAP_SERIES and not self.stopped:
            self._bench.notices.warn("no pattern was found in the snap; check light, focus and pattern in live view")
            self.stop()

    def _receive(self, result: Result) -> None:
        """In the pipeline's thread."""
        self._bench.mailbox.put_result(result)
        if self._truth is not None:
            self._truth(result)
        if result.guards is not None:
            self._doubts = result.guards.doubts
        self._latest = result
        if len(self.plan.channels) == 1 and result.fits and len(result.patterns):
            self._bench.known[self._key] = result.patterns
        if self.goal.kind is Kind.SNAP and self.plan.endless:
            self.stop()

    @property
    def dose_so_far(self) -> float:
        """Dose of this run [J/cm2]; 0 where it is not known."""
        return self._run.status.dose_j_cm2 or 0.0 if self._run.opened else 0.0

    @property
    def dose_j_cm2(self) -> float | None:
        """Dose of this run since the dose was set to zero; None where the microscope file gives no irradiance."""
        if not self._run.opened:
            return 0.0
        dose = self._run.status.dose_j_cm2
        return None if dose is None else max(dose - self.dose_before, 0.0)

    def snapshot(self, wishes: Requests, activity: Activity | None = None) -> Snapshot:
        """Return how it is."""
        base = replace(
            self._bench.base(),
            doubts=(*self._run.doubts, *self._doubts),
            recording=None,
            demo=self._bench.knobs(wishes),
            stage=self._bench.stage,
            plan=self.goal.plan.name if self.goal.plan is not None else "",
            light=Light.ON if self.light.lit else Light.OFF,
            lamps=self.light.lamps,
        )
        activity = activity or _AT[self.goal.kind]
        if not self._run.opened:
            return replace(base, activity=activity, says="starting …", counts=Counts(), readings=Readings())
        status, latest = self._run.status, self._latest
        shown = latest.channel if latest else wishes.settings.channel
        if not self.stopped:  # the series that a stop cuts off is no fault
            self._refused = status.refused
        return replace(
            base,
            activity=activity,
            says=self._says(status),
            stalled_s=self._stalled_s(wishes),
            recording=self._recording(status),
            counts=Counts(status.raw_frames, status.missing, status.sr_frames, status.dropped, self._refused),
            readings=self._readings(status),
            patterns=latest.newest if latest else None,
            nominal=self._run.nominal(shown),
            patterns_of=shown,
            dose_j_cm2=self._bench.dose(self.dose_j_cm2),
            disk_free_bytes=disk_free(self.goal.folder or wishes.folder),
        )

    def _stalled_s(self, wishes: Requests) -> float:
        """Return for how long no frame has come, where one is overdue: long before it is an error."""
        if self._run.shows_none or not self.light.lit or self._frame_s == 0.0 or self.plan.time.interval_s > 0:
            return 0.0
        longest_ms = max([wishes.settings.exposure_ms, *(c.exposure_ms for c in self.plan.channels)])
        silent_s = time.monotonic() - self._frame_s
        return silent_s if silent_s > STALLED_S + 2e-3 * longest_ms else 0.0

    def _says(self, status: LiveStatus) -> str:
        if self.goal.kind is Kind.RECORD:
            planned = "" if self.plan.endless else f" of {self._planned}"
            return f"recording series {status.series}{planned}{late_words(self._run.progress)}"
        if status.raw_frames == 0:
            return "waiting for the camera …"
        if self._latest is None:
            return "finding the patterns …" if self._modality.searches else "computing the first image …"
        return "live; nothing is recorded" if self.goal.kind is Kind.LIVE else "taking one series"

    @property
    def _planned(self) -> int:
        return (self.plan.time.points or 1) * self.plan.series_per_time_point

    def _recording(self, status: LiveStatus) -> Recording | None:
        if self.goal.folder is None:
            return None
        return Recording(
            folder=self.goal.folder,
            series=status.series,
            planned=None if self.plan.endless else self._planned,
            written_bytes=status.written_bytes,
            running=self.running,
            seconds=time.monotonic() - self._began_s,
            raw=self.goal.folder / RAW_RECORDING,
            progress=self._run.progress if self.goal.plan is not None else None,
        )

    def _readings(self, status: LiveStatus) -> Readings:
        latest = self._latest
        quality = latest.quality if latest else None
        return Readings(
            photons=quality.photons_per_pixel if quality else None,
            brightness=self._bench.mailbox.brightness,
            mcnr=quality.mcnr if quality else None,
            modulation=quality.modulation if quality else None,
            score=latest.newest.score if latest and len(latest.newest) else None,
            raw_fps=status.raw_fps,
            image_fps=status.sr_fps,
            latency_ms=status.latency.p50 if status.latency else None,
            brightest_adu=quality.brightest_adu if quality else None,
        )


def plan_for(wishes: Requests, points: int | None = None, interval_s: float = 0.0) -> Plan:
    """Return the plan of live view; `points` time points, or until it is stopped."""
    settings = wishes.settings
    region, here = settings.region, (settings.power_percent, settings.exposure_ms)
    names = settings.beside if settings.channel in settings.beside else (settings.channel,)
    lights = {**wishes.lights, settings.channel: here}
    channels = [(name, *lights.get(name, here)) for name in names]
    return Plan(
        name="live",
        modality=single_frames(settings.modality),
        channels=tuple(PlanChannel(name=name, power_percent=power, exposure_ms=ms) for name, power, ms in channels),
        time=TimePlan(points=points, interval_s=interval_s),
        roi=None if region is None else Region(x=region[0], y=region[1], width=region[2], height=region[3]),
    )


def single_frames(modality: str) -> str | None:
    """Return the modality of a plan; None for what the microscope file describes."""
    return SINGLE_FRAME if modality == SINGLE_FRAME else None


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputError(f"{folder}: already exists and is not overwritten; choose another name") from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from error
    return folder
