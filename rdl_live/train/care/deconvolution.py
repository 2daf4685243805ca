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
from rdl_live.train.care.instruments import noisy
from rdl_live.train.care.settings import CareSettings
from rdl_live.train.care.source import Normalisation, Pair, PairSource, spans
from rdl_live.train.care.structures import STRUCTURES, Box, Rng, drawn, uneven

HELD = 12
MARGIN = 24
"""Pixels around a patch in which light lies that it sees."""
DEPTH_UM = 0.5
"""Of what is in focus."""
PHOTONS = (5.0, 200.0)
BACKGROUND = (0.05, 0.5)
_HELD_SEED = 15_485


class DeconvolutionPairs(PairSource):
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
        self._otf, self._read_noise = Otf.of(scope, channel), scope.camera.read_noise_e
        self._structures, self._settings, self._photons = tuple(structures), settings, photons
        self._name = (scope.name, channel.name)

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
        """Return a new scene: noisy, and its structure in the same photons."""
        structure, expected = self.scene(rng)
        return noisy(expected, self._read_noise, rng), structure

    def scene(self, rng: Rng) -> tuple[Tensor, Tensor]:
        """Return structure and expected image, both (y, x) photons."""
        side = self._settings.patch + 2 * MARGIN
        box = Box((1, side, side), DEPTH_UM, self._otf.pixel_um)
        light = torch.zeros(side, side)
        for kind in self._structures if rng.random() < 1 / 3 else (str(rng.choice(self._structures)),):
            part = drawn(*STRUCTURES[kind](rng, box), box)[0]
            light += part / part.mean().clamp(min=1e-9) * float(rng.uniform(0.3, 1.0))
        inner = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        image = torch.fft.irfft2(torch.fft.rfft2(light) * self._transfer, s=light.shape).clamp(min=0)
        share, photons = float(rng.uniform(*BACKGROUND)), float(np.exp(rng.uniform(*np.log(self._photons))))
        unit = (1 - share) * photons / image[inner].mean().clamp(min=1e-6)
        glow = uneven(rng, (self._settings.patch, self._settings.patch))
        return (light[inner] * unit).contiguous(), image[inner] * unit + share * photons * glow

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
