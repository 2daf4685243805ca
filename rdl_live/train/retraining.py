"""Retraining on recordings, with simulated scenes in between: what was learnt of them is rehearsed, not forgotten.

The scenes are as the recordings' microscope would see them, at the recordings' light.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live.train.loop.loop import Training
from rdl_live.train.loop.rehearsal import Rehearsed
from rdl_live.train.loop.task import TrainingTask
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.run import Result, learn
from rdl_live.train.recordings.settings import SelfSupSettings
from rdl_live.train.recordings.trainer import PairTask
from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
from rdl_live.train.simulated.trainer import SimulatedTask
from rdl_live.train.simulated.unkind import UnkindSettings
from rdl_models import Network, Span

_AROUND = 0.02
"""Relative width of what is known well."""
_LARGEST_NA = 1.5
"""Scenes are simulated with oil."""
_LIGHT = 2.0
"""Scenes are up to so many times dimmer or brighter than the recordings."""


def train_on_films(films: Sequence[Film], out: Path, settings: SelfSupSettings, **how: Any) -> Result:
    """Go on training the denoiser on noisy recordings alone, rehearsing simulated scenes; see `learn`.

    Args:
        films: recordings of one microscope.
        out: weight file; checkpoint and preview are put beside it.
        settings: how.
        how: see `rdl_live.train.recordings.run.learn`.
    """
    return learn(films, out, settings, rehearse=rehearsed, **how)


def pair_training(
    network: Network,
    moments: Moments,
    device: torch.device | str = "cpu",
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    half: bool = False,
) -> Training[Any]:
    """Return the training of a network on recordings, with rehearsal; see `PairTask` and `Training`.

    Raises:
        DataError: the checkpoint to resume from is missing, damaged or of another training.
    """
    task = rehearsed(PairTask(network, moments, device, half=half))
    return Training(task, device, checkpoint=checkpoint, resume=resume)


def rehearsed(task: PairTask) -> TrainingTask[Any]:
    """Return the task with a share of its steps on simulated scenes, as its settings want it."""
    settings = task.settings
    if not settings.rehearsal:
        return task
    scenes = SimulatedTask(task.network, scene_settings(task.moments, settings), half=task.half)
    return Rehearsed(task, scenes, settings.rehearsal)


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
        # This microscope and this light are known, so that none of another kind are drawn.
        unkind=UnkindSettings(share=0.0),
    )
    few = {"window": 64, "reuse": 8, "batch": settings.batch, "workers": settings.workers, "seed": settings.seed}
    return TrainSettings.model_validate({**few, "scenes": scenes})


def _around(value: float) -> Span:
    return Span(low=value * (1 - _AROUND), high=value * (1 + _AROUND))
