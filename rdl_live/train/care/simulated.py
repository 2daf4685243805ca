"""Simulated pairs: tubes and granules under a light sheet or a confocal, dim and without noise."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from rdl_live.train.care.drawn import DrawnPairs, drawn_light, exposed
from rdl_live.train.care.instruments import Optics, box_of, drawn_optics, noisy, seen
from rdl_live.train.care.settings import CareSettings, SceneSettings
from rdl_live.train.care.source import Pair
from rdl_live.train.care.structures import Rng

MARGIN = 16
"""Pixels around a patch in which light lies that it sees."""
PLANES = 9
"""Of the box whose middle plane an image is."""


class SimulatedPairs(DrawnPairs):
    """See above; every scene is new. The target is the same light without noise."""

    def __init__(self, settings: CareSettings, scenes: SceneSettings | None = None) -> None:
        """Prepare."""
        super().__init__(settings)
        self._scenes = scenes or SceneSettings()

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
    image = seen(drawn_light(rng, box, scenes.structures), optics)
    first = 4 if len(shape) == 3 else PLANES // 2
    inner = image[first : first + (shape[0] if len(shape) == 3 else 1), MARGIN:-MARGIN, MARGIN:-MARGIN]
    expected, _ = exposed(rng, inner, scenes.photons, scenes.background)
    return expected.reshape(tuple(shape)).contiguous()
