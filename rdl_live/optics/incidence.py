"""How the light enters the sample: evanescent (TIRF), along the coverslip (grazing incidence), or through it.

Light of incidence NA a, n sin(theta) in any medium, meets a sample of refractive index n. Above n it is totally
reflected, and what is left of it falls by 1/e over

    d = lambda / (4 pi sqrt(a^2 - n^2))

with the distance from the coverslip (Axelrod, Burghardt and Thompson 1984, 10.1146/annurev.bb.13.060184.001335). Just
below n the refracted beam runs along the coverslip, as a light sheet about 1 um thick (grazing incidence: Guo et al.
2018, 10.1016/j.cell.2018.09.057). Two beams from opposite sides of the pupil make stripes of the period lambda / (2 a).
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, PositiveFloat, model_validator

from rdl_live.optics._base import Description

GRAZING = 0.96
"""Share of the sample's index from which light grazes: refracted, it is within 16 degrees of the coverslip."""
SHEET_UM = 1.0
"""Thickness of the light sheet of grazing incidence [um]; on a real microscope it follows the beam's width."""


class Mode(StrEnum):
    """What light of an incidence NA does in the sample."""

    TIRF = "tirf"
    GRAZING = "grazing"
    WIDEFIELD = "widefield"

    @property
    def words(self) -> str:
        """Name it in a sentence."""
        return {"tirf": "TIRF", "grazing": "grazing incidence", "widefield": "widefield"}[self]


class Illumination(Description):
    """One way to light a colour."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Follows the channel's name where it has several: `488 TIRF`."""
    period_um: PositiveFloat | None = None
    """Spacing of the stripes in the sample [um]."""
    incidence_na: Annotated[float, Field(gt=0, lt=2.5)] | None = None
    """NA at which the beams enter."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.period_um is None and self.incidence_na is None:
            raise ValueError(f"illumination {self.name!r} says nothing; give its incidence_na, or its period_um")
        return self


@dataclass(frozen=True)
class Incidence:
    """Light of one wavelength that enters a sample at one NA."""

    na: float
    wavelength_nm: float
    sample_index: float

    @property
    def mode(self) -> Mode:
        """What it does there."""
        if self.na > self.sample_index:
            return Mode.TIRF
        return Mode.GRAZING if self.na >= GRAZING * self.sample_index else Mode.WIDEFIELD

    @property
    def depth_um(self) -> float | None:
        """Depth to 1/e [um]: exact for TIRF, about that of any grazing light; None where it goes through the sample."""
        mode = self.mode
        if mode is Mode.TIRF:
            return self.wavelength_nm * 1e-3 / (4 * math.pi * math.sqrt(self.na**2 - self.sample_index**2))
        return SHEET_UM if mode is Mode.GRAZING else None

    @property
    def words(self) -> str:
        """Say it in a line."""
        depth = {
            Mode.TIRF: f", penetration depth {1e3 * (self.depth_um or 0):.0f} nm",
            Mode.GRAZING: f", a sheet of about {SHEET_UM:g} um",
            Mode.WIDEFIELD: ", through the whole sample",
        }[self.mode]
        return f"{self.mode.words}, incidence NA {self.na:.3f}{depth}"

    def record(self) -> dict[str, Any]:
        """Return plain values for a report."""
        depth = self.depth_um
        return {
            "mode": str(self.mode),
            "incidence_na": round(self.na, 4),
            "sample_index": self.sample_index,
            "depth_um": None if depth is None else round(depth, 4),
        }


def na_of_period(wavelength_nm: float, period_um: float) -> float:
    """Return the NA of two beams whose stripes have this period."""
    return wavelength_nm * 1e-3 / (2 * period_um)
