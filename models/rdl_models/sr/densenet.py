"""DenseNet, plain and with spatial or Fourier channel attention: three networks of the comparison of Qiao et al. 2021.

Blocks as in Tong et al., "Image super-resolution using dense skip connections", ICCV 2017, 10.1109/ICCV.2017.514, after
Huang et al. 2017, arXiv:1608.06993: 8 convolutions of 3 x 3 with rectifiers, each of which gives 16 channels and is
given those of all before it; a block gives the 128 that it made; a convolution of 1 x 1 over the outputs of all blocks
is the bottleneck (256 channels). No normalisation, as in Tong et al. Qiao et al., Nat. Methods 18, 194 (2021),
10.1038/s41592-020-01048-5: 3 blocks of 8, the attention at the end of each; mean square error + 0.1 (1 - SSIM), Adam at
1e-4. The paper does not give growth and bottleneck; they are those of Tong et al., and the image on the finer grid is
made as DFCAN's is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.recipe import Recipe, Size
from rdl_models.sr.attention import FOURIER, NONE, SPATIAL, gate
from rdl_models.sr.fourier_config import FourierFields
from rdl_models.sr.layers import ShuffleTail, conv_of
from rdl_models.sr.network import SrConfig, SrNetwork, architecture


@dataclass(frozen=True, kw_only=True)
class DensenetConfig(SrConfig):
    """Size of the network; by default as published."""

    stem: int = 64
    """Channels of the first convolution."""
    growth: int = 16
    """Channels that each convolution adds."""
    blocks: int = 3
    layers: int = 8
    """Of a block."""
    bottleneck: int = 256

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"stem": (1, 512), "growth": (1, 128), "blocks": (1, 16), "layers": (1, 16), "bottleneck": (1, 512)}


@dataclass(frozen=True, kw_only=True)
class DensenetFcaConfig(FourierFields, DensenetConfig):
    """The same with Fourier attention."""


class Densenet(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    attention = NONE

    def __init__(self, config: DensenetConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        config = config or DensenetConfig()
        super().__init__(config)
        gamma, window = getattr(config, "gamma", 1.0), getattr(config, "window", 8)
        wide = config.growth * config.layers
        self.stem = conv_of(3, config.channels, config.stem)
        self.blocks = nn.ModuleList(
            _Block(config.stem + wide * index, config.growth, config.layers) for index in range(config.blocks)
        )
        self.attentions = nn.ModuleList(gate(self.attention, wide, gamma, window) for _ in range(config.blocks))
        self.waist = conv_of(1, config.stem + wide * config.blocks, config.bottleneck)
        self.tail = ShuffleTail(config.bottleneck, config.scale, activated=True)
        self._begin(self.tail.last)
        self.reach = config.blocks * config.layers + 5

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        known = functional.relu(self.stem(x))
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            known = torch.cat([known, attention(block(known))], dim=1)
        image: Tensor = self.tail(functional.relu(self.waist(known)))
        return image


class DensenetSca(Densenet):
    """With spatial attention."""

    attention = SPATIAL


class DensenetFca(Densenet):
    """With Fourier attention."""

    attention = FOURIER

    def __init__(self, config: DensenetFcaConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__(config or DensenetFcaConfig())


class _Block(nn.Module):
    """(n, channels, y, x) -> (n, layers x growth, y, x): what its convolutions made, without its input."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self._channels = channels
        self.layers = nn.ModuleList(conv_of(3, channels + growth * index, growth) for index in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, functional.relu(layer(x))], dim=1)
        return x[:, self._channels :]


_SMALL = {"stem": 24, "growth": 8, "layers": 6, "bottleneck": 48}
PLAIN = architecture(
    "densenet",
    DensenetConfig,
    Densenet,
    words="a DenseNet",
    small=Size(_SMALL),
    recipe=Recipe(ssim=0.1),
)
SCA = architecture(
    "densenet-sca",
    DensenetConfig,
    DensenetSca,
    words="a DenseNet with spatial channel attention",
    small=Size(_SMALL),
    recipe=Recipe(ssim=0.1),
)
FCA = architecture(
    "densenet-fca",
    DensenetFcaConfig,
    DensenetFca,
    words="a DenseNet with Fourier channel attention",
    small=Size({**_SMALL, "window": 64}),
    recipe=Recipe(ssim=0.1),
)
