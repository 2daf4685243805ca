"""ResNet: DFCAN without attention.

The comparison of Qiao et al., Nat. Methods 18, 194 (2021), 10.1038/s41592-020-01048-5: residual blocks (He et al. 2016,
10.1109/CVPR.2016.90) alone, everything else as in `rdl_models.dfcan`, its sigmoid left out as there.
"""

from rdl_models.recipe import Recipe, Size
from rdl_models.sr.attention import NONE
from rdl_models.sr.groups import Groups, GroupsConfig
from rdl_models.sr.network import architecture


class ResnetConfig(GroupsConfig):
    """Size of the network; by default as published."""


class Resnet(Groups):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    attention = NONE

    def __init__(self, config: ResnetConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__(config or ResnetConfig())


ARCHITECTURE = architecture(
    "resnet",
    ResnetConfig,
    Resnet,
    words="residual groups without attention",
    small=Size({"width": 32, "groups": 3, "blocks": 3}),
    recipe=Recipe(ssim=0.1),
)
