"""DFCAN, the deep Fourier channel attention network: a super-resolved image straight from diffraction-limited ones.

Qiao et al., "Evaluation and development of deep neural networks for image super-resolution in optical microscopy",
Nat. Methods 18, 194 (2021), 10.1038/s41592-020-01048-5, Fig. 1. From one widefield image, or from the frames of a SIM
series. Published: 64 channels, 4 groups of 4 blocks with Fourier channel attention, pixel shuffle, sigmoid; 1.9 million
parameters. Trained on the mean square error and 0.1 (1 - SSIM), Adam at 1e-4. The sigmoid needs images normalised to
0 ... 1, so that photons are lost; it is left out (`rdl_models.sr.network`).
"""

from rdl_models.recipe import Recipe, Size
from rdl_models.sr.attention import FOURIER, FourierChannelAttention
from rdl_models.sr.groups import FourierConfig, Groups
from rdl_models.sr.network import architecture

__all__ = ["ARCHITECTURE", "Dfcan", "DfcanConfig", "FourierChannelAttention"]


class DfcanConfig(FourierConfig):
    """Size of the network; by default as published."""


class Dfcan(Groups):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    attention = FOURIER

    def __init__(self, config: DfcanConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__(config or DfcanConfig())


ARCHITECTURE = architecture(
    "dfcan",
    DfcanConfig,
    Dfcan,
    words="residual groups with Fourier channel attention",
    small=Size({"width": 32, "groups": 3, "blocks": 3, "window": 64}),
    recipe=Recipe(ssim=0.1),
)
