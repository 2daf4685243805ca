"""U-Net, plain and with spatial or Fourier channel attention: three networks of the comparison of Qiao et al. 2021.

Ronneberger et al., MICCAI 2015, arXiv:1505.04597: at each level two convolutions of 3 x 3 with rectifiers, maxima of
2 x 2 on the way down, transposed convolutions of 2 x 2 and a skip on the way up; channels double with each level.
Qiao et al., Nat. Methods 18, 194 (2021), 10.1038/s41592-020-01048-5: three levels down and three up, the attention at
the end of each level's block; mean square error + 0.1 (1 - SSIM), Adam at 1e-4. Convolutions keep the size here (the
original loses their border), and the image on the finer grid is made as DFCAN's is (conv - gelu - shuffle - conv),
since the paper does not say how its U-Net gets there.
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
class UnetConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 64
    """Channels of the first level."""
    depth: int = 3
    """Halvings of the grid."""

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (1, 128), "depth": (1, 5)}


@dataclass(frozen=True, kw_only=True)
class UnetFcaConfig(FourierFields, UnetConfig):
    """The same with Fourier attention."""


class Unet(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    attention = NONE

    def __init__(self, config: UnetConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        config = config or UnetConfig()
        super().__init__(config)
        widths = [config.width * 2**level for level in range(config.depth + 1)]
        self.down = nn.ModuleList(
            self._level(config.channels if level == 0 else widths[level - 1], widths[level], level)
            for level in range(config.depth)
        )
        self.bottom = self._level(widths[-2], widths[-1], config.depth)
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2) for level in range(config.depth)
        )
        self.up = nn.ModuleList(self._level(2 * widths[level], widths[level], level) for level in range(config.depth))
        self.tail = ShuffleTail(config.width, config.scale, activated=True)
        self._begin(self.tail.last)
        self.multiple = 2**config.depth
        self.reach = 2 * (2 * (self.multiple - 1) + self.multiple) + self.multiple + 4

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        skips: list[Tensor] = []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for rise, level, skip in reversed(list(zip(self.rise, self.up, skips, strict=True))):
            x = level(torch.cat([skip, rise(x)], dim=1))
        image: Tensor = self.tail(x)
        return image

    def _level(self, channels: int, width: int, level: int) -> nn.Module:
        gamma, window = getattr(self.config, "gamma", 1.0), getattr(self.config, "window", 8)
        return nn.Sequential(
            conv_of(3, channels, width),
            nn.ReLU(),
            conv_of(3, width, width),
            nn.ReLU(),
            gate(self.attention, width, gamma, window, 2**level),
        )


class UnetSca(Unet):
    """With spatial attention."""

    attention = SPATIAL


class UnetFca(Unet):
    """With Fourier attention."""

    attention = FOURIER

    def __init__(self, config: UnetFcaConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__(config or UnetFcaConfig())


PLAIN = architecture(
    "unet",
    UnetConfig,
    Unet,
    words="a U-Net",
    small=Size({"width": 16}),
    recipe=Recipe(ssim=0.1),
)
SCA = architecture(
    "unet-sca",
    UnetConfig,
    UnetSca,
    words="a U-Net with spatial channel attention",
    small=Size({"width": 16}),
    recipe=Recipe(ssim=0.1),
)
FCA = architecture(
    "unet-fca",
    UnetFcaConfig,
    UnetFca,
    words="a U-Net with Fourier channel attention",
    small=Size({"width": 16, "window": 64}),
    recipe=Recipe(ssim=0.1),
)
