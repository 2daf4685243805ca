"""How to go on training from noisy recordings alone: frozen, and written into the weights."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rdl_live.optics._base import Description


class Scheme(StrEnum):
    """Which two noisy looks at one object are compared."""

    TIS = "tis"
    """Temporally interleaved: a time point against its neighbours of the other parity, same orientation and phase."""
    SPLIT = "split"
    """The photons of one time point divided at random into two series; nothing moves between them."""


class SelfSupSettings(Description):
    """How to train."""

    scheme: Scheme = Scheme.TIS
    minutes: Annotated[float, Field(gt=0, le=60 * 24 * 30)] = 10.0
    steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many steps instead of after `minutes`; then every number is the same in every run."""
    batch: Annotated[int, Field(ge=1, le=256)] = 2
    tile: Annotated[int, Field(ge=32, le=1024)] = 96
    """Raw pixels each way that a step sees of a recording."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1.2e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Of the weights, from step to step (exponential moving average)."""
    anchor: Annotated[float, Field(ge=0)] = 0.05
    """Pull towards the weights that were started from, relative to the learning rate."""
    rehearsal: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    """Share of the steps on simulated scenes, seen through this microscope at this light, against forgetting."""
    reach: Annotated[int, Field(ge=1, le=15)] = 3
    """Neighbours up to so many time points away are targets (odd distances only)."""
    shares: tuple[float, float] = (0.5, 0.85)
    """Share of the photons that the network is shown in splitting; drawn evenly from this interval."""
    validate_every: Annotated[int, Field(ge=1)] = 50
    """Steps from one look at the held-out time points to the next."""
    patience: Annotated[int, Field(ge=1)] = 8
    """Looks without a gain after which the training ends."""
    workers: Annotated[int, Field(ge=0, le=64)] = 1
    """Processes that simulate scenes; 0 simulates in between the steps."""
    start: str = "rdl"
    """Weights to go on from."""
    seed: Annotated[int, Field(ge=0)] = 1
