"""The assembler: whole series by index, whatever the order; what is not whole is refused and told."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.files.recorder import FrameFlag, FrameTag
from rdl_live.stream import Assembler, Refusal, RefusedSeries, SeriesKey

SLOTS = [(a, p) for a in range(3) for p in range(3)]
SHAPE = (4, 5)


def content(time: int, slot: tuple[int, int]) -> np.ndarray:
    return np.full(SHAPE, 100 * time + 10 * slot[0] + slot[1], np.uint16)


def whole(time: int) -> np.ndarray:
    return np.stack([content(time, slot) for slot in SLOTS]).reshape(3, 3, *SHAPE)


class Bench:
    """An assembler, what it gave and what it refused."""

    def __init__(self, **options: int) -> None:
        self.refused: list[RefusedSeries] = []
        self.given: dict[SeriesKey, np.ndarray] = {}
        self.assembler = Assembler((3, 3), SHAPE, on_refused=self.refused.append, **options)

    def add(self, time: int, slot: tuple[int, int], flags: FrameFlag = FrameFlag.NONE, **more: int) -> None:
        tag = FrameTag(time, *slot, pattern_id=more.pop("pattern_id", 3 * slot[0] + slot[1]), flags=flags, **more)
        series = self.assembler.add(content(time, slot), tag)
        if series is not None:
            assert series.key not in self.given
            self.given[series.key] = series.frames.copy()

    @property
    def times(self) -> list[int]:
        return [key.time for key in self.given]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[tuple[int, tuple[int, int]]], dict[int, set], dict[int, set]]:
    """Frames of some series, each shuffled; some frames lost, some sent twice."""
    order, lost, twice = [], {}, {}
    for time in range(draw(st.integers(1, 6))):
        slots = draw(st.permutations(SLOTS))
        lost[time] = set(draw(st.lists(st.sampled_from(SLOTS), max_size=2)))
        twice[time] = set(draw(st.lists(st.sampled_from(SLOTS), max_size=1))) - lost[time]
        mine = [slot for slot in slots if slot not in lost[time]]
        for slot in twice[time]:
            mine.insert(draw(st.integers(0, len(mine))), slot)
        order += [(time, slot) for slot in mine]
    return order, lost, twice


@given(streams())
def test_only_whole_series_come_out_and_all_others_are_told(stream: tuple) -> None:
    order, lost, twice = stream
    bench = Bench()
    for time, slot in order:
        bench.add(time, slot)
    bench.assembler.flush()
    for key, frames in bench.given.items():
        np.testing.assert_array_equal(frames, whole(key.time))
    told = {one.key.time: one for one in bench.refused}
    assert len(told) == len(bench.refused)
    for time in lost:
        if not lost[time] and not twice[time]:
            assert time in bench.times
            assert time not in told
        elif twice[time]:
            assert told[time].refusal is Refusal.OVER_COMPLETE
        else:
            assert time not in bench.times
            assert told[time].refusal is Refusal.INCOMPLETE
            assert set(told[time].slots) == lost[time]


@given(st.permutations([(time, slot) for time in (0, 1) for slot in SLOTS]))
def test_two_series_may_be_mixed_in_any_order(order: list[tuple[int, tuple[int, int]]]) -> None:
    bench = Bench(open_series=2)
    for time, slot in order:
        bench.add(time, slot)
    assert sorted(bench.times) == [0, 1]
    assert not bench.refused


def test_a_new_series_pushes_the_oldest_open_one_out() -> None:
    bench = Bench(open_series=1)
    for slot in SLOTS[:8]:
        bench.add(0, slot)
    for slot in SLOTS:
        bench.add(1, slot)
    bench.add(0, SLOTS[8])  # too late
    assert bench.times == [1]
    assert [(one.key.time, one.refusal, one.slots) for one in bench.refused] == [(0, Refusal.INCOMPLETE, ((2, 2),))]


@pytest.mark.parametrize(
    ("flag", "refusal"), [(FrameFlag.MISSING, Refusal.MISSING), (FrameFlag.WRONG_PATTERN, Refusal.WRONG_PATTERN)]
)
def test_a_flagged_frame_refuses_its_series_only(flag: FrameFlag, refusal: Refusal) -> None:
    bench = Bench()
    for time in range(3):
        for slot in SLOTS:
            bench.add(time, slot, flag if (time, slot) == (1, (1, 1)) else FrameFlag.NONE)
    assert bench.times == [0, 2]
    assert [(one.key.time, one.refusal, one.slots) for one in bench.refused] == [(1, refusal, ((1, 1),))]
    assert "time 1" in str(bench.refused[0])
    assert "angle 1 phase 1" in str(bench.refused[0])


def test_flags_that_do_not_spoil_a_series_stay_with_it() -> None:
    refused: list[RefusedSeries] = []
    assembler = Assembler((3, 3), SHAPE, on_refused=refused.append)
    series = None
    for slot in SLOTS:
        flags = FrameFlag.SATURATED if slot == (0, 1) else FrameFlag.NONE
        series = assembler.add(
            content(0, slot), FrameTag(0, *slot, timestamp_s=1.0 + slot[0], flags=flags), 5.0 + slot[1]
        )
    assert series is not None
    assert series.flags is FrameFlag.SATURATED
    assert series.exposed_s == 3.0
    assert series.arrived_s == 7.0
    assert not refused


def test_one_pattern_in_two_places_is_a_wrong_pattern() -> None:
    bench = Bench()
    for slot in SLOTS:
        bench.add(0, slot, pattern_id=min(3 * slot[0] + slot[1], 7))
    assert [one.refusal for one in bench.refused] == [Refusal.WRONG_PATTERN]


@pytest.mark.parametrize(
    ("frame", "tag"),
    [
        (np.zeros((4, 4), np.uint16), FrameTag(0, 0, 0)),
        (np.zeros(SHAPE, np.uint8), FrameTag(0, 0, 0)),
        (np.zeros(SHAPE, np.uint16), FrameTag(0, 3, 0)),
        (np.zeros(SHAPE, np.uint16), FrameTag(0, 0, 3)),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(frame: np.ndarray, tag: FrameTag) -> None:
    refused: list[RefusedSeries] = []
    assert Assembler((3, 3), SHAPE, on_refused=refused.append).add(frame, tag) is None
    assert [one.refusal for one in refused] == [Refusal.UNFIT]


def test_colours_planes_and_positions_are_series_of_their_own() -> None:
    bench = Bench(open_series=8)
    places = [{"channel": c, "z": z, "position": p} for c in (0, 1) for z in (0, 1) for p in (0, 1)]
    for slot in SLOTS:
        for place in places:
            bench.add(4, slot, **place)
    assert len(bench.given) == 8
    assert not bench.refused


def test_memory_stays_flat() -> None:
    shape = (128, 128)
    assembler = Assembler((3, 3), shape)
    frame = np.ones(shape, np.uint16)
    tags = [[FrameTag(time, *slot) for slot in SLOTS] for time in range(60)]
    for tag in tags[0]:
        assembler.add(frame, tag)
    tracemalloc.start()
    for series in tags[1:]:
        for tag in series:
            assembler.add(frame, tag)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < frame.nbytes
