"""The queue: never waits for the consumer, drops whole series only, and says how many."""

import threading
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.files.recorder import FrameTag
from rdl_live.stream import SeriesKey, SeriesQueue

from .conftest import tags

FRAME = np.zeros((8, 8), np.uint16)


def made(capacity: int = 3, in_hand: int = 3) -> SeriesQueue:
    return SeriesQueue((3, 3, *FRAME.shape), capacity, in_hand=in_hand)


def drain(queue: SeriesQueue, most: int = 10**6) -> list[FrameTag]:
    """Take frames, and release each series with its last one."""
    taken = []
    while len(taken) < most and (item := queue.take(0)) is not None:
        taken.append(item.tag)
        if (item.tag.angle, item.tag.phase) == (2, 2):
            queue.release([item.tag.series])
    return taken


def times(taken: list[FrameTag]) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for tag in taken:
        found[tag.time] += 1
    return dict(found)


def test_what_fits_comes_out_as_it_went_in() -> None:
    queue = made()
    sent = [tag for time in range(3) for tag in tags(time)]
    for number, tag in enumerate(sent):
        queue.offer(np.full_like(FRAME, number), tag, float(number))
    got = []
    while (item := queue.take(0)) is not None:
        frame = queue.frame(item)
        assert frame is not None
        assert item.block is not None
        assert np.shares_memory(frame, queue.blocks[item.block])
        got.append((int(frame[0, 0]), item.tag))
        assert item.arrived_s == len(got) - 1
    assert got == list(enumerate(sent))
    assert queue.status.dropped_series == 0


def test_the_oldest_whole_series_goes_and_the_newest_stays() -> None:
    queue = made(2)
    for time in range(5):
        for tag in tags(time):
            queue.offer(FRAME, tag, 0.0)
    assert times(drain(queue)) == {3: 9, 4: 9}
    assert queue.status.dropped_series == 3
    assert queue.status.series == 5


def test_a_series_that_is_begun_is_never_torn() -> None:
    queue = made(1)
    first, *rest = tags(0)
    queue.offer(FRAME, first, 0.0)
    assert drain(queue) == [first]
    for tag in rest:
        queue.offer(FRAME, tag, 0.0)
    for time in (1, 2, 3):
        for tag in tags(time):
            queue.offer(FRAME, tag, 0.0)
    assert times(drain(queue)) == {0: 8, 3: 9}


def test_late_frames_of_a_dropped_series_are_not_let_in() -> None:
    queue = made(1)
    for tag in tags(0)[:5]:
        queue.offer(FRAME, tag, 0.0)
    queue.offer(FRAME, tags(1)[0], 0.0)  # drops series 0
    for tag in tags(0)[5:]:
        queue.offer(FRAME, tag, 0.0)
    assert times(drain(queue)) == {1: 1}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.integers(1, 3))
def test_every_series_comes_whole_or_not_at_all(consumed: list[int], capacity: int) -> None:
    """The consumer takes any number of frames between any two series."""
    queue = made(capacity)
    taken: list[FrameTag] = []
    for time, count in enumerate(consumed):
        for tag in tags(time):
            queue.offer(FRAME, tag, 0.0)
        taken += drain(queue, count)
    taken += drain(queue)
    found = times(taken)
    assert set(found.values()) == {9}
    assert len(found) + queue.status.dropped_series == len(consumed)
    assert len(consumed) - 1 in found
    assert queue.status.blocks == capacity + 3


def test_memory_is_bounded_without_any_consumer() -> None:
    queue = made(3)
    for time in range(300):
        for tag in tags(time):
            queue.offer(FRAME, tag, 0.0)
    status = queue.status
    assert (status.waiting_frames, status.waiting_series, status.dropped_series) == (27, 3, 297)
    assert status.blocks == 6


def test_an_endless_series_is_bounded_too() -> None:
    queue = made(1)
    for _ in range(1000):
        queue.offer(FRAME, tags(0)[0], 0.0)
    assert queue.status.waiting_frames <= 18


def test_a_frame_is_copied_and_a_missing_one_passes() -> None:
    queue = made()
    frame = np.ones_like(FRAME)
    queue.offer(frame, tags(0)[0], 0.0)
    queue.offer(None, tags(0)[1], 0.0)
    frame[:] = 7
    first, second = queue.take(0), queue.take(0)
    assert first is not None
    kept = queue.frame(first)
    assert kept is not None
    assert kept.max() == 1
    assert second is not None
    assert queue.frame(second) is None


def test_a_frame_that_comes_twice_changes_no_pixel() -> None:
    queue = made()
    queue.offer(np.ones_like(FRAME), tags(0)[0], 0.0)
    queue.offer(np.full_like(FRAME, 7), tags(0)[0], 0.0)
    first, second = queue.take(0), queue.take(0)
    assert first is not None
    assert second is not None
    kept = queue.frame(first)
    assert kept is not None
    assert kept.max() == 1
    assert second.block == first.block  # the pipeline sees that its place is taken


@pytest.mark.parametrize(
    ("frame", "tag"),
    [
        (np.zeros((8, 9), np.uint16), FrameTag(0)),
        (np.zeros((8, 8), np.uint8), FrameTag(0)),
        (FRAME, FrameTag(0, 3, 0)),
        (FRAME, FrameTag(0, 0, 3)),
    ],
)
def test_what_does_not_fit_is_passed_on_as_such(frame: np.ndarray, tag: FrameTag) -> None:
    queue = made()
    queue.offer(frame, tag, 0.0)
    item = queue.take(0)
    assert item is not None
    assert not item.fits
    assert (item.block, np.size(queue.frame(item))) == (None, 0)


def test_a_consumer_that_releases_nothing_drops_whole_series_and_stops_nobody() -> None:
    queue = made(1, in_hand=1)
    for time in range(10):
        for tag in tags(time):
            queue.offer(FRAME, tag, 0.0)
        queue.take(0)  # begins each, and never ends it
    assert queue.status.dropped_series == 8
    queue.release([SeriesKey(0, 0, 0, 0)])
    for tag in tags(10):
        queue.offer(FRAME, tag, 0.0)
    assert queue.status.dropped_series == 8


def test_a_block_that_is_used_again_is_not_taken_for_the_series_before() -> None:
    queue = made(1, in_hand=1)
    for tag in tags(0):
        queue.offer(FRAME, tag, 0.0)
    first = queue.take(0)
    assert first is not None
    queue.release([first.tag.series], lost=True)
    for tag in tags(1):
        queue.offer(np.ones_like(FRAME), tag, 0.0)
    assert first.stale
    assert queue.frame(first) is None
    assert times(drain(queue)) == {1: 9}
    queue.offer(FRAME, tags(0)[0], 0.0)  # nobody wants the rest of it
    assert queue.take(0) is None


def test_closing_wakes_the_consumer_and_lets_it_finish() -> None:
    queue = made()
    queue.offer(FRAME, tags(0)[0], 0.0)
    threading.Timer(0.05, queue.close).start()
    assert queue.take(5) is not None
    assert queue.take(5) is None
    assert queue.finished
    queue.offer(FRAME, tags(0)[1], 0.0)
    assert queue.take(0) is None


def test_discarding_counts() -> None:
    queue = made()
    for time in (0, 1):
        for tag in tags(time):
            queue.offer(FRAME, tag, 0.0)
    queue.discard()
    assert queue.finished
    assert queue.status.dropped_series == 2


def test_a_queue_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one series"):
        made(0)
