"""How a network was trained by those who published it: its loss, its learning rate, and its opponent if it has one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from torch import nn


class Distance(StrEnum):
    """What is minimised between an image and its truth."""

    MSE = "mean square error"
    L1 = "mean absolute error"


@dataclass(frozen=True)
class Adversary:
    """A discriminator that learns to tell a network's images from true ones, while the network learns to deceive it."""

    critic: Callable[[Any], nn.Module]
    """Makes it from the generator's configuration: `critic(image, widefield) -> logits (n, ...)`, both (n, 1, y, x) on
    the finer grid, in units of the truth's range."""
    weight: float
    """Of the adversarial term in the generator's loss, whose distance has `Recipe.weight`."""
    rate: float
    """The discriminator's learning rate relative to the generator's."""
    generator_steps: int = 3
    """Steps of the generator for one of the discriminator."""


@dataclass(frozen=True)
class Recipe:
    """A loss: weight x (distance + ssim x (1 - SSIM)), and an adversarial term where there is an adversary."""

    distance: Distance = Distance.MSE
    ssim: float = 0.0
    weight: float = 1.0
    adversary: Adversary | None = None


@dataclass(frozen=True)
class Size:
    """A size of a network that differs from the published one."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of its configuration."""
    learning_rate: float = 1e-3
    """Highest one: small networks bear more."""
