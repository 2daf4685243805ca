"""How unkind the scenes of a training are: what goes wrong on real microscopes, how often, and how far."""

import math
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from rdl_live.optics._base import Description

_Share = Annotated[float, Field(ge=0, le=1)]


class Drawn(Description):
    """A quantity that differs from its ideal value in some scenes, and then lies anywhere in a range."""

    chance: _Share
    """Share of unkind scenes in which it does."""
    low: float
    high: float
    logarithmic: bool = False
    """Drawn evenly on a logarithmic scale."""

    @model_validator(mode="after")
    def _ordered(self) -> "Drawn":
        if self.low > self.high or (self.logarithmic and self.low <= 0):
            raise ValueError(f"a range from {self.low:g} to {self.high:g} cannot be drawn from")
        return self

    def draw(self, rng: np.random.Generator, ideal: float = 0.0) -> float:
        """Return a value, or the ideal one."""
        happens, value = rng.random() < self.chance, rng.uniform(0, 1)
        if not happens:
            return ideal
        if self.logarithmic:
            return float(math.exp(math.log(self.low) + value * math.log(self.high / self.low)))
        return float(self.low + value * (self.high - self.low))


class UnkindSettings(Description):
    """What goes wrong; one field a cause, with its unit. The rest of the scenes are kind."""

    share: _Share = 0.5
    """Share of scenes that are drawn so."""
    na: Drawn = Drawn(chance=0.5, low=0.7, high=1.5)
    sampling: Drawn = Drawn(chance=0.5, low=0.35, high=0.97)
    """Cut-off relative to the camera's Nyquist frequency; pixels stay within `pixel_um`."""
    pixel_um: Drawn = Drawn(chance=1.0, low=0.03, high=0.16)
    nonlinear: _Share = 0.05
    """Share with two harmonics, five phases."""

    contrast: Drawn = Drawn(chance=0.7, low=0.05, high=1.0, logarithmic=True)
    contrast_spread: Drawn = Drawn(chance=0.5, low=0.1, high=0.7)
    contrast_fall: Drawn = Drawn(chance=0.25, low=0.1, high=0.5)
    second_harmonic: Drawn = Drawn(chance=0.1, low=0.05, high=0.25)
    phase_jitter_deg: Drawn = Drawn(chance=0.4, low=3.0, high=20.0)
    dark_frame: Drawn = Drawn(chance=0.25, low=0.05, high=0.2)
    bleaching: Drawn = Drawn(chance=0.2, low=0.01, high=0.15)
    vignetting: Drawn = Drawn(chance=0.25, low=0.1, high=0.6)
    speckle: Drawn = Drawn(chance=0.15, low=0.03, high=0.15)
    drift_nm: Drawn = Drawn(chance=0.2, low=0.3, high=5.0, logarithmic=True)

    damping_um: Drawn = Drawn(chance=0.5, low=0.02, high=0.2)
    damping_known: _Share = 0.5
    """Share of damped scenes in which the damping was estimated, to 30 %."""
    spherical_rad: Drawn = Drawn(chance=0.2, low=0.2, high=0.8)
    defocus_um: Drawn = Drawn(chance=0.2, low=0.02, high=0.2)
    pixel_error: Drawn = Drawn(chance=0.25, low=-0.02, high=0.02)

    fixed_pattern_e: Drawn = Drawn(chance=0.6, low=0.03, high=0.9, logarithmic=True)
    columns_e: Drawn = Drawn(chance=0.15, low=0.03, high=0.3, logarithmic=True)
    coupling: Drawn = Drawn(chance=0.15, low=0.002, high=0.03)
    gain_e_per_adu: Drawn = Drawn(chance=0.15, low=0.6, high=4.0, logarithmic=True)
    """Coarse numbers, as of 8 bit."""
    multiplying: _Share = 0.15
    """Share with an EMCCD."""

    density: Drawn = Drawn(chance=0.45, low=2.5, high=10.0, logarithmic=True)
    beads: Drawn = Drawn(chance=0.08, low=0.3, high=20.0, logarithmic=True)
    """Isolated beads to crowded ones, of this density."""
    also: _Share = 0.15
    """Share with two kinds of structure in one field."""
    aggregates: Drawn = Drawn(chance=0.12, low=0.05, high=0.5)
    cell: Drawn = Drawn(chance=0.2, low=0.3, high=0.95)
    haze: Drawn = Drawn(chance=0.35, low=0.3, high=0.9)
    glow: Drawn = Drawn(chance=0.4, low=0.1, high=0.9)
    empty: _Share = 0.02
    """Share of fields without a cell."""

    dimmer: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Light goes down to this share of the least light of kind scenes."""
    blind: _Share = 0.12
    """Share of scenes in which some orientations, or all, were not found: widefield only. These are dim."""
    mistaken: Drawn = Drawn(chance=0.3, low=1.5, high=5.0, logarithmic=True)
    """Mistakes of the estimation in the hardest scenes, relative to those of a hard one."""
    shy: Drawn = Drawn(chance=0.15, low=0.3, high=1.0)
    """Contrast that is found, relative to the true one: noise pulls it down."""


KIND = UnkindSettings(share=0.0)
"""Ideal scenes only."""
