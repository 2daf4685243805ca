"""Widefield: one frame in even light is one image. TIRF, confocal and light-sheet frames are read likewise.

The image of the physics is the frame itself, in photons; nothing is filtered, so nothing is invented. A network may
make more of it (`--denoise`).
"""

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics.arrays import as_tensor
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import Frames, Modality, Shaping
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.pattern import PatternSet


class FrameMean:
    """See `rdl_live.optics.modality.Reconstruction`: the mean of a unit's frames, in photons of one."""

    wiener = None

    def __init__(
        self, scope: Microscope, shape: tuple[int, int], device: torch.device | str, maps: CameraMaps | None
    ) -> None:
        """Prepare for frames (y, x) of one size."""
        self._scope, self._shape = scope, (*scope.pattern.counts, *shape)
        self._device = torch.device(device)
        self._maps = None if maps is None else maps.to(self._device)

    def __call__(self, series: Frames) -> Tensor:
        """Return the image of a unit.

        Raises:
            DataError: other axes or frame shape than prepared for.
        """
        frames = as_tensor(series)
        if tuple(frames.shape[-4:]) != self._shape or frames.ndim not in (4, 5):
            raise DataError(f"frames of shape {tuple(frames.shape)} came, {self._shape} (angle, phase, y, x) are due")
        photons = to_photons(frames.to(self._device), self._scope.camera, self._maps)
        return photons.mean(dim=(-4, -3))

    def calibrate(self, series: np.ndarray | Tensor) -> None:
        """Nothing is measured."""


class Widefield(Modality):
    """One frame, one image."""

    name = "widefield"
    shown = "widefield image"

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
    ) -> FrameMean:
        """Return what turns frames into photons.

        Raises:
            ConfigError: a filter is asked for.
        """
        del patterns, channel
        if shaping is not None and not shaping.usual:
            raise ConfigError(
                f"modality {self.name}: its image is the frame itself, without a filter; leave out --wiener, "
                "--apodization and --attenuation"
            )
        return FrameMean(scope, shape, device, maps)


WIDEFIELD = Widefield()
