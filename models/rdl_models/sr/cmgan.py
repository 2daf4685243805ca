"""CMGAN, the cross-modality GAN: a residual U-Net that learns against a discriminator.

Wang et al., Nat. Methods 16, 103 (2019), 10.1038/s41592-018-0239-0, Methods. On the finer grid (the input is enlarged
first): 4 levels down, each x + lrelu(conv(lrelu(conv(lrelu(conv(x)))))), x padded with channels of zeros, 64, 128, 256
and 512 channels, means of 2 x 2 in between; a convolution at the bottom; 4 levels up, each bilinear to the finer grid,
the skip beside it, and three convolutions with leaky rectifiers, which divide the channels by four (256, 128, 64, 32);
a last one from 32 channels to the image. Slopes of 0.1. Discriminator: conv64, 5 blocks of two convolutions of which
the second halves the grid and doubles the channels (to 2048), the mean over the field, two dense layers. The
generator's loss adds to the adversarial term the mean square error and the structural similarity, Adam at 1e-4 and 1e-5
for the discriminator.

What is written of the paper's channels is those at the ends of levels: within one all convolutions have those of its
end here. The weights of the loss are not the paper's, which depend on the range of its images: MSE + 0.1 (1 - SSIM) +
0.1 x the adversarial term, with three steps of the generator for one of the discriminator, as for DFGAN. Intensities
pass as they are, nothing is bounded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.recipe import Adversary, Recipe, Size
from rdl_models.sr.critics import FieldCritic
from rdl_models.sr.layers import conv_of
from rdl_models.sr.network import SrConfig, SrNetwork, architecture, enlarged, halvings

_SLOPE = 0.1
LEVELS = 4


@dataclass(frozen=True, kw_only=True)
class CmganConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 64
    """Channels of the first level, a multiple of 2."""
    critic_width: int = 64
    """First channels of the discriminator, which only helps in training."""
    critic_blocks: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 2:
            raise ValueError(f"width must be a multiple of 2, got {self.width}")

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (2, 128), "critic_width": (1, 128), "critic_blocks": (1, 6)}


class Cmgan(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    def __init__(self, config: CmganConfig | None = None) -> None:
        """Make a generator, of the published size by default."""
        config = config or CmganConfig()
        super().__init__(config)
        widths = [config.width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(
            _Down(before, after) for before, after in zip([config.channels, *widths], widths, strict=False)
        )
        self.bottom = conv_of(3, widths[-1], widths[-1], slope=_SLOPE)
        risen = [width // 2 for width in widths]
        below = [*risen[1:], widths[-1]]
        self.up = nn.ModuleList(_three(below[level] + widths[level], risen[level]) for level in range(LEVELS))
        self.last = conv_of(3, risen[0], 1)
        self._begin(self.last)
        self.multiple = halvings(LEVELS, config.scale)
        self.reach = -(-176 // config.scale) + 3

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        features = enlarged(x, self.config.scale)
        skips: list[Tensor] = []
        for level in self.down:
            features = level(features)
            skips.append(features)
            features = functional.avg_pool2d(features, 2)
        features = self.bottom(features)
        for level, skip in reversed(list(zip(self.up, skips, strict=True))):
            finer = functional.interpolate(features, scale_factor=2, mode="bilinear")
            features = level(torch.cat([finer, skip], dim=1))
        image: Tensor = self.last(features)
        return image


class _Down(nn.Module):
    """x, with channels of zeros, + three convolutions of it; these alone where x has more channels than they."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self._more = width - channels
        self.layers = _three(channels, width)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.layers(x)
        if self._more < 0:
            return changed
        return functional.pad(x, (0, 0, 0, 0, 0, self._more)) + changed


def _three(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(3):
        layers += [conv_of(3, channels if index == 0 else width, width, slope=_SLOPE), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers)


def critic(config: CmganConfig) -> nn.Module:
    """Return the discriminator."""
    return FieldCritic(config.critic_width, config.critic_blocks, strided=True, first=False, hidden=None)


ARCHITECTURE = architecture(
    "cmgan",
    CmganConfig,
    Cmgan,
    words="a residual U-Net against a discriminator",
    small=Size({"width": 16, "critic_width": 8, "critic_blocks": 4}, 5e-4),
    recipe=Recipe(ssim=0.1, adversary=Adversary(critic, weight=0.1, rate=0.1)),
)
