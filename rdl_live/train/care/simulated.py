"""Simulated pairs: tubes and granules under a light sheet or a confocal, dim and without noise."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from rdl_live.train.care.drawn import HELD, DrawnPairs, drawn_light, exposed
from rdl_live.train.care.instruments import Optics, box_of, drawn_optics, noisy, seen
from rdl_live.train.care.settings import CareSettings, SceneSettings
from rdl_live.train.care.source import Pair
from rdl_live.train.care.structures import Rng

MARGIN = 16
"""Pixels around a patch in which light lies that it sees."""
PLANES = 9
"""Of the box whose middle plane an image is."""


SCENES = 512
"""Of images, that are kept and shown in other parts, light, background and noise each time: drawing one takes as long
as a step of a small network."""
KEPT_BYTES = 256 * 2**20
"""Of all kept scenes; larger ones are fewer."""
WIDER = 2
"""Sides of a kept scene, in those of a patch."""


class SimulatedPairs(DrawnPairs):
    """See above; the target is the same light without noise. Every stack is new, images show parts of some scenes."""

    def __init__(self, settings: CareSettings, scenes: SceneSettings | None = None) -> None:
        """Prepare."""
        super().__init__(settings)
        self._scenes = scenes or SceneSettings()
        self._kept: dict[int, Tensor] = {}
        # Of the settings alone, so that a resumed training sees the same.
        self._count = max(1, min(SCENES, KEPT_BYTES // (4 * (WIDER * settings.patch) ** 2)))

    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a part of a kept scene, or a new stack."""
        if self._settings.dims == 3:
            return self.fresh(rng)
        wide = self._scene(int(rng.integers(self._count)))
        side = self._settings.patch
        y, x = (int(rng.integers(length - side + 1)) for length in wide.shape[-2:])
        return self._shown(rng, wide[..., y : y + side, x : x + side])

    def fresh(self, rng: np.random.Generator) -> Pair:
        """Return a new scene."""
        return self._shown(rng, self._seen(rng, self._settings.patch_shape))

    def _scene(self, number: int) -> Tensor:
        """Return a kept scene, which depends on seed and number alone: so a resumed training sees the same."""
        if number not in self._kept:
            seed = np.random.SeedSequence(self._settings.seed, spawn_key=(HELD + number,))
            side = WIDER * self._settings.patch
            self._kept[number] = self._seen(np.random.default_rng(seed), (side, side))
        return self._kept[number]

    def _seen(self, rng: Rng, shape: Sequence[int]) -> Tensor:
        instruments = self._scenes.instruments
        return light_seen(rng, drawn_optics(rng, instruments[int(rng.integers(len(instruments)))]), shape, self._scenes)

    def _shown(self, rng: Rng, image: Tensor) -> Pair:
        scenes = self._scenes
        expected, _ = exposed(rng, image, scenes.photons, scenes.background)
        expected = expected.reshape(self._settings.patch_shape).contiguous()
        return noisy(expected, float(rng.uniform(*scenes.read_noise)), rng), expected

    def identity(self) -> Mapping[str, Any]:
        """What scenes are like."""
        return {"scenes": self._scenes.model_dump(mode="json")}


def light_seen(rng: Rng, optics: Optics, shape: Sequence[int], scenes: SceneSettings) -> Tensor:
    """Return what a microscope sees of a new scene, in any unit, (z, y, x); z is 1 for an image."""
    planes = shape[0] + 8 if len(shape) == 3 else PLANES
    rows, columns = shape[-2] + 2 * MARGIN, shape[-1] + 2 * MARGIN
    box = box_of(optics, (planes, rows, columns))
    image = seen(drawn_light(rng, box, scenes.structures), optics)
    first = 4 if len(shape) == 3 else PLANES // 2
    inner = image[first : first + (shape[0] if len(shape) == 3 else 1), MARGIN:-MARGIN, MARGIN:-MARGIN]
    return inner.contiguous().clone()
