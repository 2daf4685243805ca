"""What all networks that super-resolve in one step have in common: their configuration, any size, photons.

The published networks are given images normalised to their own minimum and maximum, and some end in a sigmoid (DFCAN,
DFGAN) or a hyperbolic tangent (Pix2Pix). Neither gives photons back: a minimum and a maximum are those of noise and of
one bright spot, and photons have no bounds. Here a network is given its input in units of the field's mean and gives
the same unit; with `residual` it gives a correction of the enlarged input. `bounded` ends in the published function,
to compare with.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_live.errors import ConfigError
from rdl_models.architecture import Architecture, Image, Scenes, Task
from rdl_models.limits import check_flags, check_number, check_whole
from rdl_models.recipe import Recipe, Size
from rdl_models.sample import Light, Sample
from rdl_models.sr.spread import SpreadHead


@dataclass(frozen=True, kw_only=True)
class SrConfig:
    """What every such network is asked."""

    channels: int = 1
    """Of the input: 1 widefield image, or the A x P frames of a series, orientation-major."""
    scale: int = 2
    """Pixels of the output for one of the input, each way."""
    bounded: bool = False
    """End in the bounded function of the paper, for images normalised to its range; photons have no such bounds."""
    residual: bool = False
    """Whether the network gives a correction of the enlarged mean of its input instead of the image."""
    spread: int = 0
    """Channels of the head that says how wrong the image may be; 0: none, as published."""

    def __post_init__(self) -> None:
        check_whole(self, {"channels": (1, 256), "scale": (1, 4), "spread": (0, 64), **self.sizes()})
        check_number(self, self.numbers())
        check_flags(self, "bounded", "residual")

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the bounds of the other fields that are whole numbers."""
        return {}

    def numbers(self) -> dict[str, tuple[float, float]]:
        """Return the bounds of the fields that are numbers."""
        return {}


class SrNetwork(nn.Module, ABC):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x; the corners of both grids coincide."""

    multiple = 1
    """The input is continued to a multiple of so many pixels, where grids are halved."""
    reach = 0
    """Pixels of the input beyond which nothing counts for a pixel of the image, but for attentions."""
    tiles = True
    """Whether a field may be computed in tiles; not where a normalisation sees the whole field."""

    def __init__(self, config: SrConfig) -> None:
        """Keep the configuration."""
        super().__init__()
        self.config: Any = config
        self.spread: nn.Module | None = SpreadHead(config.spread, config.scale) if config.spread else None
        """The head that says how wrong the image may be; None where there is none."""

    @abstractmethod
    def image(self, x: Tensor) -> Tensor:
        """Return (n, 1, scale y, scale x) of (n, channels, y, x), whose sides are multiples of `multiple`."""

    def bound(self, image: Tensor) -> Tensor:
        """Apply the bounded function of the paper."""
        return torch.sigmoid(image)

    def forward(self, x: Tensor) -> Tensor:
        """Super-resolve.

        Args:
            x: (n, channels, y, x) float32.

        Returns:
            (n, scale y, scale x) float32 in the same unit.
        """
        rows, columns = x.shape[-2:]
        scale = self.config.scale
        image = self.image(self.continued(x))[..., : scale * rows, : scale * columns].float()
        if self.config.residual:
            image = image + enlarged(x.mean(dim=1, keepdim=True), scale)
        return (self.bound(image) if self.config.bounded else image)[:, 0]

    def with_spread(self, x: Tensor, strips: int = 1) -> tuple[Tensor, Tensor | None]:
        """Super-resolve, and say how wrong the result may be.

        Args:
            x: as in `forward`.
            strips: see `rdl_models.architecture.EstimatesError`; a field that is too large is computed in tiles
                instead (`rdl_models.sr.tiles`).

        Returns:
            The image and its standard error, each (n, scale y, scale x); None for the error without that head.
        """
        del strips
        image = self(x)
        return image, self.spread_of(x, image)

    def spread_of(self, x: Tensor, image: Tensor) -> Tensor | None:
        """Return the standard error of an image (n, scale y, scale x) that was made of (n, channels, y, x)."""
        if self.spread is None:
            return None
        shown = x.mean(dim=1, keepdim=True)
        told: Tensor = self.spread(shown, image[:, None], enlarged(shown, self.config.scale))
        return told

    def new_spread(self, hidden: int) -> None:
        """Put a new head of so many channels, which knows nothing yet, in place of the one that says the error.

        Raises:
            ValueError: so many channels make no head.
        """
        self.config = replace(self.config, spread=hidden)
        self.spread = SpreadHead(hidden, self.config.scale) if hidden else None

    def continued(self, x: Tensor) -> Tensor:
        """Return the input with sides that are multiples of `multiple`, its last row and column repeated."""
        more = [-length % self.multiple for length in x.shape[-2:]]
        return functional.pad(x, (0, more[1], 0, more[0]), mode="replicate") if any(more) else x

    def _begin(self, last: nn.Conv2d | nn.Conv3d) -> None:
        """Have a correction begin with none."""
        if self.config.residual:
            nn.init.zeros_(last.weight)


def enlarged(x: Tensor, scale: int) -> Tensor:
    """Return images (n, channels, y, x) on a finer grid, bicubic, corners kept."""
    return functional.interpolate(x, scale_factor=scale, mode="bicubic") if scale > 1 else x


def halvings(depth: int, scale: int) -> int:
    """Return `SrNetwork.multiple` of a network that halves the finer grid so often."""
    whole = 1 << depth
    return whole // gcd(whole, scale)


def architecture(
    name: str,
    config: type[SrConfig],
    network: type[SrNetwork],
    *,
    words: str,
    small: Size,
    recipe: Recipe,
    learning_rate: float = 1e-4,
) -> Architecture:
    """Return the entry of a network.

    Args:
        name: as the command line says it.
        config: its configuration, of the published size by default.
        network: the network.
        words: what it does, after "a network that super-resolves ... in one step: ".
        small: a size that two CPU cores can train.
        recipe: the paper's loss.
        learning_rate: the paper's.
    """

    def sample(made: SrConfig) -> tuple[Sample, ...]:
        return (Light().images("frames", made.channels),)

    def fields(wanted: Mapping[str, Any], _scenes: Scenes) -> dict[str, Any]:
        """Unlike the published network ours gives photons, which have no bounds."""
        return {**vars(config(residual=True)), **wanted}

    return Architecture(
        name=name,
        config=config,
        network=network,
        takes=Image.ONE,
        gives=Image.FINER,
        task=Task.SUPER_RESOLUTION,
        words=f"super-resolves widefield images or SIM frames in one step ({words})",
        sample=sample,
        fields=fields,
        suits=_suits,
        learning_rate=learning_rate,
        small=small,
        recipe=recipe,
    )


def _suits(config: SrConfig, scenes: Scenes) -> None:
    if config.channels != 1 and scenes.frames != {config.channels}:
        raise ConfigError(
            f"a network for {config.channels} frames cannot be trained on scenes of {sorted(scenes.frames)}"
        )
