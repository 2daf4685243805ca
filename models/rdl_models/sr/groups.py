"""The trunk of DFCAN and its relatives: residual groups of blocks with an attention, on the grid of the input.

    conv - gelu - groups x (blocks x [x + attention(gelu(conv(gelu(conv(x)))))] + x) - conv - gelu - shuffle - conv

Qiao et al., Nat. Methods 18, 194 (2021), 10.1038/s41592-020-01048-5, Fig. 1 and Supplementary Fig. 2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.blocks import START, ResidualGroup, conv
from rdl_models.sr.attention import gate
from rdl_models.sr.fourier_config import FourierFields
from rdl_models.sr.network import SrConfig, SrNetwork


@dataclass(frozen=True, kw_only=True)
class GroupsConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 64
    groups: int = 4
    blocks: int = 4
    """Of a group."""

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (2, 512), "groups": (1, 32), "blocks": (1, 64)}


@dataclass(frozen=True, kw_only=True)
class FourierConfig(FourierFields, GroupsConfig):
    """Of a network with Fourier attention."""


class Groups(SrNetwork):
    """See above."""

    attention = "none"

    def __init__(self, config: GroupsConfig) -> None:
        """Make a network."""
        super().__init__(config)
        width = config.width
        self.stem = conv(config.channels, width)
        self.groups = nn.Sequential(
            *(ResidualGroup([self._block() for _ in range(config.blocks)]) for _ in range(config.groups))
        )
        self.widen = conv(width, width * config.scale**2)
        with torch.no_grad():
            self.widen.weight *= 0.5**config.groups  # each group doubles its input at first
        self.last = conv(width, 1)
        self._begin(self.last)
        self.reach = 2 * config.groups * config.blocks + 4

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        features = self.groups(functional.gelu(self.stem(x)))  # (n, width, y, x)
        features = functional.pixel_shuffle(functional.gelu(self.widen(features)), self.config.scale)
        image: Tensor = self.last(features)
        return image

    def _block(self) -> nn.Module:
        config = self.config
        gamma, window = getattr(config, "gamma", 1.0), getattr(config, "window", 8)
        return Block(config.width, gate(self.attention, config.width, gamma, window))


class Block(nn.Module):
    """x + attention(gelu(conv(gelu(conv(x)))))."""

    def __init__(self, width: int, attention: nn.Module) -> None:
        """Make it for features (n, width, y, x)."""
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)
        self.attention = attention
        with torch.no_grad():
            self.second.weight *= START

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        changed: Tensor = self.attention(functional.gelu(self.second(functional.gelu(self.first(x)))))
        return x + changed
