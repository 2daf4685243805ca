"""Stacks with named axes are read as series in every way that fits them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.errors import DataError
from rdl_live.files.raw import _one_colour
from rdl_live.files.readings import Reading, as_series, readings, said_order
from rdl_live.files.stack import Axis, Stack
from rdl_live.optics.microscope import PatternGeometry, SeriesOrder

T, Z, C, A, P, F = Axis.TIME, Axis.Z, Axis.CHANNEL, Axis.ANGLE, Axis.PHASE, Axis.FRAME
ORDERS = st.sampled_from(list(SeriesOrder))


def geometry(angles: int = 3, phases: int = 3, order: SeriesOrder = SeriesOrder.ANGLE_PHASE) -> PatternGeometry:
    return PatternGeometry(angles=angles, phases=phases, order=order)


def ways(
    axes: tuple[Axis, ...],
    sizes: tuple[int, ...],
    shape: PatternGeometry | None = None,
    channel: int | None = None,
    planes: int | None = None,
) -> tuple[list[Reading], list[str]]:
    shape = shape or geometry()
    stack, notes = _one_colour(Stack.in_order(axes, sizes), shape, channel)
    return readings(stack, shape, planes), notes


def fold(
    axes: tuple[Axis, ...],
    sizes: tuple[int, ...],
    shape: PatternGeometry | None = None,
    channel: int | None = None,
) -> tuple[np.ndarray, list[str]]:
    found, notes = ways(axes, sizes, shape, channel)
    return as_series(found[0].frames), notes


@given(times=st.integers(1, 4), angles=st.integers(1, 6), phases=st.integers(3, 7), order=ORDERS)
def test_a_plain_stack_runs_in_the_order_of_the_geometry(
    times: int, angles: int, phases: int, order: SeriesOrder
) -> None:
    frames, notes = fold((F,), (times * angles * phases,), geometry(angles, phases, order))
    assert frames.shape == (times, angles, phases)
    for t, a, p in np.ndindex(frames.shape):
        within = a * phases + p if order is SeriesOrder.ANGLE_PHASE else p * angles + a
        assert frames[t, a, p] == t * angles * phases + within
    assert not notes


def test_a_film_of_many_time_points() -> None:
    frames, _ = fold((F,), (9 * 300,))
    assert frames.shape == (300, 3, 3)
    assert frames[299, 2, 2] == 2699


@given(axes=st.permutations([T, A, P]), order=ORDERS)
def test_named_axes_rule_over_the_order(axes: list[Axis], order: SeriesOrder) -> None:
    sizes = {T: 4, A: 3, P: 5}
    frames, notes = fold(tuple(axes), tuple(sizes[a] for a in axes), geometry(3, 5, order))
    expected = np.arange(60).reshape([sizes[a] for a in axes]).transpose([axes.index(a) for a in (T, A, P)])
    np.testing.assert_array_equal(frames, expected)
    assert not notes


@pytest.mark.parametrize("named", [A, P])
@pytest.mark.parametrize("first", [True, False])
def test_one_named_axis_leaves_the_other_to_the_rest(named: Axis, first: bool) -> None:
    shape = geometry(3, 5)
    own, other = (3, 5) if named is A else (5, 3)
    axes, sizes = ((named, F), (own, other)) if first else ((F, named), (other, own))
    frames, _ = fold(axes, sizes, shape)
    numbers = np.arange(15).reshape(sizes)
    expected = numbers if (named is A) == first else numbers.T
    np.testing.assert_array_equal(frames, expected[None])


CASES = {
    "imagej slices": ((T, Z, C), (1, 9, 1), None, (1, 9), ()),
    "time-lapse of slices": ((T, Z, C), (4, 9, 1), None, (4, 9), ()),
    "frames over time": ((T, Z, C), (18, 1, 1), None, (2, 9), ()),
    "two series a time point": ((T, Z, C), (2, 18, 1), None, (4, 9), ()),
    "angles in time, phases in z": ((T, Z, C), (3, 3, 1), None, (1, 9), ()),
    "patterns in channels": ((T, Z, C), (4, 1, 9), None, (4, 9), ("channels are taken",)),
    "phases in channels, angles in z": ((T, Z, C), (2, 3, 3), None, (2, 9), ("channels are taken",)),
    "first colour": ((T, Z, C), (9, 1, 2), None, (1, 9), ("channel 0 of 2",)),
    "chosen colour": ((T, Z, C), (9, 1, 2), 1, (1, 9), ()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hyperstacks(case: tuple) -> None:
    axes, sizes, channel, (times, n), says = case
    frames, notes = fold(axes, sizes, channel=channel)
    assert frames.shape == (times, 3, 3)
    assert len(notes) == len(says)
    assert all(words in note for words, note in zip(says, notes, strict=True))
    used = frames.reshape(-1)
    assert len(set(used.tolist())) == times * n
    if channel is not None or sizes[2] == 2:
        assert set(used % sizes[2]) == {channel or 0}
    else:
        np.testing.assert_array_equal(used, np.arange(times * n))


def test_z_planes_of_patterns_over_time_are_planes() -> None:
    (reading, *_), _ = ways((T, Z), (9, 4))
    assert reading.frames.shape == (1, 1, 4, 3, 3)
    assert reading.words == "angle-phase-z"
    np.testing.assert_array_equal(reading.frames.reshape(4, 9), np.arange(36).reshape(9, 4).T)


@given(order=st.permutations(["angle", "phase", "z", "time"]), planes=st.integers(2, 4), times=st.integers(2, 4))
def test_every_order_of_four_axes_can_be_said(order: list[str], planes: int, times: int) -> None:
    sizes = {"angle": 3, "phase": 5, "z": planes, "time": times}
    stack = Stack.in_order((F,), (15 * planes * times,))
    found = said_order(readings(stack, geometry(3, 5), planes), stack, "-".join(order))
    numbers = np.arange(15 * planes * times).reshape([sizes[one] for one in order])
    right = numbers.transpose([order.index(one) for one in ("time", "z", "angle", "phase")])
    assert any(one.frames[0].shape == right.shape and (one.frames[0] == right).all() for one in found)


@given(order=st.permutations(["angle", "phase", "z"]), planes=st.integers(1, 6))
def test_every_order_of_three_axes_says_all(order: list[str], planes: int) -> None:
    sizes = {"angle": 3, "phase": 5, "z": planes}
    stack = Stack.in_order((F,), (15 * planes,))
    (reading,) = said_order(readings(stack, geometry(3, 5)), stack, "-".join(order))
    numbers = np.arange(15 * planes).reshape([sizes[one] for one in order])
    right = numbers.transpose([order.index(one) for one in ("z", "angle", "phase")])
    np.testing.assert_array_equal(as_series(reading.frames), right)


def test_positions_are_kept_apart() -> None:
    (reading, *_), _ = ways((T, Axis.POSITION, F), (2, 3, 9))
    assert reading.frames.shape == (3, 2, 1, 3, 3)
    np.testing.assert_array_equal(reading.frames[1, 1].reshape(-1), 36 + np.arange(9))


def test_what_the_file_names_is_not_overruled() -> None:
    stack = Stack.in_order((P, A), (5, 3))
    with pytest.raises(DataError, match="order is said to be angle-phase, but the file names its axes phase 5 x angle"):
        said_order(readings(stack, geometry(3, 5)), stack, "angle-phase")


REFUSED = {
    "one frame": ((F,), (1,), None, "single image: .* 9 frames, so the nearest whole count is 9"),
    "none": ((F,), (0,), None, "no frames"),
    "ten": (
        (F,),
        (10,),
        None,
        "has 10 frames.*pattern.angles 3 x pattern.phases 3 = 9.*nearest whole count is 9 or 18",
    ),
    "hyperstack": ((T, Z), (4, 4), None, "has 16 frames"),
    "wrong angles": ((A, P), (5, 3), None, r"5 angles \(pattern.angles says 3\)"),
    "one angle": ((T, A, P), (9, 1, 3), None, r"1 angles \(pattern.angles says 3\)"),
    "both wrong": ((A, P), (5, 4), None, "5 angles .* and 4 phases"),
    "ambiguous channels": ((T, Z, C), (9, 1, 9), None, "along the channels or along the other"),
    "one named, rest loose": ((F, P), (4, 3), None, "12 frames"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refuses(case: tuple) -> None:
    axes, sizes, channel, says = case
    with pytest.raises(DataError, match=says):
        fold(axes, sizes, channel=channel)
