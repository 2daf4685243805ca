"""Does a network for single frames agree with SIM? Of one series of patterns, both images, from photons of their own.

The photons of the series are divided at random: a tenth of them, about the light of one frame, is what the network is
shown, and the SIM image of the others is what it is compared with. So both are of the same moment and the same place,
nothing can move in between, and their noise is independent: the same division as for training on one's own recordings.

What counts is how far the network is from SIM relative to the enlarged widefield image: 0 would be SIM itself, 1 is no
gain. Weights that were trained on recordings say what this was on fields that were held out, and how it varied; a
series of the same kind is beyond `limit_of` by chance once in `ONCE_IN`. Of other weights nothing is known, and a
network is only expected to be nearer to SIM than no network.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics.quality.frc import thin
from rdl_models import Card, Network

SHARE = 0.1
"""Of a series' photons that the network is shown."""
ONCE_IN = 1000
"""Series of the usual kind of which one is flagged by chance."""
USUAL, SPREAD, COUNT = "held_out", "held_out_sd", "held_out_patches"
"""Scores of a card: mean and standard deviation of the error over so many patches that were held out."""
NO_GAIN = 1.0
_SEED = 0xA6EE
_BORDER = 0.05
"""Of the field, each way, which is not compared: what lies beyond it shines in."""
_ROUNDING = 1e-4
"""A network that changes nothing is neither better nor worse than none."""
_LEAST = 3
"""Patches from which a spread is believed."""


@dataclass(frozen=True)
class Agreement:
    """How far a network's image is from SIM."""

    error: float
    """Root mean square of (network - SIM) / that of (widefield - SIM); 1 is no gain."""
    usual: float | None
    """What it was on fields that were held out in training; None where the weights do not say."""
    limit: float
    """Errors beyond it are not by chance."""

    @property
    def agrees(self) -> bool:
        """Whether the image may be what SIM would show."""
        return self.error <= self.limit * (1 + _ROUNDING)

    @property
    def words(self) -> str:
        """What was found, in half a sentence."""
        usual = "" if self.usual is None else f"{self.usual:.2f} is usual, and "
        return f"error {self.error:.2f} of the widefield image's; {usual}{self.limit:.2f} is the limit"


def limit_of(card: Card) -> float:
    """Return the error beyond which a series is not of the kind that weights have learnt from, but for chance.

    The prediction interval of one more value of a normal distribution of which some are known (Student's t).
    """
    usual, spread = card.scores.get(USUAL), card.scores.get(SPREAD)
    count = int(card.scores.get(COUNT, 0))
    if usual is None or spread is None or count < _LEAST:
        return NO_GAIN
    from scipy import stats  # takes most of a second to load, and comparing comes late

    beyond = float(stats.t.ppf(1 - 1 / ONCE_IN, count - 1))
    return min(NO_GAIN, usual + beyond * spread * math.sqrt(1 + 1 / count))


def agreement(
    photons: Tensor,
    network: Callable[[Network, Tensor], Tensor],
    weights: tuple[Network, Card],
    sim: Callable[[Tensor], Tensor],
    read_noise_e: float,
) -> Agreement:
    """Compare a network with SIM on one series.

    Args:
        photons: of the series, (angle, phase, y, x).
        network: makes an image of (1, y, x) photons, see `rdl_live.restore.stages.single_image.super_resolved`.
        weights: the network for one image, and its card.
        sim: makes the SIM image of such a series, on the network's grid.
        read_noise_e: of the camera [electrons].
    """
    generator = torch.Generator().manual_seed(_SEED)
    shown, kept = thin(photons, SHARE, read_noise_e=read_noise_e, generator=generator)
    frame = shown.mean(dim=(0, 1))
    target = sim(kept).to(torch.float32)
    target = target * (float(frame.mean()) / max(float(target.mean()), 1e-9))
    made = network(weights[0], frame[None])
    plain = functional.interpolate(frame[None, None], size=target.shape, mode="bicubic")[0, 0]
    card = weights[1]
    return Agreement(
        math.sqrt(_square(made - target) / max(_square(plain - target), 1e-12)),
        card.scores.get(USUAL),
        limit_of(card),
    )


def _square(difference: Tensor) -> float:
    rows, columns = (round(_BORDER * side) for side in difference.shape)
    inner = difference[rows : difference.shape[0] - rows, columns : difference.shape[1] - columns]
    return float(inner.square().mean())
