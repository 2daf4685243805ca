"""The loss against a second noisy look, M' = D O + n', var n' = N' D.

Where the truth is known, the error is that of X against T O. Of the second look only T M' / D is known, whose noise
N' T^2 / D grows without bound where little is transferred. So errors are weighed by G^2 = D / (D + s w^2), the share of
a frequency that the data can tell, and looked at as an image, inside of the frame only (`Tile.inside`):

    E = mean over the inside of |G (T M' / D - X)|^2 - N' mean_k G^2 T^2 / D

The second term is what noise alone gives; without it E is an unbiased estimate of the weighed error. It is given
relative to N mean_k G^2 T^2 / D, about the error of the Wiener estimate of what was shown.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rdl_live.restore.fusion import fused_spectrum, rings_of
from rdl_live.restore.inputs import ask
from rdl_live.train.recordings.pairs import Pairs

ALONE = 0.25
"""Weight of the network's image before it is fused with the data."""
SHARP = 0.3
"""s: small values let the loss look further into what the data hardly show, at the price of noise."""
_SUPPORT = 1e-6
"""Frequencies of less transfer D are not judged: there is nothing to judge them by."""


@dataclass(frozen=True)
class PairJudged:
    """A batch restored and compared with the second look."""

    loss: Tensor
    """Scalar, to be minimised; may be negative by chance."""
    ratio: Tensor
    """(n,) error of the fused image / that expected of the Wiener estimate."""
    wiener: Tensor
    """What the network was shown, as Wiener images (n, y, x)."""
    fused: Tensor
    """What came out, (n, y, x)."""

    @property
    def gain(self) -> float:
        """Root of the mean error relative to that of the Wiener estimate; an unbiased error may be negative."""
        return math.sqrt(max(float(self.ratio.mean()), 0.0))


def judge_pairs(network: nn.Module, pairs: Pairs, *, half: bool = False) -> PairJudged:
    """Restore the one look and compare it with the other."""
    evidence = pairs.evidence
    spectrum = ask(network, evidence, half=half).spectrum
    rings = rings_of(evidence.matched.shape[-2], evidence.matched.shape[-1], spectrum.device)
    fused = fused_spectrum(evidence, spectrum, rings)
    ratio, alone = error_ratio(pairs, fused), error_ratio(pairs, spectrum)
    loss = (ratio + ALONE * alone).mean() / (1 + ALONE)
    return PairJudged(loss, ratio.detach(), evidence.wiener(), evidence.image(fused.detach()))


def error_ratio(pairs: Pairs, spectrum: Tensor) -> Tensor:
    """Return E of images' spectra (n, rows, columns) / the error expected of the Wiener estimate, (n,)."""
    evidence, target = pairs.evidence, pairs.evidence.target
    power = evidence.power.clamp(min=_SUPPORT)
    damped = power + SHARP * evidence.damping
    misfit = (target * pairs.matched - power * spectrum) / (power * damped).sqrt()
    misfit = torch.where(evidence.power > _SUPPORT, misfit, 0)
    misfit[..., 0, 0] = 0
    area = pairs.inside.sum(dim=(-2, -1))
    found = (pairs.inside * evidence.image(misfit).square()).sum(dim=(-2, -1)) / area
    chance = evidence.deviation(torch.where(evidence.power > _SUPPORT, target**2 / damped, 0)).square()
    return (found - pairs.noise * chance) / (evidence.noise * chance)


def _sum(half_plane: Tensor) -> Tensor:
    """Sum over the whole plane; the mean's own frequency is left out, since it is kept exactly."""
    total = 2 * half_plane.sum(dim=(-2, -1)) - half_plane[..., 0].sum(-1) - half_plane[..., -1].sum(-1)
    return total - half_plane[..., 0, 0]
