"""Traces: what goes in comes out, for as long as it fits, and drawing it leaves no peak out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.view.traces import Ring, Traces, round_range, thinned


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.integers(1, 16))
def test_a_ring_keeps_the_newest(values: list[float], size: int) -> None:
    ring = Ring(size)
    for index, value in enumerate(values):
        ring.add(float(index), value)
    at_s, kept = ring.since(-1.0)
    assert kept.tolist() == values[-size:]
    assert at_s.tolist() == list(range(len(values)))[-size:]
    assert ring.last == (values[-1] if values else None)
    assert len(ring) == min(len(values), size)


def test_since_when() -> None:
    ring = Ring(8)
    for index in range(12):
        ring.add(index, index)
    assert ring.since(9.5)[1].tolist() == [10, 11]


def test_what_is_not_known_is_a_gap() -> None:
    traces = Traces()
    traces.add(1.0, {"photons": 5.0, "mcnr": None, "modulation": math.inf})
    traces.add(0.5, {"photons": 7.0})  # a late reading of the past changes nothing
    assert traces.rings["photons"].last == 5.0
    assert traces.rings["mcnr"].last is None
    assert traces.rings["modulation"].last is None
    assert len(traces.rings["latency_ms"]) == 1
    traces.clear()
    assert len(traces.rings["photons"]) == 0


@given(st.integers(0, 3000), st.integers(1, 200), st.integers(0, 2**31))
def test_thinning_keeps_extremes(count: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count)
    at_s = np.arange(count, dtype=float)
    shown_s, shown = thinned(at_s, values, columns)
    assert len(shown) == len(shown_s) <= max(2 * columns, 0) or count <= 2 * columns
    assert (np.diff(shown_s) >= 0).all()
    if count:
        assert (shown.min(), shown.max()) == (values.min(), values.max())


def test_gaps_survive_thinning() -> None:
    values = np.ones(1000)
    values[400:600] = math.nan
    _, shown = thinned(np.arange(1000.0), values, 50)
    assert np.isnan(shown).sum() == 20


@given(st.lists(st.floats(1e-3, 1e6), min_size=1))
def test_axes_hold_all_values(values: list[float]) -> None:
    low, high = round_range(np.array(values), from_zero=True)
    assert low == 0
    assert high >= max(values) * (1 - 1e-6)
    assert high <= max(values) * 2.6
    low, high = round_range(np.array(values), from_zero=False)
    assert low <= min(values) * (1 + 1e-6)
    assert high > low


def test_an_empty_axis() -> None:
    assert round_range(np.array([math.nan]), from_zero=True) == (0.0, 1.0)
    assert round_range(np.array([0.87, 0.93]), from_zero=True) == pytest.approx((0.0, 1.0))
