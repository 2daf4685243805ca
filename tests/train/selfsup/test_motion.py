"""Motion is measured on noisy frames, and decides on the scheme."""

import math

import pytest

from rdl_live.train.recordings.motion import measure_motion
from rdl_live.train.recordings.settings import Scheme

from .conftest import MakeFilm


@pytest.mark.parametrize("speed", [0.0, 0.03, 0.1])
def test_motion_is_measured_at_five_photons(make_film: MakeFilm, speed: float) -> None:
    motion = measure_motion(make_film(speed=speed, size=96, times=8))
    assert motion is not None
    expected = 1e3 * speed / math.sqrt(2)  # each way, in the 1 s from one time point to the next
    assert motion.per_point_nm == pytest.approx(expected, rel=0.35, abs=8)


def test_the_scheme_follows_and_is_explained(make_film: MakeFilm) -> None:
    still, quick = (measure_motion(make_film(speed=speed, size=96, times=8)) for speed in (0.0, 0.1))
    assert still is not None
    assert quick is not None
    assert (still.scheme, still.reach) == (Scheme.TIS, 7)
    assert (quick.scheme, quick.reach) == (Scheme.SPLIT, 1)
    assert "tis" in still.words
    assert "photon splitting" in quick.words
    assert f"{quick.per_point_nm:.0f} nm" in quick.words


def test_a_single_time_point_has_no_motion(make_film: MakeFilm) -> None:
    assert measure_motion(make_film(times=1)) is None
