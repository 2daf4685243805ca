"""How much of what was learnt is taken: W0 + a (W1 - W0), a chosen by the judge.

Near W0 the error of the image is nearly a parabola in a, whose lowest point lies the nearer to W0, the more of the way
there was for the noise's sake and not for that of the specimen (shrinkage; James and Stein 1961). What is asked is held
out of the training and of the final verdict, see `Moments.judged`.
"""

import copy
import math
from dataclasses import dataclass

import torch

from rdl_live.train.recordings.trainer import PairTask
from rdl_models import Network
from rdl_models.architecture import ScalesError

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""a."""
_MOST = 1.5
"""Factor by which the error that is told may change at most, either way."""


@dataclass(frozen=True)
class Blend:
    """Weights part of the way from those at the start to those at the end of a training."""

    share: float
    """a; 0 where no part of the way did better than the start."""
    network: Network


def best_blend(task: PairTask, started: Network, trained: Network) -> Blend:
    """Return the share of the change that does best, its error told as rightly as at the start.

    Args:
        task: asks the judge.
        started: the network as training began.
        trained: as it ended.
    """
    networks = [blended(started, trained, share) for share in SHARES]
    errors = [float(task.errors(one).mean()) for one in networks]
    best = errors.index(min(errors))
    network = networks[best]
    if best and isinstance(network, ScalesError):
        # What the head reads has changed below it: its errors are to fall as the judge sees the true ones fall.
        before, after = task.told(started), task.told(network)
        if before and after:
            factor = math.sqrt(max(errors[best], 0.0)) * before / after
            network.scale_error(min(max(factor, 1 / _MOST), _MOST))
    return Blend(SHARES[best], network)


def blended(started: Network, trained: Network, share: float) -> Network:
    """Return weights `share` of the way from the one network to the other, ready to use."""
    mixed = copy.deepcopy(trained).requires_grad_(False).eval()
    with torch.no_grad():
        for value, first in zip(mixed.parameters(), started.parameters(), strict=True):
            value.lerp_(first, 1 - share)
    return mixed
