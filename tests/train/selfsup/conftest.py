"""Small recordings to learn from."""

from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor

from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.recordings.film import Film

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.4, pixel_size_um=0.07),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=1.0),
)

MakeFilm = Callable[..., Film]
_TRUTHS: dict[int, Tensor] = {}


def truth_of(film: Film) -> Tensor:
    """Return the noise-free first series (A, P, y, x) of a film that `make_film` made, photons."""
    return _TRUTHS[id(film)]


@pytest.fixture(scope="session")
def make_film() -> MakeFilm:
    """Return a function (photons, speed, times, size, kind) that records a time-lapse with its true patterns."""
    made: dict[tuple[object, ...], Film] = {}

    def film(
        photons: float = 5.0, speed: float = 0.0, times: int = 10, size: int = 48, kind: str = "filaments"
    ) -> Film:
        key = (photons, speed, times, size, kind)
        if key not in made:
            recorded = simulate(
                SCOPE,
                SpecimenSettings(kind=kind, seed=4, speed_um_s=speed),
                photons=photons,
                shape=(size, size),
                time_points=times,
                seed=3,
            )
            series = list(recorded)
            frames = np.stack([one.adu.numpy() for one in series])
            made[key] = Film("film.tif", SCOPE, SCOPE.channels[0], recorded.patterns, frames)
            _TRUTHS[id(made[key])] = series[0].expected
        return made[key]

    return film
