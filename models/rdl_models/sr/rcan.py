"""RCAN, the residual channel attention network, as its authors published it.

Zhang et al., ECCV 2018, arXiv:1807.02758, section 3 and 4.1: conv64; 10 groups of 20 blocks (conv - relu - conv -
channel attention of waist 64 / 16, and a skip), a convolution and a skip around each group and around all of them;
conv, pixel shuffle, conv. Trained on the mean absolute error, Adam at 1e-4. (`rdl_models.blocks` has the variant with
leaky rectifiers of the rDL denoiser.)
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.blocks import START
from rdl_models.recipe import Distance, Recipe, Size
from rdl_models.sr.attention import SpatialAttention
from rdl_models.sr.layers import ShuffleTail, conv_of
from rdl_models.sr.network import SrConfig, SrNetwork, architecture


@dataclass(frozen=True, kw_only=True)
class RcanConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 64
    groups: int = 10
    blocks: int = 20
    """Of a group."""

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (1, 512), "groups": (1, 32), "blocks": (1, 64)}


class Rcan(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    def __init__(self, config: RcanConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        config = config or RcanConfig()
        super().__init__(config)
        self.stem = conv_of(3, config.channels, config.width)
        self.groups = nn.Sequential(*(_Group(config.width, config.blocks) for _ in range(config.groups)))
        self.end = _quiet(config.width)
        self.tail = ShuffleTail(config.width, config.scale)
        self._begin(self.tail.last)
        self.reach = config.groups * (2 * config.blocks + 1) + 5

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        features = self.stem(x)
        image: Tensor = self.tail(features + self.end(self.groups(features)))
        return image


class _Group(nn.Module):
    """x + conv(blocks(x))."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.end = _quiet(width)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.end(self.blocks(x))
        return x + changed


class _Block(nn.Module):
    """x + attention(conv(relu(conv(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv_of(3, width, width), _quiet(width)
        self.attention = SpatialAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.attention(self.second(functional.relu(self.first(x))))
        return x + changed


def _quiet(width: int) -> nn.Conv2d:
    """Return a convolution that changes little at first: 200 blocks in a row would multiply otherwise."""
    made = conv_of(3, width, width)
    with torch.no_grad():
        made.weight *= START
    return made


ARCHITECTURE = architecture(
    "rcan",
    RcanConfig,
    Rcan,
    words="residual groups with spatial channel attention, much deeper",
    small=Size({"width": 32, "groups": 3, "blocks": 3}),
    recipe=Recipe(Distance.L1),
)
