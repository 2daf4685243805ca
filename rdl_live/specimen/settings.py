"""What to grow: the frozen description of a procedural specimen."""

from typing import Annotated

from pydantic import Field, PositiveFloat, field_validator

from rdl_live.optics._base import Description
from rdl_live.specimen.registry import kind_names

_Share = Annotated[float, Field(ge=0, le=1)]


class SpecimenSettings(Description):
    """A specimen that is the same wherever it is grown with the same settings and field."""

    kind: str = "filaments"
    """One of `kind_names()`."""
    seed: Annotated[int, Field(ge=0)] = 0
    density: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Amount of structure relative to what is typical of the kind: 0.2 is sparse, 1 usual, 3 crowded."""
    haze: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of all light that comes from out-of-focus structure."""
    background: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the in-focus light that comes from freely diffusing dye (smooth, yet patterned)."""
    also: str | None = None
    """Another kind of structure in the same field."""
    also_share: _Share = 0.35
    """Its share of what the structures give."""
    aggregates: _Share = 0.0
    """Share of what the structures give that comes from a few bright clumps."""
    cell: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the field that a cell covers; beyond its edge there is next to nothing. 1: the edge is out of view."""
    glow: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of all light that is not patterned and has no detail: autofluorescence, stray light, medium."""
    depth_um: Annotated[float, Field(ge=0, le=20)] = 0.0
    """Structures lie at any distance from the coverslip up to this [um]; 0: all lie on it, in focus."""
    speed_um_s: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Root-mean-square speed of the structures [um/s]; 0 keeps them still."""
    bleach_time_s: PositiveFloat | None = None
    """Time in which the fluorescence falls to 1/e [s]; no bleaching where absent."""

    @field_validator("kind", "also")
    @classmethod
    def _known(cls, kind: str | None) -> str | None:
        if kind is not None and kind not in kind_names():
            raise ValueError(f"there is no specimen kind {kind!r}; choose one of {', '.join(kind_names())}")
        return kind
