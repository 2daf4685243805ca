"""Discriminators: they judge whether an image is a true one. They only help in training and see no field of a user."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.1


class FieldCritic(nn.Module):
    """One number for an image: blocks of two convolutions, the mean over the field, two dense layers.

    That of DFGAN (Qiao et al. 2021, 10.1038/s41592-020-01048-5, published code): `strided` False. That of the
    cross-modality GAN (Wang et al. 2019, 10.1038/s41592-018-0239-0): the second convolution of a block halves the grid
    and doubles the channels.
    """

    def __init__(self, width: int, blocks: int, *, strided: bool, first: bool, hidden: int | None) -> None:
        """Make it.

        Args:
            width: first channels.
            blocks: how many.
            strided: whether grids are halved.
            first: whether the first block keeps the channels.
            hidden: of the dense layers; as many as the last channels where None.
        """
        super().__init__()
        widths = [width] + [width * 2 ** (index if first else index + 1) for index in range(blocks)]
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.LeakyReLU(_SLOPE)]
        for before, after in pairwise(widths):
            inner = before if strided else after
            layers += [nn.Conv2d(before, inner, 3, padding=1), nn.LeakyReLU(_SLOPE)]
            layers += [nn.Conv2d(inner, after, 3, stride=2 if strided else 1, padding=1), nn.LeakyReLU(_SLOPE)]
        self.layers = nn.Sequential(*layers)
        hidden = hidden or widths[-1]
        self.dense = nn.Sequential(nn.Linear(widths[-1], hidden), nn.LeakyReLU(_SLOPE), nn.Linear(hidden, 1))

    def forward(self, image: Tensor, _widefield: Tensor) -> Tensor:
        """Return logits (n, 1) of images (n, 1, y, x)."""
        logits: Tensor = self.dense(self.layers(image).mean(dim=(-2, -1)))
        return logits


class PatchCritic(nn.Module):
    """A number for each patch of 70 x 70 pixels, from the image and what it was made of (PatchGAN).

    Isola et al. 2017, arXiv:1611.07004, Appendix 6.1.2: C64-C128-C256-C512, kernels of 4, the first three of stride 2,
    batch normalisation but for the first, leaky rectifiers of slope 0.2, and a convolution to one channel. The batch's
    own mean and variance are used, as the authors do.
    """

    def __init__(self, width: int) -> None:
        """Make it with so many first channels (64 in the paper)."""
        super().__init__()
        widths = [2, width, 2 * width, 4 * width, 8 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=1 if index == 3 else 2, padding=1)
            for index, (before, after) in enumerate(pairwise(widths))
        )
        self.last = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, image: Tensor, widefield: Tensor) -> Tensor:
        """Return logits (n, 1, rows, columns) of images and the enlarged widefield images, both (n, 1, y, x)."""
        features = torch.cat([widefield, image], dim=1)
        for index, layer in enumerate(self.layers):
            features = layer(features)
            if index > 0:
                features = functional.batch_norm(features, None, None, training=True)
            features = functional.leaky_relu(features, 0.2)
        logits: Tensor = self.last(features)
        return logits
