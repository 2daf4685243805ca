"""The one place where frames part: each goes at once to everybody who wants it, and one rule says what a failure costs.

A recorder is required: what it raises ends the run. All others are not: one that raises gets no more frames, which is
reported once, and the run goes on. Only the verdict on a series waits for its last frame.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rdl_live.acquire.pattern_check import Measured, PatternCheck
from rdl_live.errors import RdlError
from rdl_live.files.recorder import FrameFlag, FrameTag, SeriesKey

_LOG = logging.getLogger(__name__)
Frame = npt.NDArray[Any]
OnFrame = Callable[[Frame | None, FrameTag], None]


class FrameSink(Protocol):
    """What records; an error of its ends the run."""

    def append(self, frame: Frame, tag: FrameTag) -> None:
        """Take a frame."""

    def mark_missing(self, tag: FrameTag) -> None:
        """Take note of a frame that will not come."""

    def amend(self, tag: FrameTag) -> None:
        """Take the flags of a frame that came before: its series is judged now. Comes before the series' last frame."""


class FrameListener(Protocol):
    """Who else wants frames. Called in the acquisition's thread: must copy what it keeps, and never wait."""

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Take a frame (y, x) [ADU], or None for a missing one.

        A frame that was offered before and now comes as None with WRONG_PATTERN in its tag is the verdict on it.

        Args:
            frame: of the camera; not to be changed.
            tag: where it belongs.
            arrived_s: when it was read from the camera, by `time.perf_counter` [s].
        """


@dataclass
class Calls:
    """A listener that calls a function with frame and tag; verdicts that come later are not passed on."""

    function: OnFrame
    name: str = "processing"
    """What a message calls it."""

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Pass a frame on."""
        del arrived_s
        if frame is not None or tag.flags & FrameFlag.MISSING:
            self.function(frame, tag)


class _Recording:
    """A recorder as a listener."""

    def __init__(self, sink: FrameSink) -> None:
        self._sink = sink

    def offer(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        del arrived_s
        if frame is not None:
            self._sink.append(frame, tag)
        elif tag.flags & FrameFlag.MISSING:
            self._sink.mark_missing(tag)
        else:
            self._sink.amend(tag)


class FanOut:
    """Hands each frame to recorder and listeners. Belongs to the acquisition's thread."""

    def __init__(
        self,
        sink: FrameSink | None,
        checks: Mapping[int, PatternCheck],
        frames_per_series: int,
        warn: Callable[[str], None],
        saturation_adu: float | None = None,
        source: str = "SLM",
    ) -> None:
        """Take the receivers.

        Args:
            sink: the recorder; it comes first.
            checks: pattern checks by channel index.
            frames_per_series: raw frames of one series.
            warn: gets sentences for the user.
            saturation_adu: largest value that the camera gives; full scale of its numbers where left out.
            source: what a message calls the device that makes the patterns.
        """
        self._saturation_adu, self._source = saturation_adu, source
        self._required: FrameListener | None = None
        self._optional: list[FrameListener] = []
        self._warn = warn
        self._checks, self._per_series = checks, frames_per_series
        self._key: SeriesKey | None = None
        self._tags: list[FrameTag] = []
        self._measured: list[Measured] = []
        self.wrong_patterns = 0
        """Frames flagged WRONG_PATTERN."""
        self.unjudged = 0
        """Series too dark for the check."""
        self.listener_error: Exception | None = None
        """The first that a listener raised."""
        self.record_to(sink)

    def record_to(self, sink: FrameSink | None) -> None:
        """Take another recorder, or none."""
        self._required = None if sink is None else _Recording(sink)

    def listen(self, listener: FrameListener) -> None:
        """Take another listener, the last one to be called."""
        self._optional.append(listener)

    def __call__(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        """Hand on a frame, or a hole.

        Raises:
            Exception: what the recorder raises.
        """
        if frame is not None and self._saturated(frame):
            tag = replace(tag, flags=tag.flags | FrameFlag.SATURATED)
        if self._completes(tag):
            tag = self._judged(frame, tag, arrived_s)
            self._hand_on(frame, tag, arrived_s)
            return
        self._hand_on(frame, tag, arrived_s)
        if tag.channel in self._checks:  # after it is on its way
            self._measure(frame, tag)

    def _saturated(self, frame: Frame) -> bool:
        """Whether any pixel is as bright as the camera can tell; 0.03 ms for 512 x 512."""
        if self._saturation_adu is None:
            self._saturation_adu = float(np.iinfo(frame.dtype).max) if frame.dtype.kind in "ui" else math.inf
        return bool(frame.max() >= self._saturation_adu)

    def _hand_on(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> None:
        if self._required is not None:
            self._required.offer(frame, tag, arrived_s)
        for listener in tuple(self._optional):
            try:
                listener.offer(frame, tag, arrived_s)
            except Exception as error:  # whatever it does, the recording goes on
                self._drop(listener, error, tag)

    def _drop(self, listener: FrameListener, error: Exception, tag: FrameTag) -> None:
        self._optional.remove(listener)
        self.listener_error = self.listener_error or error
        what = str(error) if isinstance(error, RdlError) else f"{type(error).__name__}: {error}"
        _LOG.error("a listener to frames failed at %s", tag, exc_info=error)
        name = getattr(listener, "name", "processing")
        self._warn(f"{name} failed at {tag}: {what}; it gets no more frames, the recording goes on")

    # The verdict on a series ----------------------------------------------------------------------------

    def _completes(self, tag: FrameTag) -> bool:
        """Whether this is the last frame of a series of which all others were measured."""
        whole = len(self._measured) == len(self._tags) == self._per_series - 1
        return tag.channel in self._checks and whole and tag.series == self._key

    def _measure(self, frame: Frame | None, tag: FrameTag) -> None:
        if tag.series != self._key:
            self._key, self._tags, self._measured = tag.series, [], []
        self._tags.append(tag)
        if frame is not None:  # a series that lacks one is not reconstructed anyway, and gets no verdict
            self._measured.append(self._checks[tag.channel].measure(frame))

    def _judged(self, frame: Frame | None, tag: FrameTag, arrived_s: float) -> FrameTag:
        """Judge a series with its last frame; amend the frames before, and return the last one's tag."""
        self._measure(frame, tag)
        if frame is None:
            return tag
        rows: dict[int, dict[int, Measured]] = {}
        for one, values in zip(self._tags, self._measured, strict=True):
            rows.setdefault(one.angle, {})[one.phase] = values
        check = self._checks[tag.channel]
        verdict = check.judge([[row[p] for p in sorted(row)] for _, row in sorted(rows.items())], (tag.position, tag.z))
        self.unjudged += not verdict.judged
        if not verdict.wrong:
            return tag
        if not self.wrong_patterns:
            where = ", ".join(f"angle {a} phase {p}" for a, p in verdict.wrong)
            self._warn(
                f"{self._source}: wrong pattern in series {tag.time}: {where}. The frames are flagged; check trigger "
                f"and pattern order of {self._source}"
            )
        self.wrong_patterns += len(verdict.wrong)
        for one in self._tags[:-1]:
            if (one.angle, one.phase) in verdict.wrong:
                self._hand_on(None, _flagged(one), arrived_s)
        return _flagged(tag) if (tag.angle, tag.phase) in verdict.wrong else tag


def _flagged(tag: FrameTag) -> FrameTag:
    return replace(tag, flags=tag.flags | FrameFlag.WRONG_PATTERN)
