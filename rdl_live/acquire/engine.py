"""The strict engine: SIM series as hardware sequences, or stepped by software; nothing is assumed to have worked.

Unlike the stock engine, whatever cannot be set raises before the exposure, a frame that fails leaves a marked hole,
and the frames go to the sink from here: what the sink raises ends the run, in the dark.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy.typing as npt
from pymmcore_plus import CMMCorePlus
from pymmcore_plus.core._sequencing import SequencedEvent
from pymmcore_plus.mda import MDAEngine
from useq import MDAEvent

from rdl_live.acquire.bursts import bursts, cycle_of, joined
from rdl_live.acquire.devices import Devices
from rdl_live.acquire.events import Shot, shot_of
from rdl_live.acquire.faults import asking
from rdl_live.acquire.frame_watch import FrameWatch
from rdl_live.acquire.guard import IlluminationGuard, side_by_side
from rdl_live.acquire.lamp import Lamp
from rdl_live.acquire.light_gate import RunStopped
from rdl_live.acquire.patterns import PatternSource
from rdl_live.acquire.progress import LATE_S, Pace, Skipped
from rdl_live.acquire.run_light import RunLight
from rdl_live.acquire.run_status import RunStatus
from rdl_live.acquire.sequence_reader import read_sequence
from rdl_live.acquire.skipping import Skipping
from rdl_live.errors import DeviceError
from rdl_live.files.recorder import FrameFlag, FrameTag

_LOG = logging.getLogger(__name__)

Frame = npt.NDArray[Any]


class SimEngine(MDAEngine):
    """Runs the events of `PlanEvents`. Made for one run by `Acquisition`."""

    def __init__(
        self,
        core: CMMCorePlus,
        devices: Devices,
        guard: IlluminationGuard,
        patterns: PatternSource,
        deliver: Callable[[Frame | None, FrameTag, float], None],
        stopped: Callable[[], bool],
        *,
        stepped: bool,
        frames_per_series: int,
        burst_s: float = 10.0,
        skipping: Skipping | None = None,
    ) -> None:
        """Only take what is needed; nothing is set.

        Args:
            core: the core.
            devices: its devices by role.
            guard: makes it dark.
            patterns: makes the patterns.
            deliver: gets every frame, or None for a missing one, its tag, and when it was read (`time.perf_counter`);
                what it raises ends the run.
            stopped: whether somebody wants the run to end.
            stepped: step the patterns by software.
            frames_per_series: raw frames of one series.
            burst_s: about how long one hardware sequence may last [s].
            skipping: what to do with series that fail; by default the first ends the run.
        """
        super().__init__(core, use_hardware_sequencing=not stepped, restore_initial_state=False)
        self._devices, self._guard, self._patterns = devices, guard, patterns
        self._deliver, self._stopped, self._burst_s = deliver, stopped, burst_s
        self._hardware = devices.hardware
        self.light = RunLight(devices)
        self._repeats = 0
        placed = stepped or self._hardware.camera.frame_index_tag is not None
        self.watch = FrameWatch(self._hardware.camera, placed=placed, frames_per_series=frames_per_series)
        self._skipping = skipping or Skipping(None)
        self._handed = 0
        """Frames of the event that have been handed on."""
        self._began_s = time.perf_counter()
        self._late = False
        """Whether the series at hand began later than it was due."""
        self._first_s = self._busy_since_s = 0.0
        self._busy_s = 0.0
        self._ended_s: float | None = None
        self.leave_out: Callable[[Frame | None, FrameTag, float], None] = deliver
        """Given the frames that a skipped series lacks, as holes; they were not exposed."""
        self.status = RunStatus(stepped=stepped)
        self.alive_s = time.monotonic()
        """When it last did something [s], for the watchdog's heartbeat."""
        self.warn: Callable[[str], None] = _LOG.warning
        """Told what the user should know."""
        self.problems: list[BaseException] = []
        """What went wrong while going dark after an error; `Acquisition` reports it with that error."""

    @property
    def pace(self) -> Pace:
        """What was gone through, and how long it took; any thread."""
        gone = self.status.series + len(self._skipping.skipped)
        if not self._first_s:
            return Pace(gone)
        now_s, since_s = self._ended_s or time.perf_counter(), self._busy_since_s
        return Pace(gone, now_s - self._first_s, self._busy_s + (now_s - since_s if since_s else 0.0))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Series that failed, and that the plan went on without; any thread."""
        return tuple(self._skipping.skipped)

    # What the runner calls ------------------------------------------------------------------------------

    def setup_sequence(self, sequence: Any) -> Any:
        """Check and set what holds for the whole run, in the dark."""
        self._began_s = time.perf_counter()
        self._devices.forget()
        with suppress(RunStopped):  # no event follows
            for setting in self._hardware.setup:
                self._devices.set(setting)
        return self.get_summary_metadata(mda_sequence=sequence)

    def event_iterator(self, events: Iterable[MDAEvent]) -> Iterator[MDAEvent]:
        """Join series to bursts where the hardware steps the patterns; nothing comes after a stop."""
        # A stop that comes before the runner has begun is forgotten by the runner, and an endless plan never ends.
        return takewhile(lambda _: not self._stopped(), self._joined(events))

    def _joined(self, events: Iterable[MDAEvent]) -> Iterator[MDAEvent]:
        if self.status.stepped:
            return iter(events)
        # Without the camera's count a lost frame cannot be placed, and only one series may be lost with it.
        longest_s = self._burst_s if self._hardware.camera.frame_index_tag else 0.0
        return bursts(events, self._joins, longest_s, self._hardware.camera.readout_ms, self._begins)

    def setup_event(self, event: MDAEvent) -> None:
        """Make everything ready for the exposure, the shutter last.

        Raises:
            DeviceError: anything that could not be set; nothing was exposed. Not where the series may be skipped.
        """
        self._busy_since_s = time.perf_counter()
        self._first_s = self._first_s or self._busy_since_s
        self._handed = 0
        try:
            self._make_ready_or_skip(event)
        except RunStopped:
            self.go_dark()
        except BaseException:
            self.go_dark()
            raise

    def exec_event(self, event: MDAEvent) -> Iterator[Any]:
        """Expose, and hand on each frame with its tag; what fails is skipped where the plan says so."""
        try:
            rest: MDAEvent | None = event
            while rest is not None:
                error = self._skipping.take_failed()
                if error is None:
                    try:
                        yield from self._expose(rest)
                        return
                    except DeviceError as caught:
                        error = self._skippable(caught)
                rest = self._left_after(rest, error)
                if rest is not None:
                    self._handed = 0
                    self._make_ready_or_skip(rest)
        except RunStopped:
            self.go_dark()
        except BaseException:
            self.go_dark()
            raise

    def _expose(self, event: MDAEvent) -> Iterator[Any]:
        if self._stopped():  # while it was made ready
            if self.light.is_open:
                raise RunStopped
            return
        if isinstance(event, SequencedEvent):
            yield from self._run_burst(event)
        else:
            yield from self._run_step(event)

    def teardown_event(self, event: MDAEvent) -> None:
        """Close the light path where the next frame is not due yet."""
        if self.light.is_open and not event.keep_shutter_open:
            self.light.close()
        if self._busy_since_s:
            self._busy_s += time.perf_counter() - self._busy_since_s
            self._busy_since_s = 0.0

    def teardown_sequence(self, sequence: Any) -> None:
        """Go dark, whatever came."""
        del sequence
        self._ended_s = time.perf_counter()
        self.go_dark()

    def go_dark(self) -> None:
        """Turn the light off first, then stop what runs; keeps what goes wrong in `problems`."""
        self.light.goes_dark()
        try:
            self._guard.make_safe()
            self.light.went_dark()
        except DeviceError as error:
            self.problems.append(error)
        self._patterns.forget()
        self._devices.forget()
        self.problems += side_by_side(
            {
                self._hardware.camera.device: [self._stop_camera],
                f"patterns ({self._patterns.name})": [self._patterns.stop],
                "sequenced properties": [self.light.stop_cycle],
            }
        )

    # Skipping what fails --------------------------------------------------------------------------------

    def _skippable(self, error: DeviceError) -> DeviceError:
        """Go dark; return the error where the plan may go on without the series, raise it where not."""
        problems = len(self.problems)
        self.go_dark()
        if not self._skipping.wanted or self._stopped() or len(self.problems) > problems:
            raise error
        return error

    def _left_after(self, event: MDAEvent, error: DeviceError) -> MDAEvent | None:
        """Mark what the failed series lacks as missing, and return what comes after it in this event.

        Raises:
            DeviceError: too many in a row failed; or nothing is missing, so that the error is one of all frames.
        """
        events = list(event.events) if isinstance(event, SequencedEvent) else [event]
        left = events[self._handed :]
        if not left:
            raise error
        series = shot_of(left[0]).series
        here = [one for one in left if shot_of(one).series == series]
        for one in here:
            self.alive_s = time.monotonic()
            tag = shot_of(one).tag(None, FrameFlag.MISSING)
            self.leave_out(None, tag, time.perf_counter())
            self.status = replace(self.status, missing=self.status.missing + 1, time_point=series.time)
        self.watch.skipped()
        told = self._skipping.add(shot_of(left[0]), error)
        if told:
            self.warn(told)
        return joined(left[len(here) :]) if len(left) > len(here) else None

    # Making ready ---------------------------------------------------------------------------------------

    def _make_ready_or_skip(self, event: MDAEvent) -> None:
        try:
            self._make_ready(event)
        except DeviceError as error:
            self._skipping.failed = self._skippable(error)

    def _make_ready(self, event: MDAEvent) -> None:
        if self._stopped():
            raise RunStopped
        self.alive_s = time.monotonic()
        first = event.events[0] if isinstance(event, SequencedEvent) else event
        shot = shot_of(first)
        self._skipping.check(shot)
        if shot.first or not self.light.is_open:
            self._place(first)
        if isinstance(event, SequencedEvent):
            self._prepare_burst(event)
        else:
            self._patterns.show(shot.pattern_id)
        self.light.open()

    def _place(self, event: MDAEvent) -> None:
        """Move, and set exposure and light of a series."""
        shot = shot_of(event)
        if event.x_pos is not None and event.y_pos is not None:
            with self._skipping.moving(shot):
                self._devices.move_xy(event.x_pos, event.y_pos)
        if event.z_pos is not None:
            self._devices.move_z(event.z_pos)
        self._devices.exposure(shot.exposure_ms)
        self.light.shine(Lamp(shot.channel, shot.power_percent), shot.light)

    def _prepare_burst(self, event: SequencedEvent) -> None:
        shots = [shot_of(one) for one in event.events[: cycle_of(event.events)]]
        self._patterns.prepare([shot.pattern_id for shot in shots])
        self.light.cycle([Lamp(shot.channel, shot.power_percent) for shot in shots], [shot.light for shot in shots])
        self._patterns.start()
        self._patterns.check_place(0, "before the first exposure")

    def _begins(self, shot: Shot) -> bool:
        """Whether the patterns cannot follow the camera across this frame."""
        return any(ids[0] == shot.pattern_id for ids in self._patterns.pieces(shot.channel))

    def _joins(self, before: Shot, after: Shot) -> bool:
        """Whether light and patterns of all channels can be switched within a hardware sequence."""
        can_switch = self.light.can_step(before.light, after.light)
        return can_switch and self._patterns.lacks(self._patterns.ids) is None

    # Exposing -------------------------------------------------------------------------------------------

    def _run_burst(self, event: SequencedEvent) -> Iterator[Any]:
        core, camera = self.mmcore, self._hardware.camera
        count = len(event.events)
        frame_s = 1e-3 * ((event.exposure or 0.0) + camera.readout_ms)
        began_s = time.perf_counter() - self._began_s
        with asking(camera.device, f"start of a sequence of {count} frames"):
            core.startSequenceAcquisition(camera.device, count, 0.0, True)
        arrived, self._repeats = 0, 0
        for arrival in read_sequence(core, camera, count, frame_s, self._stopped, self._came_twice):
            arrived += 1
            one = event.events[arrival.number]
            stamp = self.watch.start_s(arrival.tags, began_s)
            signal = yield self._hand_on(arrival.frame, one, stamp, arrival.tags, arrival.read_s)
            if signal == "cancel" or (self._stopped() and shot_of(one).last):
                break
        # A frame that came twice has taken the place of an exposure.
        self._end_burst(count - self._repeats if arrived == count else None, cycle_of(event.events))

    def _came_twice(self, index: int) -> None:
        self._repeats += 1
        self.warn(
            f"{self._hardware.camera.device}: sent frame {index} of a sequence twice, by its own count; the second one "
            "is left out, and nothing is shifted by it; check the camera's driver"
        )

    def _end_burst(self, exposures: int | None, cycle: int) -> None:
        """Stop in order; `exposures` is None where the burst was broken off."""
        self.status = replace(self.status, bursts=self.status.bursts + 1)
        if exposures is None:
            self.light.close()
            self._stop_camera()
        else:
            self._patterns.check_place((exposures - 1) % cycle, "after the last exposure")
        self._patterns.stop()
        self.light.stop_cycle()

    def _run_step(self, event: MDAEvent) -> Iterator[Any]:
        camera = self._hardware.camera.device
        stamp = time.perf_counter() - self._began_s
        try:
            with asking(camera, f"exposure {shot_of(event).exposure_ms:g} ms"):
                self.mmcore.snapImage()
                frame: Frame | None = self.mmcore.getImage(fix=False)
        except DeviceError as error:
            _LOG.warning("%s; the frame is marked missing", error)
            frame = None
        yield self._hand_on(frame, event, stamp, {}, time.perf_counter())

    def _hand_on(
        self, frame: Frame | None, event: MDAEvent, stamp: float | None, tags: Mapping[str, Any], read_s: float
    ) -> Any:
        """Deliver a frame or a hole; return what the runner tells its listeners."""
        self.alive_s = time.monotonic()
        if frame is not None:
            self.watch.came(frame)
        self._handed += 1
        shot = shot_of(event)
        if shot.last:
            self._skipping.succeeded()
        flags = FrameFlag.NONE if frame is not None else FrameFlag.MISSING
        if shot.first and shot.due_s is not None:
            self._late = time.perf_counter() - self._began_s - shot.due_s > LATE_S + 1e-3 * shot.exposure_ms
        if self._late and shot.due_s is not None:
            flags |= FrameFlag.LATE
        tag = shot.tag(stamp, flags)
        self._deliver(frame, tag, read_s)
        done = self.status
        self.status = replace(
            done,
            frames=done.frames + (frame is not None),
            missing=done.missing + (frame is None),
            series=done.series + shot.last,
            time_point=shot.series.time,
        )
        if frame is None:
            self.watch.missed(tag)
            return None
        return frame, event, {"runner_time_ms": 1e3 * (stamp or 0.0), "rdl_tag": tag, "camera_metadata": tags}

    # Stopping -------------------------------------------------------------------------------------------

    def _stop_camera(self) -> None:
        with asking(self._hardware.camera.device, "stopping the sequence"):
            if self.mmcore.isSequenceRunning():
                self.mmcore.stopSequenceAcquisition(self._hardware.camera.device)
