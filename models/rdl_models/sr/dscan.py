"""DSCAN: DFCAN with spatial channel attention in place of Fourier channel attention.

The comparison of Qiao et al., Nat. Methods 18, 194 (2021), 10.1038/s41592-020-01048-5: the channels' means decide
(Zhang et al. 2018, arXiv:1807.02758), everything else is as in `rdl_models.dfcan`. The sigmoid at its end is left out
there and here.
"""

from rdl_models.recipe import Recipe, Size
from rdl_models.sr.attention import SPATIAL
from rdl_models.sr.groups import Groups, GroupsConfig
from rdl_models.sr.network import architecture


class DscanConfig(GroupsConfig):
    """Size of the network; by default as published."""


class Dscan(Groups):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    attention = SPATIAL

    def __init__(self, config: DscanConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__(config or DscanConfig())


ARCHITECTURE = architecture(
    "dscan",
    DscanConfig,
    Dscan,
    words="residual groups with spatial channel attention",
    small=Size({"width": 32, "groups": 3, "blocks": 3}),
    recipe=Recipe(ssim=0.1),
)
