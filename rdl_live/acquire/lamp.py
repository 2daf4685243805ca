"""What lights the sample: a colour, its power, and how far that is known. Loads nothing."""

from enum import StrEnum
from typing import NamedTuple


class LampState(StrEnum):
    """How far it is known that a colour is lit."""

    READ_BACK = "read back"
    """It is, with the power that the device has confirmed."""
    CHANGING = "being set"
    """It comes on or goes off: it was asked for, or is what is replaced, and the devices have not confirmed it yet."""
    STEPPED = "stepped by hardware"
    """The camera's trigger steps the light through these colours, with the powers that were loaded into the devices.
    Which one is lit at a moment cannot be read back without disturbing the sequence."""


class Lamp(NamedTuple):
    """A colour that is lit."""

    channel: str
    power_percent: float
    """In percent of full."""
    state: LampState = LampState.READ_BACK
