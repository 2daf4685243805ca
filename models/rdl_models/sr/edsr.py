"""EDSR, the enhanced deep residual network.

Lim et al., CVPR workshops 2017, arXiv:1707.02921, Table 1 and Fig. 3: conv to 256 channels; 32 blocks of conv - relu -
conv whose change counts 0.1; conv and a skip over all of it; conv, pixel shuffle, conv. No normalisation. Trained on
the mean absolute error, Adam at 1e-4. 43 million parameters for colour pictures in the paper's table (of all factors);
`small` in the paper: 16 blocks of 64 channels without the scaling (the baseline), here smaller still.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from rdl_models.recipe import Distance, Recipe, Size
from rdl_models.sr.layers import ShuffleTail, conv_of
from rdl_models.sr.network import SrConfig, SrNetwork, architecture


@dataclass(frozen=True, kw_only=True)
class EdsrConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 256
    blocks: int = 32
    share: float = 0.1
    """What the change of a block is multiplied by."""

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (1, 512), "blocks": (1, 128)}

    def numbers(self) -> dict[str, tuple[float, float]]:
        """See `SrConfig`."""
        return {"share": (1e-3, 1)}


class Edsr(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    def __init__(self, config: EdsrConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        config = config or EdsrConfig()
        super().__init__(config)
        self.stem = conv_of(3, config.channels, config.width)
        self.blocks = nn.Sequential(*(_Block(config.width, config.share) for _ in range(config.blocks)))
        self.end = conv_of(3, config.width, config.width)
        self.tail = ShuffleTail(config.width, config.scale)
        self._begin(self.tail.last)
        self.reach = 2 * config.blocks + 5

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        features = self.stem(x)
        image: Tensor = self.tail(features + self.end(self.blocks(features)))
        return image


class _Block(nn.Module):
    """x + share conv(relu(conv(x)))."""

    def __init__(self, width: int, share: float) -> None:
        super().__init__()
        self._share = share
        self.first, self.second = conv_of(3, width, width), conv_of(3, width, width)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(functional.relu(self.first(x)))
        return x + self._share * changed


ARCHITECTURE = architecture(
    "edsr",
    EdsrConfig,
    Edsr,
    words="residual blocks without normalisation",
    small=Size({"width": 32, "blocks": 8}),
    recipe=Recipe(Distance.L1),
)
