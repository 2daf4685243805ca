"""A raw recording: series after series, of one colour."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.closing import ClosedAtEnd
from rdl_live.files.frame_source import RawFile
from rdl_live.optics.microscope import Channel


class SeriesIndex(NamedTuple):
    """Which series of a recording, counted from 0."""

    time: int = 0
    plane: int = 0
    position: int = 0
    channel: int = 0


class RawRecording(ClosedAtEnd):
    """Raw series (T, angle, phase, y, x) of one colour that are read as they are asked for.

    T counts time points and, within each, planes of a z stack; positions follow one another. Not thread-safe: one
    reader, or one recording a thread.
    """

    def __init__(
        self,
        path: Path,
        raw: RawFile,
        frames: npt.NDArray[np.int64],
        notes: list[str],
        *,
        grid: tuple[int, int, int] | None = None,
        channel: Channel | None = None,
        channel_index: int = 0,
        first_position: int = 0,
        order: str = "",
        assumed: str = "",
        rest: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Wrap an open file.

        Args:
            path: the file.
            raw: its frames, and what it says of them.
            frames: which frame is which, (T, A, P).
            notes: what had to be decided in reading.
            grid: positions, time points and planes that T counts, slowest first; None: time points alone.
            channel: of the microscope file, whose light this is; None: not known.
            channel_index: number of the colour in the file.
            first_position: number in the file of the first position that is read.
            order: how the frames lie in the file, slowest axis first.
            assumed: sentence that says which channel was assumed, where nothing names it.
            rest: frames after the last series, which are no whole one (n,).
        """
        self.path = path
        self.pixel_size_um = raw.pixel_size_um
        """Pixel in the sample plane [um] as the file has it, if it does."""
        self.channel_names = list(raw.channel_names)
        self.notes = [*raw.notes, *notes]
        """What had to be decided in reading, in sentences for the user."""
        self.channel, self.order, self.assumed = channel, order, assumed
        self.positions = raw.positions
        """Names of all stage positions of the file, where it has several."""
        self._source, self._frames = raw.source, frames
        self._grid = grid or (1, len(frames), 1)
        self._rest = np.empty(0, np.int64) if rest is None else rest
        self._taken = frames.size + len(self._rest)
        self._channel_index, self._first_position = channel_index, first_position

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(T, A, P, Y, X)."""
        times, angles, phases = self._frames.shape
        rows, columns = self._source.shape
        return (times, angles, phases, rows, columns)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Positions, time points and planes."""
        return self._grid

    def index(self, number: int) -> SeriesIndex:
        """Return which time point, plane and position a series is."""
        _, times, planes = self._grid
        position, rest = divmod(number, max(times * planes, 1))
        time, plane = divmod(rest, planes)
        return SeriesIndex(time, plane, position + self._first_position, self._channel_index)

    def in_turn(self, places: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64] | None:
        """Return the numbers of all frames in the order in which they were taken, (n,).

        Args:
            places: (angle, phase) of the frames of a series in that order.

        Returns:
            None where the series of the recording do not follow each other: planes, positions, other orders.
        """
        if self._grid[0] != 1 or self._grid[2] != 1 or len(self._frames) == 0:
            return None
        numbers = np.stack([self._frames[:, angle, phase] for angle, phase in places], axis=1).reshape(-1)
        numbers = np.concatenate([numbers, self._rest])
        steps = np.diff(numbers)
        return numbers if len(set(steps.tolist())) == 1 and steps[0] > 0 else None

    def read_from(self, start: int, places: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
        """Return the series (A, P, Y, X) that begins with a frame, counted in the order in which they were taken.

        Raises:
            DataError: as `begin_series_at`.
        """
        numbers = self._numbers(places)[start : start + len(places)]
        frames = np.empty((len(places), *self._source.shape), self.dtype)
        self._source.read(numbers, frames)
        series = np.empty(self.shape[1:], self.dtype)
        for frame, place in zip(frames, places, strict=True):
            series[place] = frame
        return series

    def begin_series_at(self, starts: Sequence[int], places: Sequence[tuple[int, int]]) -> None:
        """Let series begin with other frames, counted in the order in which they were taken; see `in_turn`.

        Raises:
            DataError: the series of the recording do not follow each other.
        """
        numbers = self._numbers(places)
        frames = np.empty((len(starts), *self._frames.shape[1:]), np.int64)
        for offset, (angle, phase) in enumerate(places):
            frames[:, angle, phase] = numbers[np.asarray(starts, np.int64) + offset]
        last = int(np.flatnonzero(numbers == frames.reshape(-1).max())[0])
        self._rest = numbers[last + 1 :]
        self._frames, self._grid = frames, (1, len(frames), 1)

    def _numbers(self, places: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
        numbers = self.in_turn(places)
        if numbers is None:
            raise DataError(f"{self.path}: its series do not follow each other, so they cannot be realigned")
        return numbers

    @property
    def frames_taken(self) -> int:
        """All frames of the file, those of no whole series included."""
        return self._taken

    @property
    def rest(self) -> int:
        """Frames after the last series, which are no whole one."""
        return len(self._rest)

    @property
    def corner(self) -> tuple[int, int] | None:
        """(y, x) of a frame's first pixel on the camera's chip; None where the file does not tell."""
        return None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the values, in native byte order."""
        return self._source.dtype

    @property
    def saturation(self) -> float | None:
        """Largest value of the file's integer type [ADU]; None for floating-point data."""
        return float(np.iinfo(self.dtype).max) if self.dtype.kind in "iu" else None

    def __len__(self) -> int:
        """Return the number of time points T."""
        return int(self._frames.shape[0])

    def __getitem__(self, time: int) -> npt.NDArray[Any]:
        """Return the series (A, P, Y, X) of one time point; negative ones count from the end."""
        time = time + len(self) if time < 0 else time
        series: npt.NDArray[Any] = self.read(time, time + 1)[0]
        return series

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Return the series (t, A, P, Y, X) of the time points start <= t < stop, as the camera gave them.

        Raises:
            IndexError: time points that the recording does not have.
            DataError: the file cannot be decoded, or was cut since it was opened.
        """
        stop = len(self) if stop is None else stop
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"time points {start} to {stop} of a recording of {len(self)}")
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        if stop > start:
            self._source.read(self._frames[start:stop].reshape(-1), out.reshape(-1, *self._source.shape))
        return out

    def close(self) -> None:
        """Close the file."""
        self._source.close()
