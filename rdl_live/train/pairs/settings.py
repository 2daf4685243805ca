"""How networks are trained on pairs: frozen, and written into the weights."""

from typing import Annotated

from pydantic import Field

from rdl_live.train.loop.settings import HeldOutSettings, Minutes


class PairSettings(HeldOutSettings):
    """How to train on pairs of what a microscope gives and what is to be made of it."""

    architecture: str = "dfcan"
    """A name in `rdl_models.architectures()`, of a network that super-resolves."""
    network: dict[str, int | float | bool] = Field(default={})
    """Fields of the new network's configuration that differ from the published ones."""
    minutes: Minutes = 20.0
    batch: Annotated[int, Field(ge=1, le=256)] = 2
    patch: Annotated[int, Field(ge=32, le=1024)] = 128
    """Pixels of the input, each way, of what is learnt from at a time."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    patience: Annotated[int, Field(ge=1)] = 40
    half_precision: bool = True
    """Convolutions in bfloat16, where the chip has instructions for it."""
