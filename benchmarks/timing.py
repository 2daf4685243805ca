"""Times of several jobs, measured turn by turn so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Job = Callable[[], object]

PAUSE_S = 0.01
"""Rest before each measurement: OpenMP threads spin for a while after their work, in the next one's way."""


@dataclass(frozen=True)
class Timing:
    """Times of one job [ms]."""

    median_ms: float
    least_ms: float


def interleaved(jobs: Mapping[str, Job], repeats: int, *, warm: int = 1) -> dict[str, Timing]:
    """Run every job `warm` times unmeasured, then `repeats` rounds of A B C A B C ...

    Raises:
        ValueError: repeats below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    for _ in range(warm):
        for job in jobs.values():
            job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing(1e3 * statistics.median(found), 1e3 * min(found)) for name, found in seconds.items()}


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of so many calls [ms], after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)
