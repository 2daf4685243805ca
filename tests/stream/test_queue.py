"""The queue: never waits for the consumer, drops whole series only, and says how many."""

import threading
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.files.recorder import FrameTag
from rdl_live.stream import SeriesQueue

from .conftest import tags

FRAME = np.zeros((8, 8), np.uint16)


def drain(queue: SeriesQueue, most: int = 10**6) -> list[FrameTag]:
    taken = []
    while len(taken) < most and (item := queue.take(0)) is not None:
        taken.append(item.tag)
        queue.give_back(item)
    return taken


def times(taken: list[FrameTag]) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for tag in taken:
        found[tag.time] += 1
    return dict(found)


def test_what_fits_comes_out_as_it_went_in() -> None:
    queue = SeriesQueue(9, 3)
    sent = [tag for time in range(3) for tag in tags(time)]
    for number, tag in enumerate(sent):
        queue.offer(np.full((2, 3), number, np.uint16), tag)
    got = []
    while (item := queue.take(0)) is not None:
        assert item.frame is not None
        got.append((int(item.frame[0, 0]), item.tag))
        queue.give_back(item)
    assert got == list(enumerate(sent))
    assert queue.status.dropped_series == 0


def test_the_oldest_whole_series_goes_and_the_newest_stays() -> None:
    queue = SeriesQueue(9, 2)
    for time in range(5):
        for tag in tags(time):
            queue.offer(FRAME, tag)
    assert times(drain(queue)) == {3: 9, 4: 9}
    assert queue.status.dropped_series == 3
    assert queue.status.series == 5


def test_a_series_that_is_begun_is_never_torn() -> None:
    queue = SeriesQueue(9, 1)
    first, *rest = tags(0)
    queue.offer(FRAME, first)
    assert drain(queue) == [first]
    for tag in rest:
        queue.offer(FRAME, tag)
    for time in (1, 2, 3):
        for tag in tags(time):
            queue.offer(FRAME, tag)
    assert times(drain(queue)) == {0: 8, 3: 9}


def test_late_frames_of_a_dropped_series_are_not_let_in() -> None:
    queue = SeriesQueue(9, 1)
    for tag in tags(0)[:5]:
        queue.offer(FRAME, tag)
    queue.offer(FRAME, tags(1)[0])  # drops series 0
    for tag in tags(0)[5:]:
        queue.offer(FRAME, tag)
    assert times(drain(queue)) == {1: 1}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.integers(1, 3))
def test_every_series_comes_whole_or_not_at_all(consumed: list[int], capacity: int) -> None:
    """The consumer takes any number of frames between any two series."""
    queue = SeriesQueue(9, capacity)
    taken: list[FrameTag] = []
    for time, count in enumerate(consumed):
        for tag in tags(time):
            queue.offer(FRAME, tag)
        taken += drain(queue, count)
    taken += drain(queue)
    found = times(taken)
    assert set(found.values()) == {9}
    assert len(found) + queue.status.dropped_series == len(consumed)
    assert len(consumed) - 1 in found
    assert queue.status.buffers <= 9 * (capacity + 2)


def test_memory_is_bounded_without_any_consumer() -> None:
    queue = SeriesQueue(9, 3)
    for time in range(300):
        for tag in tags(time):
            queue.offer(FRAME, tag)
    status = queue.status
    assert (status.waiting_frames, status.waiting_series, status.dropped_series) == (27, 3, 297)
    assert status.buffers <= 36


def test_an_endless_series_is_bounded_too() -> None:
    queue = SeriesQueue(9, 1)
    for _ in range(1000):
        queue.offer(FRAME, tags(0)[0])
    assert queue.status.waiting_frames <= 18


def test_a_frame_is_copied_and_a_missing_one_passes() -> None:
    queue = SeriesQueue(9)
    frame = np.ones((2, 2), np.uint16)
    queue.offer(frame, tags(0)[0])
    queue.offer(None, tags(0)[1])
    frame[:] = 7
    first, second = queue.take(0), queue.take(0)
    assert first is not None
    assert first.frame is not None
    assert first.frame.max() == 1
    assert second is not None
    assert second.frame is None


def test_closing_wakes_the_consumer_and_lets_it_finish() -> None:
    queue = SeriesQueue(9)
    queue.offer(FRAME, tags(0)[0])
    threading.Timer(0.05, queue.close).start()
    assert queue.take(5) is not None
    assert queue.take(5) is None
    assert queue.finished
    queue.offer(FRAME, tags(0)[1])
    assert queue.take(0) is None


def test_discarding_counts() -> None:
    queue = SeriesQueue(9)
    for time in (0, 1):
        for tag in tags(time):
            queue.offer(FRAME, tag)
    queue.discard()
    assert queue.finished
    assert queue.status.dropped_series == 2


def test_a_queue_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one series"):
        SeriesQueue(9, 0)
