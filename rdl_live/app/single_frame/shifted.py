"""Part of a run as the whole: its time points and seconds counted on from those before it."""

from collections.abc import Iterable
from dataclasses import replace

from rdl_live.acquire.fan_out import Frame, FrameListener, FrameSink
from rdl_live.acquire.progress import Skipped
from rdl_live.files.recorder import FrameTag


class ShiftedListener:
    """A listener to which the time points of a part are those of the whole; see `FrameListener`."""

    def __init__(self, listener: FrameListener, before: int, seconds: float) -> None:
        """Count `before` time points and so many seconds in front."""
        self._listener, self._before = listener, (before, seconds)

    @property
    def name(self) -> str:
        """What a message calls it."""
        return str(getattr(self._listener, "name", "processing"))

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Pass a frame on."""
        self._listener.offer(frame, _shifted(tag, *self._before), arrived_s)


class ShiftedSink:
    """A recorder to which the time points of a part are those of the whole; see `FrameSink`."""

    def __init__(self, sink: FrameSink, before: int, seconds: float) -> None:
        """Count `before` time points and so many seconds in front."""
        self._sink, self._before = sink, (before, seconds)

    def append(self, frame: Frame, tag: FrameTag) -> None:
        """Pass a frame on."""
        self._sink.append(frame, _shifted(tag, *self._before))

    def mark_missing(self, tag: FrameTag) -> None:
        """Pass on that one will not come."""
        self._sink.mark_missing(_shifted(tag, *self._before))

    def amend(self, tag: FrameTag) -> None:
        """Pass on the flags of one that came."""
        self._sink.amend(_shifted(tag, *self._before))


def in_the_whole(skipped: Iterable[Skipped], before: int) -> tuple[Skipped, ...]:
    """Return series that a part has left out, by their time points in the whole run."""
    return tuple(one._replace(series=one.series._replace(time=one.series.time + before)) for one in skipped)


def _shifted(tag: FrameTag, before: int, seconds: float) -> FrameTag:
    stamp = None if tag.timestamp_s is None else tag.timestamp_s + seconds
    return replace(tag, time=tag.time + before, timestamp_s=stamp)
