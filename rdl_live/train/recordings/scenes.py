"""Simulated scenes as this microscope would record them: what was learnt of them is rehearsed, not forgotten."""

import numpy as np

from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.settings import SelfSupSettings
from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
from rdl_models import Span

_AROUND = 0.02
"""Relative width of what is known well."""
_LARGEST_NA = 1.5
"""Scenes are simulated with oil."""
_LIGHT = 2.0
"""Scenes are up to so many times dimmer or brighter than the recordings."""


def scene_settings(moments: Moments, settings: SelfSupSettings) -> TrainSettings:
    """Return what simulated scenes are drawn from, for the microscope and the light of the recordings."""
    film = moments.learnt[0].film
    na = film.scope.optics.na
    light = np.mean([float(film.photons(time).mean()) for time in range(0, len(film), max(1, len(film) // 4))])
    scenes = SceneSettings(
        size=min(settings.tile, *film.shape),
        na=Span(low=min(na, _LARGEST_NA) * (1 - _AROUND), high=min(na, _LARGEST_NA)),
        pixel_size_um=_around(film.scope.optics.pixel_size_um),
        emission_nm=_around(film.channel.emission_nm),
        photons=Span(low=max(0.2, float(light) / _LIGHT), high=max(0.4, float(light) * _LIGHT)),
        read_noise_e=_around(film.read_noise_e),
        angles=(film.scope.pattern.angles,),
        phases=(film.scope.pattern.phases,),
    )
    few = {"window": 64, "reuse": 8, "batch": settings.batch, "workers": settings.workers, "seed": settings.seed}
    return TrainSettings.model_validate({**few, "scenes": scenes})


def _around(value: float) -> Span:
    return Span(low=value * (1 - _AROUND), high=value * (1 + _AROUND))
