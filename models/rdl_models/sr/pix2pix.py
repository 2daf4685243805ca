"""Pix2Pix: a U-Net that learns against a discriminator of patches.

Isola et al., CVPR 2017, arXiv:1611.07004, Appendix 6.1.1: on the finer grid (the input is enlarged first), an encoder
of 8 convolutions of 4 x 4 and stride 2, C64-C128-C256-C512-C512-C512-C512-C512, leaky rectifiers of slope 0.2; a
decoder of transposed ones, CD512-CD512-CD512-C512-C256-C128-C64, rectifiers, skips; a last one to the image and a
hyperbolic tangent. Discriminator: PatchGAN of 70 x 70 (`rdl_models.sr.critics`). Loss: cross entropy + 100 x mean
absolute error; Adam at 2e-4, one step of each in turn.

Left out for photons' sake: the hyperbolic tangent (`bounded` puts it back), and the batch normalisation, which at the
authors' batch of one takes away every feature map's mean and size, so that an image depends on what else is in the
field (`normalised` puts it back; a field is then computed in one piece). Dropout, by which the authors make their
images random, is left out. Sides of the finer grid are continued to a multiple of 2^depth.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.limits import check_flags
from rdl_models.recipe import Adversary, Distance, Recipe, Size
from rdl_models.sr.critics import PatchCritic
from rdl_models.sr.network import SrConfig, SrNetwork, architecture, enlarged, halvings

_SLOPE = 0.2
_EPSILON = 1e-5
_Layer = TypeVar("_Layer", nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 64
    """Channels of the first convolution; they double up to 8 times as many."""
    depth: int = 8
    """Halvings of the finer grid."""
    normalised: bool = False
    """Normalise feature maps over the field, as published."""
    critic_width: int = 64
    """First channels of the discriminator, which only helps in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flags(self, "normalised")

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (1, 128), "depth": (2, 8), "critic_width": (1, 128)}


class Pix2Pix(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    def __init__(self, config: Pix2PixConfig | None = None) -> None:
        """Make a generator, of the published size by default."""
        config = config or Pix2PixConfig()
        super().__init__(config)
        widths = [config.width * min(8, 2**level) for level in range(config.depth)]
        self.down = nn.ModuleList(
            _begun(nn.Conv2d(before, after, 4, stride=2, padding=1))
            for before, after in pairwise([config.channels, *widths])
        )
        # Every level but the deepest is given what the encoder had there as well.
        given = [width * (1 if level == config.depth - 1 else 2) for level, width in enumerate(widths)]
        rises = [
            _begun(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))
            for before, after in zip(given, [1, *widths[:-1]], strict=True)
        ]
        if config.residual:
            nn.init.zeros_(rises[0].weight)
        self.up = nn.ModuleList(rises)
        self.tiles = not config.normalised
        self.multiple = halvings(config.depth, config.scale)
        self.reach = -(-4 * 2**config.depth // config.scale) + 3

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        deepest = len(self.down) - 1
        skips: list[Tensor] = []
        features = enlarged(x, self.config.scale)
        for level, layer in enumerate(self.down):
            features = layer(features if level == 0 else functional.leaky_relu(features, _SLOPE))
            # As in the authors' code neither the first nor the deepest convolution is normalised.
            features = features if level in (0, deepest) else self._normalised(features)
            skips.append(features)
        for level in range(deepest, -1, -1):
            whole = features if level == deepest else torch.cat([features, skips[level]], dim=1)
            features = self.up[level](functional.relu(whole))
            features = features if level == 0 else self._normalised(features)
        return features

    def bound(self, image: Tensor) -> Tensor:
        """Apply the hyperbolic tangent of the paper."""
        return torch.tanh(image)

    def _normalised(self, features: Tensor) -> Tensor:
        """Return feature maps of mean 0 and variance 1 over the field, where the configuration wants that."""
        if not self.config.normalised:
            return features
        variance, mean = torch.var_mean(features, dim=(-2, -1), correction=0, keepdim=True)
        return (features - mean) / (variance + _EPSILON).sqrt()


def _begun(layer: _Layer) -> _Layer:
    """Return a layer with first weights for a leaky rectifier."""
    nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has one
    return layer


def critic(config: Pix2PixConfig) -> nn.Module:
    """Return the discriminator."""
    return PatchCritic(config.critic_width)


ARCHITECTURE = architecture(
    "pix2pix",
    Pix2PixConfig,
    Pix2Pix,
    words="a U-Net of eight levels against a discriminator of patches",
    small=Size({"width": 16, "depth": 5, "critic_width": 16}, 5e-4),
    recipe=Recipe(Distance.L1, weight=100.0, adversary=Adversary(critic, weight=1.0, rate=1.0, generator_steps=1)),
    learning_rate=2e-4,
)
