"""What a recording says of itself before it is learnt from."""

import pytest

from rdl_live.train.recordings.outlook import Likely, outlook
from rdl_live.train.recordings.settings import Scheme
from rdl_models import load_weights

from .conftest import MakeFilm


def test_bright_short_and_small_recordings_promise_nothing(make_film: MakeFilm) -> None:
    network = load_weights("rdl").network
    short = outlook(make_film(photons=4.0, times=4, size=48), network, Scheme.SPLIT)
    assert (short.likely, short.smallest_gain) == (Likely.NO, None)
    assert "4 time points, 6 are needed" in short.words
    bright = outlook(make_film(photons=3000.0, times=8, size=80), network, Scheme.SPLIT)
    assert bright.likely is Likely.NO
    assert "bright" in bright.words


def test_more_of_a_recording_shows_smaller_gains(make_film: MakeFilm) -> None:
    network = load_weights("rdl").network
    few, many = (
        outlook(make_film(photons=4.0, times=times, size=size), network, Scheme.SPLIT)
        for times, size in ((6, 48), (12, 96))
    )
    assert many.smallest_gain is not None
    assert few.smallest_gain is not None
    assert 0.001 < many.smallest_gain < 0.6 * few.smallest_gain
    assert many.error == pytest.approx(0.5, abs=0.25)
    assert many.expected is not None
    assert many.likely is Likely.POSSIBLE, many.words
