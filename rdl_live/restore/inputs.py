"""What the network is shown: the series as Wiener images of three dampings, and where how much noise is to be expected.

Everything is in units of the series' mean, so that one network serves all light levels; photon noise grows with the
local light, which the noise map tells.
"""

import torch
from torch import Tensor, nn

from rdl_live.restore.evidence import Evidence
from rdl_models import ObjectPlane

PLAIN, NOISE = 1, 3
"""Places of the Wiener estimate and of the noise map among the inputs."""
DAMPINGS = (0.2, 1.0, 30.0)
"""Multiples of the measured damping: sharp and noisy, the Wiener estimate, smooth."""
_DARKEST = 0.05
"""The noise of darker places is mostly that of their surroundings, which the filters mix in."""


def network_inputs(relative: Evidence) -> Tensor:
    """Return (n, 4, y, x) float32: three images, from sharp to smooth, and the expected noise, in units of the mean.

    Args:
        relative: `Evidence.relative()`.
    """
    images = [relative.wiener(scale) for scale in DAMPINGS]
    local = images[-1].clamp(min=_DARKEST).sqrt()
    images.append(relative.wiener_deviation()[:, None, None] * local)
    return torch.stack(images, dim=1)


def answer(network: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return a network's image and the standard error that it tells, each (n, y, x) float32; None if it tells none."""
    if isinstance(network, ObjectPlane):
        image, sigma = network.with_spread(inputs)
        return image.float(), None if sigma is None else sigma.float()
    return network(inputs).float(), None
