"""From frames to whole series, by their tags alone: never by the order in which they come.

Frames that lie in a block of the queue's already are left there; others are copied into buffers that are made once.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rdl_live.files.recorder import FrameFlag, FrameTag
from rdl_live.stream.series import Frame, Refusal, RefusedSeries, Series, SeriesKey

REMEMBERED = 64
"""Series of which it is remembered that they are over."""

OnRefused = Callable[[RefusedSeries], None]


@dataclass
class _Open:
    """A series that is being filled."""

    frames: Frame
    filled: npt.NDArray[np.bool_]
    borrowed: bool
    """Whether its memory is a block of somebody else's."""
    pattern_ids: dict[int, tuple[int, int]] = field(default_factory=dict)
    exposed_s: float | None = None
    arrived_s: float = 0.0
    flags: FrameFlag = FrameFlag.NONE


class Assembler:
    """Collects frames into series. Belongs to one thread.

    A series that lacks a frame when later ones push it out, or that holds a frame twice, is refused and reported;
    the series around it are not touched.
    """

    def __init__(
        self,
        counts: tuple[int, int],
        shape: tuple[int, int],
        *,
        dtype: npt.DTypeLike = np.uint16,
        open_series: int = 2,
        on_refused: OnRefused = lambda _: None,
        on_frame: Callable[[Frame, tuple[int, int]], None] = lambda *_: None,
    ) -> None:
        """Prepare.

        Args:
            counts: frames of a series, orientations A and phase steps P.
            shape: (y, x) of a frame.
            dtype: of the camera's pixels.
            open_series: series that may be incomplete at a time; beyond it the oldest is refused.
            on_refused: called with each refused series, once.
            on_frame: called with each frame in its place: its series' memory, and (angle, phase).
        """
        self._slots, self._shape, self._dtype = counts, shape, np.dtype(dtype)
        self._on_refused = on_refused
        self._on_frame = on_frame
        self._spare: list[Frame] = []
        self._lent: tuple[SeriesKey, _Open] | None = None
        self._released: list[SeriesKey] = []
        self._open: OrderedDict[SeriesKey, _Open] = OrderedDict()
        self._limit = open_series
        self._over: OrderedDict[SeriesKey, bool] = OrderedDict()
        """Series that are over, and whether they were refused."""

    def add(
        self, frame: Frame | None, tag: FrameTag, arrived_s: float = 0.0, block: Frame | None = None
    ) -> Series | None:
        """Take a frame (y, x) [ADU], or None for one that is missing; return the series that it completes.

        Args:
            frame: copied, unless there is a block.
            tag: where it belongs.
            arrived_s: when it arrived, by `time.perf_counter` [s].
            block: memory (angle, phase, y, x) of the series in which the frame lies already; it is in use until
                `released` names the series.
        """
        self.take_back()
        key, slot = tag.series, (tag.angle, tag.phase)
        if key in self._over:
            if not self._over[key]:
                self._refuse(key, Refusal.OVER_COMPLETE, slot)
            return None
        refusal = self._refusal(frame, tag)
        if refusal is None:
            opened = self._opened(key, block)
            if opened.filled[slot]:
                refusal = Refusal.OVER_COMPLETE
            elif tag.pattern_id is not None and opened.pattern_ids.setdefault(tag.pattern_id, slot) != slot:
                # Two places with one pattern: the SLM did not step.
                refusal = Refusal.WRONG_PATTERN
        if refusal is not None or frame is None:
            self._refuse(key, refusal or Refusal.MISSING, slot)
            return None
        if not opened.borrowed:
            opened.frames[slot] = frame
        self._on_frame(opened.frames, slot)
        opened.filled[slot] = True
        opened.flags |= tag.flags
        opened.arrived_s = max(opened.arrived_s, arrived_s)
        if tag.timestamp_s is not None:
            opened.exposed_s = max(tag.timestamp_s, opened.exposed_s or tag.timestamp_s)
        return self._finished(key) if opened.filled.all() else None

    def flush(self) -> None:
        """Refuse what is incomplete: nothing more will come."""
        self.take_back()
        for key in list(self._open):
            self._refuse_incomplete(key)

    def _refusal(self, frame: Frame | None, tag: FrameTag) -> Refusal | None:
        if tag.flags & FrameFlag.WRONG_PATTERN:  # also where only the verdict comes, after its frame
            return Refusal.WRONG_PATTERN
        if frame is None or tag.flags & FrameFlag.MISSING:
            return Refusal.MISSING
        fits = frame.shape == self._shape and frame.dtype == self._dtype
        if not fits or tag.angle >= self._slots[0] or tag.phase >= self._slots[1]:
            return Refusal.UNFIT
        return None

    def released(self) -> tuple[SeriesKey, ...]:
        """Return the series that are over since the last call: their blocks are not needed any more."""
        released, self._released = tuple(self._released), []
        return released

    def take_back(self) -> None:
        """Take back the memory of the series that was given out last."""
        if self._lent is not None:
            self._put_away(*self._lent)
            self._lent = None

    def _opened(self, key: SeriesKey, block: Frame | None) -> _Open:
        if key not in self._open:
            if len(self._open) >= self._limit:
                self._refuse_incomplete(next(iter(self._open)))
            frames = self._buffer() if block is None else block
            self._open[key] = _Open(frames, np.zeros(self._slots, np.bool_), block is not None)
        return self._open[key]

    def _buffer(self) -> Frame:
        return self._spare.pop() if self._spare else np.zeros((*self._slots, *self._shape), self._dtype)

    def _put_away(self, key: SeriesKey, opened: _Open | None) -> None:
        if opened is not None and not opened.borrowed:
            self._spare.append(opened.frames)
        self._released.append(key)

    def _finished(self, key: SeriesKey) -> Series:
        opened = self._open.pop(key)
        self._lent = (key, opened)
        self._remember(key, refused=False)
        return Series(key, opened.frames, opened.exposed_s, opened.arrived_s, opened.flags)

    def _refuse_incomplete(self, key: SeriesKey) -> None:
        slots = np.argwhere(~self._open[key].filled).tolist()
        self._refuse(key, Refusal.INCOMPLETE, *((a, p) for a, p in slots))

    def _refuse(self, key: SeriesKey, refusal: Refusal, *slots: tuple[int, int]) -> None:
        self._put_away(key, self._open.pop(key, None))
        self._remember(key, refused=True)
        self._on_refused(RefusedSeries(key, refusal, slots))

    def _remember(self, key: SeriesKey, *, refused: bool) -> None:
        self._over[key] = refused
        self._over.move_to_end(key)
        if len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
