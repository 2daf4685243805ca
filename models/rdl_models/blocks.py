"""What the published networks are built of: residual blocks with channel attention (RCAN), in the plane or in space.

Zhang et al., ECCV 2018, arXiv:1807.02758, eq. 5 to 10, without its normalisation-free tail; as used for SIM in
Qiao et al., Nat. Biotechnol. 2022, 10.1038/s41587-022-01471-3. No normalisation layers: they would undo the photons.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Of the leaky rectifiers."""
START = 0.1
"""Size of what a block adds at first, relative to a usual layer."""
SQUEEZE = 16
"""Channels per channel of the attention's waist."""


class ChannelAttention(nn.Module):
    """x times one number for each channel, decided from the channels' means: sigmoid(W2 relu(W1 mean(x))).

    The means are those of the whole field. To compute a field tile by tile they are held at given values, see
    `rdl_models.tiles`.
    """

    def __init__(self, channels: int, dims: int = 2) -> None:
        """Make it for `channels` channels of images (`dims` 2) or stacks (3)."""
        super().__init__()
        waist = max(1, channels // SQUEEZE)
        self.down, self.up = nn.Linear(channels, waist), nn.Linear(waist, channels)
        self._axes = tuple(range(-dims, 0))
        self.seen: Tensor | None = None
        """Means of the last input, (n, channels)."""
        self.held: Tensor | None = None
        """Means to use in place of the input's own, (n, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, channels, ...)."""
        means = x.mean(dim=self._axes) if self.held is None else self.held
        self.seen = means.detach()
        gains = torch.sigmoid(self.up(functional.relu(self.down(means))))  # (n, channels)
        return x * gains.reshape(*gains.shape, *(1 for _ in self._axes))


class Rcab(nn.Module):
    """x + attention(lrelu(conv(lrelu(conv(x))))), (n, width, ...) to the same."""

    def __init__(self, width: int, dims: int = 2) -> None:
        """Make it for images (`dims` 2) or stacks (3)."""
        super().__init__()
        self.first, self.second = conv(width, width, dims), conv(width, width, dims)
        self.attention = ChannelAttention(width, dims)
        # Without normalisation a chain of 50 blocks would multiply its input by 10^5 at first.
        with torch.no_grad():
            self.second.weight *= START

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        changed: Tensor = self.attention(lrelu(self.second(lrelu(self.first(x)))))
        return x + changed


class ResidualGroup(nn.Module):
    """x + blocks(x), (n, width, ...) to the same."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        """Chain the blocks."""
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        changed: Tensor = self.blocks(x)
        return x + changed


def rcan_groups(groups: int, blocks: int, width: int, dims: int = 2) -> nn.Sequential:
    """Return `groups` residual groups of `blocks` RCABs each."""
    return nn.Sequential(*(ResidualGroup([Rcab(width, dims) for _ in range(blocks)]) for _ in range(groups)))


def conv(channels_in: int, channels_out: int, dims: int = 2) -> nn.Conv2d | nn.Conv3d:
    """Return a convolution of 3 samples each way, with bias, that keeps the size."""
    kind = _Conv3d if dims == 3 else nn.Conv2d
    made = kind(channels_in, channels_out, 3, padding=1)
    nn.init.kaiming_normal_(made.weight, a=SLOPE)
    nn.init.zeros_(made.bias)  # type: ignore[arg-type]  # it has one
    return made


class _Conv3d(nn.Conv3d):
    """A convolution in space of 3 samples each way, as three in the plane: 6 to 10 times as quick on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, z, y, x) -> (n, channels out, z, y, x)."""
        n, channels, z, y, x = input.shape
        kernels = self.weight.permute(2, 0, 1, 3, 4).reshape(-1, channels, *self.kernel_size[1:])
        planes = input.transpose(1, 2).reshape(n * z, channels, y, x)
        parts = functional.conv2d(planes, kernels, padding=1).reshape(n, z, 3, self.out_channels, y, x)
        # Plane z takes the first kernel of what is above it, the second of itself, the third of what is below.
        above = functional.pad(parts[:, :-1, 0], (0, 0, 0, 0, 0, 0, 1, 0))
        below = functional.pad(parts[:, 1:, 2], (0, 0, 0, 0, 0, 0, 0, 1))
        out = (parts[:, :, 1] + above + below).transpose(1, 2)
        return out if self.bias is None else out + self.bias[:, None, None, None]


def lrelu(x: Tensor) -> Tensor:
    """Leaky rectifier."""
    return functional.leaky_relu(x, SLOPE)


def attentions(network: nn.Module) -> Iterator[ChannelAttention]:
    """Go through the channel attentions of a network."""
    return (part for part in network.modules() if isinstance(part, ChannelAttention))
