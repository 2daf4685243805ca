"""Laplace distributions pixel by pixel, and several networks that each give one: what they say together.

Weigert et al., Nat. Methods 15, 1090 (2018), 10.1038/s41592-018-0216-7, Supplementary Note 3: a network gives the mean
and the scale of a Laplace distribution of each pixel, an ensemble of M networks the mixture of M of them, and their
disagreement is D = (H(mixture) - mean entropy of the members) / ln M, which is 0 where all say the same and 1 where
they exclude each other.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

INTERVAL_90 = math.log(10.0)
"""Half width of the interval that holds 90 % of a Laplace distribution, in its scales."""
NODES = 24
"""Places of each member's distribution at which the mixture is compared with it."""
_CHUNK = 2**18


def negative_log_likelihood(mean: Tensor, scale: Tensor, truth: Tensor) -> Tensor:
    """Return |truth - mean| / scale + ln scale: the loss, without the constant ln 2."""
    return (truth - mean).abs() / scale + scale.log()


def mixture(means: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and scale of the mixture of Laplace distributions, all equally likely.

    The scale is that of the Laplace distribution with the mixture's mean absolute deviation: for a member at distance
    d from the mixture's mean this is d + scale exp(-d / scale).

    Args:
        means: (members, ...).
        scales: the same shape, above 0.

    Returns:
        Two of shape (...).
    """
    mean = means.mean(dim=0)
    distance = (means - mean).abs()
    return mean, (distance + scales * torch.exp(-distance / scales)).mean(dim=0)


def disagreement(means: Tensor, scales: Tensor, nodes: int = NODES) -> Tensor:
    """Return D of members' distributions; see above.

    Computed as the mean over the members of their Kullback-Leibler divergence from the mixture, at evenly likely
    places: exactly 0 for members that say the same; off by less than 0.02 for scales that differ 60-fold.

    Args:
        means: (members, ...).
        scales: the same shape, above 0.
        nodes: places of each member.

    Returns:
        (...), 0 to 1; 0 for a single member.
    """
    members, shape = len(means), means.shape[1:]
    if members == 1:
        return torch.zeros_like(means[0])
    flat_means, flat_scales = means.reshape(members, -1), scales.reshape(members, -1)
    found = [
        _divergence(flat_means[:, start : start + _CHUNK], flat_scales[:, start : start + _CHUNK], nodes)
        for start in range(0, flat_means.shape[1], _CHUNK)
    ]
    return (torch.cat(found) / math.log(members)).clamp(0, 1).reshape(shape)


def _divergence(means: Tensor, scales: Tensor, nodes: int) -> Tensor:
    """Return the mean over members and places of ln(member / mixture), (pixels,)."""
    places = _places(nodes)
    rates, logs = 1 / scales, -scales.log()
    total = torch.zeros_like(means[0])
    for mean, scale, log in zip(means, scales, logs, strict=True):
        for place in places:
            at = mean + place * scale
            others = torch.logsumexp(logs - (at - means).abs() * rates, dim=0)
            total += (log - abs(place)) - others
    return total / (len(means) * len(places)) + math.log(len(means))


def _places(nodes: int) -> list[float]:
    """Return the means of `nodes` evenly likely parts of a Laplace distribution of scale 1; both sides alike.

    The mean of -ln u from u = a to b is 1 - (b ln b - a ln a) / (b - a).
    """
    half = max(1, nodes // 2)
    edges = [share / half for share in range(half + 1)]

    def whole(u: float) -> float:
        return u * math.log(u) if u > 0 else 0.0

    side = [1 - (whole(high) - whole(low)) * half for low, high in pairwise(edges)]
    return [*side, *(-place for place in side)]
