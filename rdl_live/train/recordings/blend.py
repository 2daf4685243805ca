"""How much of what was learnt is taken: W0 + a (W1 - W0), a chosen by the judge.

Near W0 the error of the image is nearly a parabola in a, whose lowest point lies the nearer to W0, the more of the way
there was for the noise's sake and not for that of the specimen (shrinkage; James and Stein 1961). What is asked is held
out of the training and of the final verdict, see `Moments.judged`.
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.train.recordings.trainer import PairTask
from rdl_models import Network
from rdl_models.architecture import ScalesError

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""a."""
_MOST = 1.5
"""Factor by which the expected error may change at most, either way."""


@dataclass(frozen=True)
class Blend:
    """Weights part of the way from those at the start to those at the end of a training."""

    share: float
    """a; 0 where no part of the way did better than the start."""
    network: Network


def best_blend(task: PairTask, started: Network, trained: Network) -> Blend:
    """Return the share of the change that does best, its error estimated as well as at the start.

    Args:
        task: asks the judge.
        started: the network as training began.
        trained: as it ended.
    """
    networks = [blended(started, trained, share) for share in SHARES]
    errors = [task.errors(one) for one in networks]
    means = [float(one.mean()) for one in errors]
    best = means.index(min(means))
    network = networks[best]
    if best and isinstance(network, ScalesError):
        # What the head reads has changed below it: its errors are to fall as far as the true ones surely do.
        before, after = task.told(started), task.told(network)
        if before and after:
            factor = _surely(errors[best]) * before / after
            network.scale_error(min(max(factor, 1 / _MOST), _MOST))
    return Blend(SHARES[best], network)


def _surely(errors: Tensor) -> float:
    """Return the ratio of errors (root mean square) that the judge is rather sure of: two standard errors above its
    estimate, which has been chosen for being small; 1 at most."""
    chance = float(errors.std()) / math.sqrt(len(errors)) if len(errors) > 1 else 0.0
    return math.sqrt(min(max(float(errors.mean()) + 2 * chance, 0.0), 1.0))


def blended(started: Network, trained: Network, share: float) -> Network:
    """Return weights `share` of the way from the one network to the other, ready to use."""
    mixed = copy.deepcopy(trained).requires_grad_(False).eval()
    with torch.no_grad():
        for value, first in zip(mixed.parameters(), started.parameters(), strict=True):
            value.lerp_(first, 1 - share)
    return mixed
