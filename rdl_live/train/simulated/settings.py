"""What is trained on, and for how long: frozen, and written into the weights."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from rdl_live.optics._base import Description
from rdl_live.specimen import kind_names
from rdl_live.train.loop.settings import LoopSettings
from rdl_live.train.simulated.unkind import UnkindSettings
from rdl_models import ARCHITECTURES, Span

HELD_OUT = ("mixed", "reticulum")
"""Kinds of specimen that are never trained on, for judging."""
RARE = ("empty",)
"""Kinds that are drawn only as seldom as the unkind settings say."""


class SceneSettings(Description):
    """The microscopes, specimens and light that scenes are drawn from."""

    size: Annotated[int, Field(ge=32, le=1024)] = 128
    """Raw frames are this many pixels each way."""
    exposures: Annotated[int, Field(ge=1, le=16)] = 6
    """Light levels at which one scene is recorded."""
    na: Span = Span(low=1.2, high=1.49)
    pixel_size_um: Span = Span(low=0.055, high=0.085)
    emission_nm: Span = Span(low=500.0, high=680.0)
    modulation: Span = Span(low=0.4, high=1.0)
    haze: Span = Span(low=0.0, high=0.6)
    background: Span = Span(low=0.0, high=0.4)
    density: Span = Span(low=0.25, high=2.5)
    photons: Span = Span(low=1.0, high=2000.0)
    """Drawn evenly on a logarithmic scale, three times out of four below `dim`."""
    dim: Annotated[float, Field(gt=0)] = 60.0
    """Light below which denoising matters most [photons a pixel]."""
    read_noise_e: Span = Span(low=0.0, high=2.5)
    flicker: Span = Span(low=0.0, high=0.05)
    angles: tuple[int, ...] = (3, 3, 3, 3, 2, 4)
    """Numbers of orientations, each as likely as it is listed often."""
    phases: tuple[int, ...] = (3, 3, 3, 5)
    prior_grid: Annotated[int, Field(ge=1, le=2)] = 2
    """Samples of the prior for each raw pixel, each way, where raw frames are denoised; 1 as published."""
    prior_series: Annotated[int, Field(ge=1, le=16)] = 1
    """The prior is made of the average of 1 to so many series, where raw frames are denoised."""
    factor: Annotated[int, Field(ge=2, le=3)] = 2
    """Pixels of the truth for one of a raw frame, each way; only networks that super-resolve in one step take 3."""
    harmonics: Annotated[int, Field(ge=1, le=2)] = 1
    """Of the patterns of all scenes; 2 is nonlinear SIM, with 5 phases, whose truth is three times as fine."""
    kinds: tuple[str, ...] = ()
    """Kinds of specimen; all but `HELD_OUT` where left out."""

    unkind: UnkindSettings = UnkindSettings()
    """What goes wrong in part of the scenes, where the ranges above are widened."""

    @property
    def chosen_kinds(self) -> tuple[str, ...]:
        """The kinds that are drawn from."""
        return self.kinds or tuple(name for name in kind_names() if name not in HELD_OUT + RARE)


class TrainSettings(LoopSettings):
    """How to train."""

    architecture: str = "object-plane"
    """A name in `rdl_models.architectures()`."""
    network: dict[str, int | float | bool] = Field(default={})
    """Fields of the new network's configuration that differ from the usual ones."""
    batch: Annotated[int, Field(ge=1, le=256)] = 4
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1.5e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.9985
    window: Annotated[int, Field(ge=1)] = 768
    """Scenes that a batch is drawn from; 3 MB each with the usual size and exposures."""
    reuse: Annotated[int, Field(ge=1)] = 24
    """How often a scene is used on average before it is replaced; it has four sides, and some light levels."""
    workers: Annotated[int, Field(ge=0, le=64)] = 1
    """Processes that simulate; 0 simulates in between the steps."""
    start: str | None = None
    """Weights to go on from (a shipped name or a file); from random numbers where left out."""
    grow: bool = False
    """Give the weights to start from, of one scale, the scales of the shipped network."""
    error_only: bool = False
    """Train nothing but the head that estimates the error: the images of the weights to start from stay as they are."""
    half_precision: bool = True
    """Convolutions in bfloat16, everything else in float32."""
    scenes: SceneSettings = SceneSettings()

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        if ARCHITECTURES.find(name) is None:
            known = ", ".join(ARCHITECTURES.names())
            raise PydanticCustomError("architecture", "input should be one of {known}", {"known": known})
        return name
