"""SRCNN: the first convolutional network for super-resolution.

Dong et al., IEEE TPAMI 38, 295 (2016), 10.1109/TPAMI.2015.2439281, section 3: the input is enlarged (bicubic), then a
convolution of 9 x 9 to 64 channels, one of 1 x 1 to 32, one of 5 x 5 to the image ("9-1-5"), with rectifiers in
between; 8032 weights and 97 biases. Trained on the mean square error. The paper takes 1e-4, and 1e-5 for the last
layer, with plain gradient descent; here all layers take 1e-4 with Adam.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from rdl_models.recipe import Recipe, Size
from rdl_models.sr.layers import conv_of
from rdl_models.sr.network import SrConfig, SrNetwork, architecture, enlarged


@dataclass(frozen=True, kw_only=True)
class SrcnnConfig(SrConfig):
    """Size of the network; by default as published."""

    width: int = 64
    waist: int = 32

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {"width": (1, 512), "waist": (1, 512)}


class Srcnn(SrNetwork):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    reach = 9

    def __init__(self, config: SrcnnConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        config = config or SrcnnConfig()
        super().__init__(config)
        self.first = conv_of(9, config.channels, config.width)
        self.second = conv_of(1, config.width, config.waist)
        self.last = conv_of(5, config.waist, 1)
        self._begin(self.last)

    def image(self, x: Tensor) -> Tensor:
        """See `SrNetwork`."""
        features = functional.relu(self.first(enlarged(x, self.config.scale)))
        image: Tensor = self.last(functional.relu(self.second(features)))
        return image


ARCHITECTURE = architecture(
    "srcnn",
    SrcnnConfig,
    Srcnn,
    words="three convolutions",
    small=Size({"width": 32, "waist": 16}),
    recipe=Recipe(),
)
