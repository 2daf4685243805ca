"""Series that fail and that the plan goes on without (`on_error: skip`): which they are, and when it is too much."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rdl_live.acquire.events import Shot
from rdl_live.acquire.plan import Plan
from rdl_live.acquire.progress import Skipped
from rdl_live.errors import DeviceError
from rdl_live.files.recorder.tags import SeriesKey

LEAST_IN_A_ROW = 3
"""So many series in a row, and those of a whole time point, are no accident any more: the run ends."""


class Skipping:
    """The skipped series of one run. Belongs to the acquisition's thread, but for `skipped`, which only grows."""

    def __init__(self, plan: Callable[[], Plan] | None) -> None:
        """Skip what fails as the plan of the moment says; None: never."""
        self._plan = plan
        self.skipped: list[Skipped] = []
        self.failed: DeviceError | None = None
        """Why the event that is due could not be made ready."""
        self._in_a_row = 0
        self._told: set[tuple[int, str, str]] = set()
        self._lost: dict[tuple[int, int], DeviceError] = {}
        """Positions of the time point that could not be reached."""

    @property
    def wanted(self) -> bool:
        """Whether a series that fails is to be skipped."""
        return self._plan is not None and self._plan().on_error == "skip"

    def take_failed(self) -> DeviceError | None:
        """Return why the event that is due could not be made ready, and forget it."""
        error, self.failed = self.failed, None
        return error

    def check(self, shot: Shot) -> None:
        """Raise DeviceError for what has failed already: the rest of a series, a position in its time point."""
        series = shot.series
        error = self._lost.get((series.time, series.position))
        if error is None and self.skipped and self.skipped[-1].series == series:
            error = DeviceError(self.skipped[-1].why)
        if error is not None:
            raise error

    @contextmanager
    def moving(self, shot: Shot) -> Iterator[None]:
        """Keep in mind a position that is not reached within the block: its other series need not try."""
        try:
            yield
        except DeviceError as error:
            self._lost = {(shot.series.time, shot.series.position): error}
            raise

    def add(self, shot: Shot, error: DeviceError) -> str:
        """Note a series that failed, once; return what to tell the user, "" where it was reported before.

        Raises:
            DeviceError: too many in a row failed.
        """
        if self.skipped and self.skipped[-1].series == shot.series:
            return ""
        assert self._plan is not None
        plan = self._plan()
        one = Skipped(shot.series, _place(plan, shot.series), shot.channel, str(error))
        self.skipped.append(one)
        self._in_a_row += 1
        if self._in_a_row >= max(LEAST_IN_A_ROW, plan.series_per_time_point):
            raise DeviceError(f"{self._in_a_row} series in a row failed, which on_error: skip does not cover; {error}")
        key = (shot.series.position, shot.channel, one.why)
        if key in self._told:
            return ""
        self._told.add(key)
        return f"{one.where}: skipped, the plan goes on (on_error: skip): {error}"

    def succeeded(self) -> None:
        """Note that a series was taken."""
        self._in_a_row = 0


def _place(plan: Plan, series: SeriesKey) -> str:
    if not plan.positions:
        return ""
    return plan.positions[series.position].name or str(series.position)
