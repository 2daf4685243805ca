"""A modality of somebody else's: optical sectioning by a grid in three places. All of it is in this file.

Neil, Juskaitis and Wilson 1997, 10.1364/OL.22.001905: what differs between the frames is in focus, for only there the
grid is seen.
"""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.geometry import UnitGeometry
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import Frames, Modality, Shaping
from rdl_live.optics.modality_kinds import ModalityKind
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.optics.pattern import PatternSet


class GridFrames(UnitGeometry):
    """Three frames, and an image on their own grid."""

    angles: Literal[1] = 1
    phases: Literal[3] = 3
    harmonics: Literal[1] = 1
    contrast: float = 1.0
    """Of the grid in the sample."""


class Sections:
    """Makes the section of a unit."""

    wiener = None

    def __init__(self, scope: Microscope, maps: CameraMaps | None) -> None:
        geometry = scope.pattern
        assert isinstance(geometry, GridFrames)
        self._scope, self._maps, self._contrast = scope, maps, geometry.contrast

    def __call__(self, series: Frames) -> Tensor:
        frames = torch.as_tensor(np.asarray(series)) if isinstance(series, np.ndarray) else series
        one, two, three = to_photons(frames, self._scope.camera, self._maps)[0]
        squares = (one - two) ** 2 + (one - three) ** 2 + (two - three) ** 2
        return math.sqrt(2) / 3 * squares.sqrt() / self._contrast

    def calibrate(self, series: Frames) -> None:
        """Nothing is measured."""


class Sectioning(Modality):
    """A grid in three places."""

    name = "sectioning"
    shown = "optical section"

    def nominal(
        self,
        scope: Microscope,
        channel: Channel | None = None,
        *,
        seed: int = 0,
        modulation: float | tuple[float, ...] = 0.8,
        phase_jitter_deg: float = 0.0,
    ) -> PatternSet:
        return nominal_patterns(scope, channel, seed=seed, modulation=modulation, phase_jitter_deg=phase_jitter_deg)

    def reconstruction(
        self,
        scope: Microscope,
        patterns: PatternSet,
        shape: tuple[int, int],
        device: torch.device | str = "cpu",
        *,
        channel: Channel | None = None,
        maps: CameraMaps | None = None,
        shaping: Shaping | None = None,
    ) -> Sections:
        del patterns, shape, device, channel, shaping
        return Sections(scope, maps)


SECTIONING = Sectioning()
KIND = ModalityKind(
    "sectioning", "three frames of a grid", GridFrames, "tests.recipes.toy_modality:SECTIONING", image="section"
)
