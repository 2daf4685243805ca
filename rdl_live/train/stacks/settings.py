"""How to train on z-stack time-lapses: frozen, and written into the weights."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rdl_live.train.loop.settings import HeldOutSettings


class VolumeScheme(StrEnum):
    """Which two noisy looks at one object are compared."""

    TIS = "tis"
    """Temporally interleaved: a stack against its neighbours in time."""
    SIS = "sis"
    """Spatially interleaved: the even planes of a stack predict the odd ones."""


class VolumeSettings(HeldOutSettings):
    """How to train."""

    scheme: VolumeScheme = VolumeScheme.TIS
    width: Annotated[int, Field(ge=2, le=256)] = 16
    """Channels of the network; 64 as published."""
    groups: Annotated[int, Field(ge=1, le=32)] = 2
    """3 as published."""
    blocks: Annotated[int, Field(ge=1, le=64)] = 2
    """RCABs a group; 5 as published."""
    batch: Annotated[int, Field(ge=1, le=256)] = 1
    patch: Annotated[int, Field(ge=16, le=512)] = 64
    """Voxels each way in the plane that a step sees."""
    depth: Annotated[int, Field(ge=6, le=256)] = 16
    """Planes that a step sees."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-3
    gap: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the gap-amending term of SiS."""
    start: str | None = None
    """Weights to go on from; random ones where left out."""
