"""Scenes for rehearsal look like the recordings: any microscope's can be simulated."""

import pytest

from rdl_live.optics import Optics
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.settings import SelfSupSettings
from rdl_live.train.retraining import scene_settings
from rdl_live.train.simulated.scene import make_scene

from .conftest import SCOPE, MakeFilm


@pytest.mark.parametrize(("na", "pixel_um", "index"), [(1.49, 0.065, 1.518), (1.1, 0.08, 1.333), (1.7, 0.06, 1.78)])
def test_scenes_of_any_microscope_can_be_simulated(
    make_film: MakeFilm, na: float, pixel_um: float, index: float
) -> None:
    film = make_film()
    optics = Optics(na=na, pixel_size_um=pixel_um, immersion_index=index)
    other = Film("other", SCOPE.replace(optics=optics.model_dump()), film.channel, film.patterns, film.frames)
    settings = scene_settings(Moments([other], SelfSupSettings(tile=48)), SelfSupSettings(tile=48))
    for index_ in range(6):
        scene = make_scene(1, index_, settings.scenes)
        assert all(2 < photons < 10.1 for photons in scene.photons)
    assert settings.scenes.size == 48
