"""From a plan to useq events: one MDAEvent a raw frame, with its place in the series in the index.

useq has no SIM axes; `MDAEvent.index` takes any key, so a frame's index reads t, p, z, c, angle, phase. What the
engine needs besides (pattern id, channel, power) is in the event's metadata under `SHOT`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from useq import MDAEvent, PropertyTuple
from useq._mda_event import Channel as EventChannel
from useq._mda_event import ReadOnlyDict

from rdl_live.acquire.core import hardware_of
from rdl_live.acquire.devices import powered
from rdl_live.acquire.dose import DoseGuard
from rdl_live.acquire.patterns import DisplayOrder
from rdl_live.acquire.plan import Plan, light_of
from rdl_live.files.recorder import FrameFlag, FrameTag
from rdl_live.files.recorder.tags import SeriesKey
from rdl_live.optics.hardware import ChannelLight
from rdl_live.optics.microscope import Microscope

SHOT = "rdl_shot"
"""Key of an event's metadata that holds its `Shot`."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One raw frame of the plan."""

    series: SeriesKey
    angle: int
    phase: int
    slot: int
    """Place in the order of display, from 0."""
    pattern_id: int
    channel: str
    light: ChannelLight
    power_percent: float
    exposure_ms: float
    first: bool
    last: bool
    """Whether it is the first, the last of its series."""
    due_s: float | None = None
    """When its series is to begin, from the start of the run [s]; None where none is due at a time of its own."""

    def tag(self, timestamp_s: float | None, flags: FrameFlag = FrameFlag.NONE) -> FrameTag:
        """Return what the frame carries to the file."""
        return FrameTag(
            time=self.series.time,
            angle=self.angle,
            phase=self.phase,
            pattern_id=self.pattern_id,
            timestamp_s=timestamp_s,
            channel=self.series.channel,
            z=self.series.z,
            position=self.series.position,
            flags=flags,
            metadata={"exposure_ms": self.exposure_ms, "power_percent": self.power_percent},
        )


def shot_of(event: MDAEvent) -> Shot:
    """Return the shot that an event of `PlanEvents` stands for."""
    shot = event.metadata[SHOT]
    assert isinstance(shot, Shot)
    return shot


class PlanEvents:
    """The events of a plan, made as they are asked for; an endless plan never ends.

    The plan may be exchanged while it runs: the next time point follows the new one.
    """

    def __init__(
        self,
        plan: Plan,
        microscope: Microscope,
        patterns: Mapping[str, DisplayOrder],
        focus_um: float | None,
        dose: DoseGuard | None = None,
    ) -> None:
        """Prepare.

        Args:
            plan: the plan.
            microscope: its microscope.
            patterns: those of every channel of the plan.
            focus_um: where the focus is at the start [um]; None where there is no focus drive.
            dose: ends the events before a time point whose light would be too much.
        """
        self.plan, self._dose = plan, dose
        self._microscope, self._patterns, self._focus_um = microscope, patterns, focus_um

    def __iter__(self) -> Iterator[MDAEvent]:
        """Go through all frames, time point by time point."""
        time = 0
        while (plan := self.plan).endless or time < (plan.time.points or 0):
            if self._dose is not None and not self._dose.admit(plan):
                return
            series = list(plan.series(time))
            wait = plan.time.interval_s > 0
            for number, index in enumerate(series):
                more = number + 1 < len(series) or not wait
                still = more and not self._moves(index, series[(number + 1) % len(series)])
                yield from self._series(plan, index, start=number == 0 and wait, keep_open=still)
            time += 1

    def _moves(self, here: SeriesKey, there: SeriesKey) -> bool:
        """Return whether stage or focus move between two series: in the dark."""
        return here.position != there.position or here.z != there.z

    def _series(self, plan: Plan, index: SeriesKey, *, start: bool, keep_open: bool) -> Iterator[MDAEvent]:
        channel = plan.channels[index.channel]
        patterns = self._patterns[channel.name]
        light = light_of(self._microscope, channel.name)
        place = plan.positions[index.position] if plan.positions else None
        power = powered(light.power, channel.power_percent)
        common = MDAEvent(
            index=ReadOnlyDict({"t": index.time, "p": index.position, "z": index.z, "c": index.channel}),
            channel=EventChannel(group="SIM", config=channel.name),
            exposure=channel.exposure_ms,
            x_pos=place.x_um if place else None,
            y_pos=place.y_um if place else None,
            z_pos=self._z(plan, index),
            properties=[PropertyTuple(s.device, s.property, s.value) for s in (*light.settings, power)],
        )
        count, due_s = len(patterns.slots), index.time * plan.time.interval_s if start else None
        for slot, (angle, phase) in enumerate(patterns.slots):
            shot = Shot(
                index,
                angle,
                phase,
                slot,
                patterns.first_id + slot,
                channel.name,
                light,
                channel.power_percent,
                channel.exposure_ms,
                first=slot == 0,
                last=slot == count - 1,
                due_s=due_s,
            )
            yield common.model_copy(
                update={
                    "index": ReadOnlyDict({**common.index, "angle": angle, "phase": phase}),
                    "min_start_time": due_s if slot == 0 else None,
                    "keep_shutter_open": slot < count - 1 or keep_open,
                    "metadata": {SHOT: shot},
                }
            )

    def _z(self, plan: Plan, index: SeriesKey) -> float | None:
        if hardware_of(self._microscope).focus is None or self._focus_um is None:
            return None
        place = plan.positions[index.position] if plan.positions else None
        middle = place.z_um if place is not None and place.z_um is not None else self._focus_um
        return middle + plan.z.offsets_um[index.z]
