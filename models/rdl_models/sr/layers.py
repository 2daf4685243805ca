"""Small parts that several networks are built of."""

from torch import Tensor, nn
from torch.nn import functional


def conv_of(kernel: int, channels_in: int, channels_out: int, *, slope: float = 0.0) -> nn.Conv2d:
    """Return a convolution of `kernel` samples each way, odd, with bias, that keeps the size.

    Args:
        kernel: samples each way.
        channels_in: of what it takes.
        channels_out: of what it gives.
        slope: of the leaky rectifier that follows, for the size of the first weights.
    """
    made = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)
    nn.init.kaiming_normal_(made.weight, a=slope)
    nn.init.zeros_(made.bias)  # type: ignore[arg-type]  # it has one
    return made


class ShuffleTail(nn.Module):
    """Features to a finer image: conv - pixel shuffle - conv, as EDSR and RCAN end for factors 2 and 3.

    Shi et al. 2016, arXiv:1609.05158; with an activation in between for those that end as DFCAN does.
    """

    def __init__(self, width: int, scale: int, *, activated: bool = False) -> None:
        """Make it for features (n, width, y, x)."""
        super().__init__()
        self._scale, self._activated = scale, activated
        self.widen = conv_of(3, width, width * scale**2)
        self.last = conv_of(3, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width, y, x) -> (n, 1, scale y, scale x)."""
        wide = self.widen(features)
        wide = functional.gelu(wide) if self._activated else wide
        image: Tensor = self.last(functional.pixel_shuffle(wide, self._scale))
        return image
