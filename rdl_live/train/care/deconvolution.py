"""Simulated pairs for deconvolution: structures, and what a microscope of known optics would show of them.

Weigert et al. 2018, 10.1038/s41592-018-0216-7, Supplementary Note 2: tubular or granular structures, an uneven
background (Perlin noise), the PSF, photon and read noise. The target is the structure itself, without the background.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.otf import Otf
from rdl_live.train.care.drawn import DrawnPairs, drawn_light, exposed
from rdl_live.train.care.instruments import noisy
from rdl_live.train.care.settings import CareSettings
from rdl_live.train.care.source import Pair
from rdl_live.train.care.structures import Box, Rng

MARGIN = 24
"""Pixels around a patch in which light lies that it sees."""
DEPTH_UM = 0.5
"""Of what is in focus."""
PHOTONS = (5.0, 200.0)
BACKGROUND = (0.05, 0.5)


class DeconvolutionPairs(DrawnPairs):
    """See above."""

    def __init__(
        self,
        scope: Microscope,
        channel: Channel,
        structures: Sequence[str],
        settings: CareSettings,
        photons: tuple[float, float] = PHOTONS,
    ) -> None:
        """Take optics and camera of a microscope."""
        super().__init__(settings)
        self._otf, self._read_noise = Otf.of(scope, channel), scope.camera.read_noise_e
        self._structures, self._photons = tuple(structures), photons
        self._name = (scope.name, channel.name)

    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a new scene: noisy, and its structure in the same photons."""
        structure, expected = self.scene(rng)
        return noisy(expected, self._read_noise, rng), structure

    def scene(self, rng: Rng) -> tuple[Tensor, Tensor]:
        """Return structure and expected image, both (y, x) photons."""
        side = self._settings.patch + 2 * MARGIN
        box = Box((1, side, side), DEPTH_UM, self._otf.pixel_um)
        light = drawn_light(rng, box, self._structures)[0]
        inner = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        image = torch.fft.irfft2(torch.fft.rfft2(light) * self._transfer, s=light.shape).clamp(min=0)
        expected, unit = exposed(rng, image[inner], self._photons, BACKGROUND)
        return (light[inner] * unit).contiguous(), expected

    @cached_property
    def _transfer(self) -> Tensor:
        side, pixel = self._settings.patch + 2 * MARGIN, self._otf.pixel_um
        ky, kx = torch.fft.fftfreq(side, pixel)[:, None], torch.fft.rfftfreq(side, pixel)[None]
        transfer: Tensor = self._otf(kx, ky)
        return transfer

    def identity(self) -> Mapping[str, Any]:
        """Microscope and structures."""
        return {
            "microscope": self._name[0],
            "channel": self._name[1],
            "structures": list(self._structures),
            "photons": list(self._photons),
            "cutoff": self._otf.cutoff,
            "pixel_um": self._otf.pixel_um,
        }
