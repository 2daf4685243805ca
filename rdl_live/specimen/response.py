"""How a dye answers to light: in proportion, with saturation, or by switching. The curve makes the harmonics.

Under stripes 1 + m cos u the fluorescence is a curve of the light; its Fourier series holds all multiples of u
(Gustafsson 2005, 10.1073/pnas.0406877102, saturated excitation; Rego et al. 2012, 10.1073/pnas.1107547108, and Li et
al. 2015, 10.1126/science.aab3500, photoswitching).
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rdl_live.optics._base import Description
from rdl_live.optics.pattern import Pattern, PatternSet

_SAMPLES = 4096
"""Of one period, from which the Fourier series is read."""


class ResponseSettings(Description):
    """How the fluorescence depends on the light; the defaults are a dye that answers in proportion."""

    saturation: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Mean light relative to that which saturates the dye: fluorescence I / (1 + s I), flat at its maxima."""
    switching: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Mean light times the switching rate: a share 1 - exp(-s I) of the dye is switched on, then read in even light."""

    @property
    def linear(self) -> bool:
        """Whether the dye answers in proportion."""
        return self.saturation == 0 and self.switching == 0

    def __call__(self, light: Tensor) -> Tensor:
        """Return the fluorescence under light relative to its mean, in any unit."""
        if self.switching > 0:
            light = -torch.expm1(-self.switching * light) / self.switching
        return light / (1 + self.saturation * light)

    def under(self, frames: Tensor, patterns: PatternSet) -> Tensor:
        """Return the fluorescence relative to its mean under frames of light (angle, phase, y, x) of these stripes."""
        if self.linear:
            return frames
        answered = []
        for own, pattern in zip(frames, patterns, strict=True):
            gains = own.new_tensor(pattern.gains)[:, None, None]
            answered.append(self(own / gains) * (gains / float(self(_period(pattern.modulation[0])).mean())))
        return torch.stack(answered) if answered else frames

    def answered(self, patterns: PatternSet, harmonics: int) -> PatternSet:
        """Return the stripes of the fluorescence under sinusoidal ones: those of so many harmonics."""
        if self.linear:
            return patterns
        return PatternSet(patterns=tuple(self._answered(one, harmonics) for one in patterns))

    def _answered(self, pattern: Pattern, harmonics: int) -> Pattern:
        spectrum = torch.fft.rfft(self(_period(pattern.modulation[0]))).real / _SAMPLES
        # The profile is even about its maxima, so every coefficient is real; a negative one is a shift by half a turn.
        series = [2 * float(spectrum[order] / spectrum[0]) for order in range(1, harmonics + 1)]
        return pattern.replace(
            modulation=tuple(min(abs(one), 1.0) for one in series),
            shifts_rad=tuple(0.0 if one >= 0 else math.pi for one in series),
        )


def sinusoidal(patterns: PatternSet) -> PatternSet:
    """Return the stripes without their harmonics: those of the light, where the dye makes the harmonics."""
    return PatternSet(patterns=tuple(one.replace(modulation=one.modulation[:1], shifts_rad=()) for one in patterns))


def _period(depth: float) -> Tensor:
    """Return sinusoidal stripes over one period, mean 1, (samples,) float64."""
    turn = 2 * math.pi * torch.arange(_SAMPLES, dtype=torch.float64) / _SAMPLES
    return 1 + depth * torch.cos(turn)
