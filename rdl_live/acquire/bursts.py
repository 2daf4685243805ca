"""Which frames run as one hardware sequence: whole series, one after the other, without a wait or a move between."""

from collections.abc import Callable, Iterable, Iterator

from pymmcore_plus.core._sequencing import SequencedEvent
from useq import MDAEvent

from rdl_live.acquire.events import Shot, shot_of


def bursts(
    events: Iterable[MDAEvent],
    joins: Callable[[Shot, Shot], bool],
    longest_s: float,
    frame_extra_ms: float,
    begins: Callable[[Shot], bool],
) -> Iterator[SequencedEvent]:
    """Join events to bursts.

    Args:
        events: of `PlanEvents`.
        joins: whether hardware can go from one channel and power to another within a sequence.
        longest_s: about how long a burst may last [s]; 0: one series each.
        frame_extra_ms: time of a frame beyond its exposure [ms].
        begins: whether a shot within a series begins a hardware sequence, for the patterns need one of their own.
    """
    burst: list[MDAEvent] = []
    seconds = 0.0
    for event in events:
        shot = shot_of(event)
        if burst and not shot.first and begins(shot):
            yield joined(burst)
            burst, seconds = [], 0.0
        if burst and shot.first:
            whole = len(burst) % cycle_of(burst) == 0
            if (seconds >= longest_s and whole) or longest_s == 0 or not _goes_on(burst, event, joins):
                yield joined(burst)
                burst, seconds = [], 0.0
        burst.append(event)
        seconds += 1e-3 * (shot.exposure_ms + frame_extra_ms)
    if burst:
        yield joined(burst)


def cycle_of(burst: list[MDAEvent] | tuple[MDAEvent, ...]) -> int:
    """Return after how many frames the patterns repeat; all of them where they do not."""
    first = shot_of(burst[0]).pattern_id
    for number, event in enumerate(burst[1:], start=1):
        if shot_of(event).pattern_id == first:
            return number
    return len(burst)


def _goes_on(burst: list[MDAEvent], event: MDAEvent, joins: Callable[[Shot, Shot], bool]) -> bool:
    """Return whether a new series can follow without a pause."""
    before, shot, event_before = shot_of(burst[-1]), shot_of(event), burst[-1]
    moves = (event.x_pos, event.y_pos, event.z_pos) != (event_before.x_pos, event_before.y_pos, event_before.z_pos)
    if event.min_start_time is not None or moves or event.exposure != event_before.exposure:
        return False
    again = shot_of(burst[len(burst) % cycle_of(burst)])
    if cycle_of(burst) < len(burst) or again.pattern_id == shot.pattern_id:
        # The hardware repeats its cycle: pattern and light must be those of one cycle ago.
        return (again.pattern_id, again.power_percent) == (shot.pattern_id, shot.power_percent)
    return joins(before, shot)


def joined(burst: list[MDAEvent]) -> SequencedEvent:
    """Return the one event that stands for these."""
    first, last = burst[0], burst[-1]
    return SequencedEvent(
        events=tuple(burst),
        index=first.index,
        channel=first.channel,
        exposure=first.exposure,
        min_start_time=first.min_start_time,
        x_pos=first.x_pos,
        y_pos=first.y_pos,
        z_pos=first.z_pos,
        properties=first.properties,
        keep_shutter_open=last.keep_shutter_open,
        metadata=dict(first.metadata),
    )
