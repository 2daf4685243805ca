"""Which raw frames make one unit of acquisition: one description for each kind of modality.

A frame of a unit is counted by two numbers, its angle (orientation, slow) and its phase (step, fast), whatever they
mean to the modality: 3 x 3 stripes, 1 x 7 of a hexagonal lattice, 3 x 5 of three beams, 1 x 1 of a widefield image.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, model_validator

from rdl_live.optics._base import Description


class SeriesOrder(StrEnum):
    """How the frames of one series lie in a file."""

    ANGLE_PHASE = "angle-phase"
    """Orientation-major, phase fastest (the default of the field)."""
    PHASE_ANGLE = "phase-angle"
    """Phase-major, orientation fastest."""


_ORDER_AXES = ("angle", "phase", "z", "time")
Slot = tuple[int, int]
"""(angle, phase) of a frame, counted from 0."""


def frame_order(text: object) -> SeriesOrder | str:
    """Return the order of frames that a text names: angle and phase, and z and time if wanted, slowest first.

    Raises:
        ValueError: other words, one twice, or no angle or phase.
    """
    words = text.split("-") if isinstance(text, str) else []
    named = set(words)
    if not {"angle", "phase"} <= named <= set(_ORDER_AXES) or len(named) < len(words):
        raise ValueError(
            "it should be 'angle-phase' or 'phase-angle', or with z and time in any order, slowest first, "
            "such as 'angle-z-phase' (OMX)"
        )
    return SeriesOrder("-".join(words)) if len(words) == 2 else "-".join(words)


class UnitGeometry(Description):
    """The raw frames of one unit, and how much finer than these its image is."""

    angles: Annotated[int, Field(ge=1, le=32)] = 1
    """Number of orientations A."""
    phases: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of phase steps P per orientation."""
    order: Annotated[SeriesOrder | str, PlainValidator(frame_order), PlainSerializer(str)] = SeriesOrder.ANGLE_PHASE
    """How frames lie in files that name neither, slowest first; with z and time where these lie in between."""
    harmonics: Annotated[int, Field(ge=0, le=8)] = 0
    """Harmonics of the pattern that carry signal; 0 where the light has none."""

    @property
    def series_order(self) -> SeriesOrder:
        """Which of angle and phase is faster, within one series."""
        words = self.order.split("-")
        return SeriesOrder.ANGLE_PHASE if words.index("angle") < words.index("phase") else SeriesOrder.PHASE_ANGLE

    @property
    def counts(self) -> tuple[int, int]:
        """(A, P): the first two axes of a unit's frames."""
        return self.angles, self.phases

    @property
    def pattern_counts(self) -> tuple[int, int]:
        """(patterns, phases of each) that describe the light of a unit."""
        return self.counts

    @property
    def shared(self) -> bool:
        """Whether every frame holds all patterns, rather than one of them."""
        return False

    @property
    def repeats(self) -> int:
        """How often each frame of the camera stands among those of a unit."""
        return 1

    @property
    def frames(self) -> int:
        """Raw frames per unit, A x P."""
        return self.angles * self.phases

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All frames of a unit, in the order in which they are taken."""
        slots = [(a, p) for a in range(self.angles) for p in range(self.phases)]
        if self.series_order is SeriesOrder.PHASE_ANGLE:
            slots.sort(key=lambda slot: slot[::-1])
        return tuple(slots)

    @property
    def sr_factor(self) -> int:
        """Pixels of the image for one of the camera's, each way."""
        return 1

    def sr_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the (y, x) of the image of frames of a shape (y, x)."""
        return self.sr_factor * shape[0], self.sr_factor * shape[1]

    def named(self, slot: Slot) -> str:
        """Return what a message calls a frame of a unit."""
        if self.frames == 1:
            return "the frame"
        return f"phase {slot[1]}" if self.angles == 1 else f"angle {slot[0]} phase {slot[1]}"


class PatternGeometry(UnitGeometry):
    """How many patterns make one series of stripes, and in which order they come."""

    angles: Annotated[int, Field(ge=1, le=32)] = 3
    """Number of orientations A."""
    phases: Annotated[int, Field(ge=3, le=64)] = 3
    """Number of phase steps P per orientation."""
    harmonics: Annotated[int, Field(ge=1, le=8)] = 1
    """Harmonics of the pattern that carry signal: 1 for linear SIM, 2 for nonlinear SIM (5 x 5: the dye is saturated or
    switched) and for three beams."""

    @model_validator(mode="after")
    def _enough_phases(self) -> Self:
        if self.phases < 2 * self.harmonics + 1:
            raise ValueError(
                f"{self.phases} phases cannot separate {self.harmonics} harmonic(s): "
                f"at least {2 * self.harmonics + 1} phases are needed"
            )
        return self

    @property
    def sr_factor(self) -> int:
        """Pixels of an SR image for one of the camera's, each way: each harmonic reaches as far again as the OTF."""
        return 1 + self.harmonics


def _single(count: int) -> int:
    if count != 1:
        raise ValueError("each frame is an image of its own; leave out the section pattern")
    return count


class SingleFrame(UnitGeometry):
    """One frame is one image: there is nothing to be said of it."""

    angles: Annotated[int, AfterValidator(_single)] = 1
    phases: Annotated[int, AfterValidator(_single)] = 1
    harmonics: Annotated[int, Field(ge=0, le=0)] = 0


LATTICE_CARRIERS, LATTICE_FRAMES = 3, 7


class HexagonalGeometry(UnitGeometry):
    """Seven frames of one lattice of light, which moves by a seventh of its period from each to the next."""

    angles: Literal[1] = 1
    phases: Literal[7] = 7
    harmonics: Literal[1] = 1

    @property
    def pattern_counts(self) -> tuple[int, int]:
        """Three carriers, each with a phase in every frame."""
        return LATTICE_CARRIERS, LATTICE_FRAMES

    @property
    def shared(self) -> bool:
        """Every frame holds all three carriers."""
        return True

    @property
    def sr_factor(self) -> int:
        """Pixels of the image for one of the camera's, each way."""
        return 2


class LatticeFrames(PatternGeometry):
    """The frames of a lattice once for each carrier, in the order in which that carrier steps by equal angles."""

    angles: Literal[3] = 3
    phases: Literal[7] = 7
    harmonics: Literal[1] = 1

    @property
    def repeats(self) -> int:
        """Each frame stands there for every carrier."""
        return LATTICE_CARRIERS
