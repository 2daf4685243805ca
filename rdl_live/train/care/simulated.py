"""Simulated pairs: tubes and granules under a light sheet or a confocal, dim and without noise."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdl_live.train.care.instruments import Optics, box_of, drawn_optics, noisy, seen
from rdl_live.train.care.settings import CareSettings, SceneSettings
from rdl_live.train.care.source import Normalisation, Pair, PairSource, spans
from rdl_live.train.care.structures import STRUCTURES, Rng, drawn, uneven

HELD = 12
"""Scenes that are held out."""
MARGIN = 16
"""Pixels around a patch in which light lies that it sees."""
PLANES = 9
"""Of the box whose middle plane an image is."""
_HELD_SEED = 7_919


class SimulatedPairs(PairSource):
    """See above; every scene is new. The target is the same light without noise."""

    def __init__(self, settings: CareSettings, scenes: SceneSettings | None = None) -> None:
        """Prepare."""
        self._settings, self._scenes = settings, scenes or SceneSettings()

    @cached_property
    def normalisation(self) -> Normalisation:
        """In units of each scene's mean: any amount of light."""
        settings = self._settings
        return spans(self.held, settings.low_percentile, settings.high_percentile, relative=True)

    @cached_property
    def held(self) -> Sequence[Pair]:
        """Scenes of other seeds."""
        seeds = [np.random.default_rng([self._settings.seed, _HELD_SEED, number]) for number in range(HELD)]
        return [self.patch(rng) for rng in seeds]

    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a new scene."""
        scenes, shape = self._scenes, self._settings.patch_shape
        optics = drawn_optics(rng, scenes.instruments[int(rng.integers(len(scenes.instruments)))])
        expected = scene(rng, optics, shape, scenes)
        return noisy(expected, float(rng.uniform(*scenes.read_noise)), rng), expected

    def identity(self) -> Mapping[str, Any]:
        """What scenes are like."""
        return {"scenes": self._scenes.model_dump(mode="json")}


def scene(rng: Rng, optics: Optics, shape: Sequence[int], scenes: SceneSettings) -> Tensor:
    """Return a scene without noise [photons], (z,) y, x as `shape`."""
    planes = shape[0] + 8 if len(shape) == 3 else PLANES
    rows, columns = shape[-2] + 2 * MARGIN, shape[-1] + 2 * MARGIN
    box = box_of(optics, (planes, rows, columns))
    light = torch.zeros(box.shape)
    # A third of the scenes hold several structures.
    names = list(scenes.structures)
    kinds = names if rng.random() < 1 / 3 else [names[int(rng.integers(len(names)))]]
    for kind in kinds:
        part = drawn(*STRUCTURES[kind](rng, box), box)
        light += part / part.mean().clamp(min=1e-9) * float(rng.uniform(0.3, 1.0))
    image = seen(light, optics)
    first = 4 if len(shape) == 3 else PLANES // 2
    inner = image[first : first + (shape[0] if len(shape) == 3 else 1), MARGIN:-MARGIN, MARGIN:-MARGIN]
    glow = uneven(rng, (shape[-2], shape[-1]))
    share = float(rng.uniform(*scenes.background))
    photons = float(np.exp(rng.uniform(*np.log(scenes.photons))))
    expected = photons * ((1 - share) * inner / inner.mean().clamp(min=1e-6) + share * glow)
    return expected.reshape(tuple(shape)).contiguous()
