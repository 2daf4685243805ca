"""How to go on training from noisy recordings alone: frozen, and written into the weights."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rdl_live.train.loop.settings import HeldOutSettings


class Scheme(StrEnum):
    """Which two noisy looks at one object are compared."""

    TIS = "tis"
    """Temporally interleaved: a time point against its neighbours of the other parity, same orientation and phase."""
    SPLIT = "split"
    """The photons of one time point divided at random into two series; nothing moves between them."""


class SelfSupSettings(HeldOutSettings):
    """How to train."""

    scheme: Scheme = Scheme.TIS
    batch: Annotated[int, Field(ge=1, le=256)] = 1
    tile: Annotated[int, Field(ge=32, le=1024)] = 128
    """Raw pixels each way that a step sees of a recording; a large tile is mostly inside, a small one mostly margin."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    """The weights that are started from lie where a training ended, at its lowest rate. At the rate of its beginning
    they are first thrown out of there, and minutes are not enough to come back (docs/ablations.md)."""
    anchor: Annotated[float, Field(ge=0)] = 0.05
    rehearsal: Annotated[float, Field(ge=0, le=0.9)] = 0.4
    """Share of the steps on simulated scenes, seen through this microscope at this light, against forgetting: what is
    learnt of one field's specimen must not cost on another field."""
    reach: Annotated[int, Field(ge=1, le=15)] = 3
    """Neighbours up to so many time points away are targets (odd distances only)."""
    shares: tuple[float, float] = (0.5, 0.85)
    """Share of the photons that the network is shown in splitting; drawn evenly from this interval."""
    workers: Annotated[int, Field(ge=0, le=64)] = 1
    """Processes that simulate scenes; 0 simulates in between the steps."""
    start: str = "rdl"
    """Weights to go on from."""
