"""Pairs that are drawn: structures of some kinds, lit and blurred, every scene a new one."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rdl_live.train.care.settings import CareSettings
from rdl_live.train.care.source import Normalisation, Pair, PairSource, spans
from rdl_live.train.care.structures import STRUCTURES, Box, Rng, drawn, uneven

HELD = 12
"""Scenes that are held out."""
SEVERAL = 1 / 3
"""Share of the scenes that hold all kinds of structures."""
BRIGHTNESS = (0.3, 1.0)
"""Of one kind relative to another."""


class DrawnPairs(PairSource):
    """See above."""

    def __init__(self, settings: CareSettings) -> None:
        """Prepare."""
        self._settings = settings

    @abstractmethod
    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a new scene."""

    @cached_property
    def normalisation(self) -> Normalisation:
        """In units of each scene's mean: any amount of light."""
        settings = self._settings
        return spans(self.held, settings.low_percentile, settings.high_percentile, relative=True)

    @cached_property
    def held(self) -> Sequence[Pair]:
        """Scenes that no step of a training draws: a spawned seed is none that a training makes of step and rank."""
        seeds = [np.random.SeedSequence(self._settings.seed, spawn_key=(number,)) for number in range(HELD)]
        return [self.fresh(np.random.default_rng(seed)) for seed in seeds]

    def fresh(self, rng: np.random.Generator) -> Pair:
        """Return a patch of a scene that no other patch shows."""
        return self.patch(rng)


def drawn_light(rng: Rng, box: Box, kinds: Sequence[str]) -> Tensor:
    """Return the light of one kind of structure, or of all, as the shape of the box."""
    light = torch.zeros(box.shape)
    for kind in kinds if rng.random() < SEVERAL else (kinds[int(rng.integers(len(kinds)))],):
        part = drawn(*STRUCTURES[kind](rng, box), box)
        light += part / part.mean().clamp(min=1e-9) * float(rng.uniform(*BRIGHTNESS))
    return light


def exposed(
    rng: Rng, image: Tensor, photons: tuple[float, float], background: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Return an image ([z,] y, x) in photons with an uneven background, and the photons of a unit of the image.

    Args:
        rng: draws light and background.
        image: of the structures, in any unit.
        photons: mean of a voxel of the structures, least and most; see `structure_mean`.
        background: its share of that light, least and most.
    """
    share, level = float(rng.uniform(*background)), float(np.exp(rng.uniform(*np.log(photons))))
    unit = (1 - share) * level / structure_mean(image)
    glow = uneven(rng, (image.shape[-2], image.shape[-1]))
    return image * unit + share * level * glow, unit


def structure_mean(image: Tensor) -> Tensor:
    """Return the mean where there is structure: of the voxels above the mean, as Qiao et al. 2021 give light.

    The mean of a field says little of its noise where most of it is empty: a few granules then take all the light.
    """
    above = image[image > image.mean()]
    return (above.mean() if above.numel() else image.mean()).clamp(min=1e-6)
