"""What every training is given: frozen, and written into the weights."""

from typing import Annotated

from pydantic import Field

from rdl_live.optics._base import Description

Minutes = Annotated[float, Field(gt=0, le=60 * 24 * 30)]
FREE = frozenset({"minutes", "steps", "workers"})
"""Settings that may differ when a training is taken up again."""


class LoopSettings(Description):
    """How long and how fast."""

    minutes: Minutes = 20.0
    steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many steps instead of after `minutes`; then every number is the same in every run."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the training in which the learning rate rises; then it falls as a cosine."""
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Of the weights, from step to step (exponential moving average)."""
    seed: Annotated[int, Field(ge=0)] = 1


class HeldOutSettings(LoopSettings):
    """Of a training that is judged on what is held out."""

    minutes: Minutes = 10.0
    anchor: Annotated[float, Field(ge=0)] = 0.0
    """Pull towards the weights that were started from, relative to the learning rate."""
    validate_every: Annotated[int, Field(ge=1)] = 50
    """Steps from one look at the held-out time points to the next."""
    patience: Annotated[int, Field(ge=1)] = 8
    """Looks without a gain after which the training ends."""
