"""Saturation is found in any number type and any time point, and nowhere else."""

import numpy as np
import pytest

from rdl_live.app.reconstruct.saturation import Saturation

SERIES = (3, 3, 40, 40)


def bright(value: float, count: int, dtype: type = np.uint16) -> np.ndarray:
    """A series of about 100 with `count` pixels of some value."""
    series = np.random.default_rng(0).integers(90, 110, SERIES).astype(dtype)
    series.reshape(-1)[:count] = value
    return series


@pytest.mark.parametrize(
    ("ceiling", "series", "warned"),
    [
        (65535.0, bright(65535, 20), True),
        (65535.0, bright(65534, 20), False),
        (255.0, bright(255, 20, np.uint8), True),
        (3000.0, bright(3000, 20), True),
        (3000.0, bright(3500, 20), True),
        (3000.0, bright(2999, 20), False),
        (65535.0, bright(4095, 20), True),
        (65535.0, bright(4096, 20), False),
        (None, bright(65535, 20, np.float32), True),
        (None, bright(1023, 20, np.float64), True),
        (None, bright(1000, 20, np.float64), False),
        (65535.0, bright(100, 20), False),
    ],
)
def test_one_series(ceiling: float | None, series: np.ndarray, warned: bool) -> None:
    saturation = Saturation(ceiling)
    saturation.add(0, series)
    found = saturation.warnings()
    assert len(found) == warned
    if warned:
        assert found[0].startswith("0.139% of the pixels are saturated:")


def test_one_pixel_at_a_round_number_is_chance() -> None:
    saturation = Saturation(65535.0)
    series = np.full((3, 3, 200, 200), 100, np.uint16)
    series[0, 0, 0, 0] = 4095
    saturation.add(0, series)
    assert saturation.warnings() == []


def test_the_worst_time_point_is_named() -> None:
    saturation = Saturation(65535.0)
    for index, count in enumerate([0, 20, 400, 0, 3]):
        saturation.add(index, bright(65535, count))
        saturation.add(index, bright(65535, 9999))  # read again: counted once
    (warning,) = saturation.warnings()
    assert "2.778% of the pixels of time point 2" in warning
    assert "2 more time points" in warning


def test_nothing_read_nothing_told() -> None:
    assert Saturation(None).warnings() == []
