"""The losses of TiS and SiS, each error weighed by the noise that is to be expected there.

Spatially interleaved (SiS-rDL, Qiao et al. 2022, 10.1038/s41587-022-01471-3): neighbouring planes are looks at nearly
one object. What differs between them is no noise; the gap-amending term of Neighbor2Neighbor (Huang et al. 2021,
arXiv:2101.02824) takes it into account. Unlike there each even plane is compared with the mean of the odd ones on both
its sides, in which the gap cancels to first order and half of the noise as well:

    L = |f(even) - odd|^2 + g |f(even) - odd - (f(all)_even - f(all)_odd)|^2,   f(all) without gradient
"""

import torch
from torch import Tensor

from rdl_live.train.stacks.settings import VolumeScheme
from rdl_live.train.stacks.stacks import Looks
from rdl_models import Network

_DARKEST = 0.2
"""Relative to the mean: where the network sees less, the noise is taken to be of this light."""


def interleaved_loss(network: Network, looks: Looks, scheme: VolumeScheme, gap: float) -> Tensor:
    """Return the loss of a batch, about 1 for a perfect network."""
    if scheme is VolumeScheme.TIS:
        found = network.denoised(looks.shown, looks.pixel)
        return weighed(found, looks.target, found, looks)
    even = network.denoised(looks.shown[:, 0::2], looks.pixel)
    found, odd = _between(even), _neighbours(looks.shown)
    loss = weighed(found, odd, found, looks, averaged=2)
    if gap:
        with torch.no_grad():
            whole = network.denoised(looks.shown, looks.pixel)
        step = _between(whole[:, 0::2]) - _neighbours(whole)
        loss = (loss + gap * weighed(found - step, odd, found, looks, averaged=2)) / (1 + gap)
    return loss


def _between(even: Tensor) -> Tensor:
    """Return those of the even planes that have an odd one on both sides; the last may lack it and is left out."""
    return even[:, 1:-1]


def _neighbours(stack: Tensor) -> Tensor:
    """Return the mean of the odd planes on both sides of each even plane of `_between`."""
    odd = stack[:, 1::2]
    count = (stack.shape[1] + 1) // 2 - 2
    return 0.5 * (odd[:, :count] + odd[:, 1 : count + 1])


def weighed(found: Tensor, target: Tensor, light: Tensor, looks: Looks, averaged: int = 1) -> Tensor:
    """Return the mean of (found - target)^2 / expected variance; the latter is of the denoised `light`.

    The target is a mean of `averaged` looks.

    Weighed by the noisy target itself, dim values would count more than bright ones, and the estimate be too dark.
    """
    variance = light.detach().clamp(min=_DARKEST) / _wide(looks.light) + _wide(looks.read_variance)
    return averaged * ((found - target).square() / variance).mean()


def excess(network: Network, looks: Looks, shown_share: float) -> Tensor:
    """Return the mean square error on held-out photons / that of what is shown, (n,); unbiased.

    The noise of the target is known and taken off, so that 1 is no gain and 0 is the truth.
    """
    found: Tensor = network.denoised(looks.shown, looks.pixel)
    mean = looks.target.mean(dim=(1, 2, 3))
    variance = mean / looks.light + looks.read_variance
    # Both parts of the photons have noise of the same origin, in inverse proportion to their shares.
    reference = variance * (1 - shown_share) / shown_share
    error: Tensor = (found - looks.target).square().mean(dim=(1, 2, 3))
    return (error - variance) / reference


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None]
