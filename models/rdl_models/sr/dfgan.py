"""DFGAN: a deeper DFCAN that learns against a discriminator.

Qiao et al., Nat. Methods 18, 194 (2021), 10.1038/s41592-020-01048-5, Fig. 1 and the published code. Generator: 64
channels, 5 groups of 10 blocks with Fourier channel attention (power 0.1). Discriminator: conv32, 5 blocks of two
convolutions (32, 64, 128, 256, 512 channels), leaky rectifiers of slope 0.1, no strides, global mean, 256, 1. Loss of
the generator: mean square error + 0.1 (1 - SSIM) + 0.1 cross entropy; three steps of the generator for one of the
discriminator; Adam at 1e-4 and 2e-5. The generator's sigmoid forbids photons and is left out; the discriminator's is
part of its loss here.
"""

from dataclasses import dataclass

from torch import nn

from rdl_models.recipe import Adversary, Recipe, Size
from rdl_models.sr.attention import FOURIER
from rdl_models.sr.critics import FieldCritic
from rdl_models.sr.groups import FourierConfig, Groups
from rdl_models.sr.network import architecture


@dataclass(frozen=True, kw_only=True)
class DfganConfig(FourierConfig):
    """Size of the network; by default as published."""

    groups: int = 5
    blocks: int = 10
    gamma: float = 0.1
    critic_width: int = 32
    """First channels of the discriminator, which only helps in training."""
    critic_blocks: int = 5

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {**super().sizes(), "critic_width": (1, 64), "critic_blocks": (1, 6)}


class Dfgan(Groups):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    attention = FOURIER

    def __init__(self, config: DfganConfig | None = None) -> None:
        """Make a generator, of the published size by default."""
        super().__init__(config or DfganConfig())


def critic(config: DfganConfig) -> nn.Module:
    """Return the discriminator."""
    return FieldCritic(config.critic_width, config.critic_blocks, strided=False, first=True, hidden=256)


ARCHITECTURE = architecture(
    "dfgan",
    DfganConfig,
    Dfgan,
    words="DFCAN, deeper and against a discriminator",
    small=Size({"width": 32, "groups": 3, "blocks": 3, "window": 64, "critic_width": 8, "critic_blocks": 3}, 5e-4),
    recipe=Recipe(ssim=0.1, adversary=Adversary(critic, weight=0.1, rate=0.2)),
)
