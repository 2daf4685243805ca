"""Where frames go: to the recorder first, which ends the run if it cannot keep up; to the processing, which cannot."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy.typing as npt

from rdl_live.acquire.pattern_check import PatternCheck
from rdl_live.files.recorder import FrameFlag, FrameTag

_LOG = logging.getLogger(__name__)
Frame = npt.NDArray[Any]
OnFrame = Callable[[Frame | None, FrameTag], None]
Pending = list[tuple[Frame | None, FrameTag]]


class FrameSink(Protocol):
    """What records; an error of its ends the run."""

    def append(self, frame: Frame, tag: FrameTag) -> None:
        """Take a frame."""

    def mark_missing(self, tag: FrameTag) -> None:
        """Take note of a frame that will not come."""


class Delivery:
    """Hands each frame on. With pattern checks the recorder gets a series when it is whole, flags and all."""

    def __init__(
        self,
        sink: FrameSink | None,
        on_frame: OnFrame | None,
        checks: Mapping[int, PatternCheck],
        frames_per_series: int,
        warn: Callable[[str], None],
    ) -> None:
        """Take the receivers.

        Args:
            sink: the recorder; its errors end the run.
            on_frame: the processing; must not wait. If it raises it gets no more frames, and that is told once.
            checks: pattern checks by channel index.
            frames_per_series: raw frames of one series.
            warn: told what the user should know.
        """
        self.sink, self._on_frame, self._checks, self._warn = sink, on_frame, checks, warn
        self._per_series = frames_per_series
        self._pending: Pending = []
        self.wrong_patterns = 0
        """Frames flagged WRONG_PATTERN."""
        self.unjudged = 0
        """Series too dark for the check."""
        self.processing_error: Exception | None = None

    def __call__(self, frame: Frame | None, tag: FrameTag) -> None:
        """Deliver a frame, or a hole."""
        if tag.channel not in self._checks:
            self._record(frame, tag)
        else:
            if self._pending and _series(self._pending[0][1]) != _series(tag):
                self.flush()
            self._pending.append((frame, tag))
            if len(self._pending) == self._per_series:
                self._check(self._checks[tag.channel])
                self.flush()
        self._process(frame, tag)

    def flush(self) -> None:
        """Record what waits for the rest of its series."""
        pending, self._pending = self._pending, []
        for frame, tag in pending:
            self._record(frame, tag)

    def _check(self, check: PatternCheck) -> None:
        rows: dict[int, dict[int, Frame]] = {}
        for frame, tag in self._pending:
            if frame is None:
                return  # not whole: it will not be reconstructed anyway
            rows.setdefault(tag.angle, {})[tag.phase] = frame
        verdict = check.judge([[row[p] for p in sorted(row)] for _, row in sorted(rows.items())])
        self.unjudged += not verdict.judged
        if not verdict.wrong:
            return
        if not self.wrong_patterns:
            where = ", ".join(f"angle {a} phase {p}" for a, p in verdict.wrong)
            self._warn(
                f"SLM: wrong pattern in series {self._pending[0][1].time}: {where}. The frames are flagged; check "
                "trigger and pattern order of the SLM"
            )
        self.wrong_patterns += len(verdict.wrong)
        self._pending = [
            (frame, replace(tag, flags=tag.flags | FrameFlag.WRONG_PATTERN))
            if (tag.angle, tag.phase) in verdict.wrong
            else (frame, tag)
            for frame, tag in self._pending
        ]

    def _record(self, frame: Frame | None, tag: FrameTag) -> None:
        if self.sink is None:
            return
        if frame is None:
            self.sink.mark_missing(tag)
        else:
            self.sink.append(frame, tag)

    def _process(self, frame: Frame | None, tag: FrameTag) -> None:
        if self._on_frame is None or self.processing_error is not None:
            return
        try:
            self._on_frame(frame, tag)
        except Exception as error:  # whatever the processing does, the recording goes on
            self.processing_error = error
            _LOG.exception("processing failed")
            self._warn(f"processing failed at {tag}: {error}; it gets no more frames, the recording goes on")


def _series(tag: FrameTag) -> tuple[int, int, int, int]:
    return (tag.time, tag.position, tag.z, tag.channel)
