"""Our own fast denoiser: a light residual network in the object plane, between two steps of physics.

It never sees raw frames, orientations or phases. The physics before it has projected the series into the object
plane, as Wiener images of different damping on the 2x grid; the physics after it weighs its answer against the data
(see `rdl_live.restore`). So one network serves any number of orientations and phases, any pattern and any pixel.

Pixel-unshuffle by 4, then dense 3x3 convolutions: memory traffic, not arithmetic, decides on a CPU, and this shape
moves the least. There are no norms and no biases, so f(a x) = a f(x): intensities scale exactly, and noise levels that
were not trained are met more gracefully (Mohan et al. 2020, arXiv:1906.05478).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

UNSHUFFLE = 4
"""Pixels (each way) that go into the channels."""
BORDER = 2 * UNSHUFFLE
"""Pixels by which the image is continued periodically: the convolutions see zeros beyond (a third of the time that
periodic convolutions take)."""


@dataclass(frozen=True)
class ObjectPlaneConfig:
    """Size of the network."""

    images: int = 3
    """Wiener images in the input, from the sharpest to the smoothest."""
    maps: int = 1
    """Further input channels (noise map)."""
    width: int = 64
    """Channels of the body."""
    blocks: int = 5
    """Residual blocks of two convolutions."""

    def __post_init__(self) -> None:
        for name, low, high in (("images", 1, 8), ("maps", 0, 8), ("width", 1, 512), ("blocks", 1, 64)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")


class ObjectPlane(nn.Module):
    """(n, images + maps, y, x) -> (n, y, x), any y and x; taken as periodic, like the grid that it works on."""

    def __init__(self, config: ObjectPlaneConfig | None = None) -> None:
        """Make a network that at first returns the middle one of its input images."""
        super().__init__()
        self.config = config = config or ObjectPlaneConfig()
        cells = UNSHUFFLE**2
        self.stem = _conv((config.images + config.maps) * cells, config.width)
        self.body = nn.ModuleList(_Block(config.width) for _ in range(config.blocks))
        self.head = _conv(config.width, cells)
        self.blend = nn.Parameter(torch.eye(config.images)[config.images // 2].clone())
        nn.init.zeros_(self.head.weight)
        # Channels last is what CPUs and tensor cores convolve quickest.
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Denoise.

        Args:
            x: (n, images + maps, y, x) float32; all channels in the same unit.

        Returns:
            (n, y, x) float32 in that unit.
        """
        rows, columns = x.shape[-2:]
        features = functional.pixel_unshuffle(_bordered(x), UNSHUFFLE).contiguous(memory_format=torch.channels_last)
        features = functional.relu(self.stem(features))  # (n, width, y / 4, x / 4)
        for block in self.body:
            features = block(features)
        residual = functional.pixel_shuffle(self.head(features).float(), UNSHUFFLE)[:, 0]  # (n, y, x)
        blended = torch.einsum("nixy,i->nxy", x[:, : self.config.images], self.blend)
        return blended + residual[:, BORDER : BORDER + rows, BORDER : BORDER + columns]


class _Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width)
        # Starts as a small change to the identity, so that depth does not hurt the first steps.
        with torch.no_grad():
            self.second.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(functional.relu(self.first(x)))
        return x + changed


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


def _bordered(x: Tensor) -> Tensor:
    """Mirror the last rows and columns until both sizes are multiples of `UNSHUFFLE`, and add the periodic border."""
    rows, columns = x.shape[-2:]
    more = (-columns % UNSHUFFLE, -rows % UNSHUFFLE)
    if any(more):
        mode = "reflect" if min(rows, columns) > UNSHUFFLE else "replicate"
        x = functional.pad(x, (0, more[0], 0, more[1]), mode=mode)
    mode = "circular" if min(x.shape[-2:]) >= BORDER else "replicate"
    return functional.pad(x, (BORDER,) * 4, mode=mode)
