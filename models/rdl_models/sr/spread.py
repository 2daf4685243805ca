"""How wrong a super-resolved image may be: a small head beside any network that super-resolves in one step.

A heteroscedastic head (Kendall and Gal, NIPS 2017, arXiv:1703.04977; Weigert et al., Nat. Methods 15, 1090 (2018)): it
sees what was shown and what was made of it, both on the grid of the input, and says the standard error of every pixel.
No gradient flows back into the image, so that a network makes the same one with and without it. It says what is usual
for images like those that it has learnt from; of a specimen of another kind it knows nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.sr.layers import conv_of

LEAST = 1e-3
"""Least standard error, in units of the field's mean."""
_FIRST = -1.0
"""What the head says at first, before the softplus: a standard error of 0.3 of the field's mean."""


class SpreadHead(nn.Module):
    """(n, 1, y, x) shown and (n, 1, scale y, scale x) made of it -> (n, scale y, scale x), positive."""

    reach = 3
    """Pixels of the input that it sees each way."""

    def __init__(self, hidden: int, scale: int) -> None:
        """Make it with so many channels."""
        super().__init__()
        self._scale = scale
        cells = scale**2
        self.first = conv_of(3, 1 + 2 * cells, hidden)
        self.second = conv_of(3, hidden, hidden)
        self.last = conv_of(3, hidden, cells)
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, _FIRST)  # type: ignore[arg-type]  # it has one

    def forward(self, shown: Tensor, image: Tensor, enlarged: Tensor) -> Tensor:
        """Return the standard error.

        Args:
            shown: the mean of what the network was given, (n, 1, y, x).
            image: what it made of that, (n, 1, scale y, scale x).
            enlarged: what was shown on that grid.
        """
        cells = [functional.pixel_unshuffle(one, self._scale) for one in (image, image - enlarged)]
        x = torch.cat([shown, *cells], dim=1).detach()
        told = self.last(functional.gelu(self.second(functional.gelu(self.first(x)))))
        return functional.softplus(functional.pixel_shuffle(told, self._scale).float())[:, 0] + LEAST
