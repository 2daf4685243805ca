"""How CARE is trained: frozen, and written into the weights."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from rdl_live.optics._base import Description
from rdl_live.train.care.instruments import Instrument
from rdl_live.train.loop.settings import HeldOutSettings, Minutes


class CareLoss(StrEnum):
    """What is minimised."""

    MAE = "mae"
    """Mean absolute error: the median, as published."""
    MSE = "mse"
    """Mean square error: the mean, which keeps the photons."""
    LAPLACE = "laplace"
    """The likelihood of a Laplace distribution: its median and scale, as published."""

    @property
    def keeps_photons(self) -> bool:
        """Whether the best image for this loss has the expected number of photons."""
        return self is CareLoss.MSE


class CareSettings(HeldOutSettings):
    """How to train."""

    dims: Annotated[int, Field(ge=2, le=3)] = 2
    network: dict[str, int | float | bool] = Field(default={})
    """Fields of the network's configuration that differ from the published ones."""
    loss: CareLoss = CareLoss.MAE
    members: Annotated[int, Field(ge=1, le=32)] = 1
    minutes: Minutes = 20.0
    batch: Annotated[int, Field(ge=1, le=256)] = 4
    """Patches that each network learns from in a step."""
    patch: Annotated[int, Field(ge=16, le=1024)] = 128
    """Pixels of a patch, each way in the plane."""
    planes: Annotated[int, Field(ge=4, le=256)] = 16
    """Of a patch of stacks."""
    low_percentile: Annotated[float, Field(ge=0, le=100)] = 2.0
    high_percentile: Annotated[float, Field(ge=0, le=100)] = 99.8
    """What is brought to 0 and 1, over all that is learnt from."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    patience: Annotated[int, Field(ge=1)] = 40

    @model_validator(mode="after")
    def _ordered(self) -> "CareSettings":
        if self.low_percentile >= self.high_percentile:
            raise ValueError(f"{self.low_percentile:g} is not below {self.high_percentile:g}")
        return self

    @property
    def probabilistic(self) -> bool:
        """Whether the networks say how sure they are."""
        return self.loss is CareLoss.LAPLACE

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Sides of a patch, (z,) y, x."""
        return (self.patch, self.patch) if self.dims == 2 else (self.planes, self.patch, self.patch)


class SceneSettings(Description):
    """What simulated pairs are like."""

    instruments: tuple[Instrument, ...] = (Instrument.LIGHT_SHEET, Instrument.CONFOCAL)
    structures: tuple[str, ...] = ("tubes", "granules")
    photons: tuple[float, float] = (1.0, 50.0)
    """Mean of a voxel where there is structure, from and to; see `rdl_live.train.care.drawn.structure_mean`."""
    background: tuple[float, float] = (0.05, 0.5)
    """Uneven background, as a share of the light of a voxel of structure."""
    read_noise: tuple[float, float] = (0.5, 2.0)
    """Electrons."""
