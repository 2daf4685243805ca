"""The loss: error relative to that of the Wiener estimate of the same series, so that all light levels count alike."""

import torch
from torch import Tensor, nn

from rdl_live.restore.fusion import fused_spectrum, rings_of
from rdl_live.restore.inputs import ask
from rdl_live.train.loop.judged import JudgedImages, curbed
from rdl_live.train.simulated.scene import Batch

ALONE = 0.25
"""Weight of the network's image before it is fused with the data."""
SPREAD = 0.1
"""Weight of the error that the network expects of itself; it shares no weights with the image."""
COVERED = 0.9
"""Share of pixels whose error is to be within `WITHIN` standard errors."""
WITHIN = 1.645
"""Standard deviations within which 90 % of a normal distribution lie."""


def judge(network: nn.Module, batch: Batch, *, half: bool = False) -> JudgedImages:
    """Restore a batch and compare it with the truth.

    Args:
        network: of images, see `rdl_live.restore.inputs.ask`.
        batch: series and truths.
        half: compute the convolutions in bfloat16.
    """
    evidence, truth = batch.evidence, batch.truth
    answer = ask(network, evidence, half=half)
    rings = rings_of(evidence.matched.shape[-2], evidence.matched.shape[-1], truth.device)
    fused = evidence.image(fused_spectrum(evidence, answer.spectrum, rings))
    wiener = evidence.wiener()
    # A thousandth of the variance keeps a scene that Wiener shows perfectly from counting without bound.
    least = 1e-3 * truth.var(dim=(-2, -1), correction=0) + 1e-8
    reference = _error(wiener, truth) + least
    ratio = (_error(fused, truth) + least) / reference
    alone = (_error(evidence.image(answer.spectrum), truth) + least) / reference
    loss = (curbed(ratio) + ALONE * curbed(alone)).mean() / (1 + ALONE)
    covered = None
    if answer.sigma is not None:
        off, reach = (_view(fused, truth) - truth).detach().abs(), WITHIN * _view(answer.sigma, truth)
        covered = float((off <= reach).float().mean())
        loss = loss + SPREAD * _quantile_loss(off, reach, _view(answer.noise, truth))
    return JudgedImages(loss, ratio.detach(), wiener, fused.detach(), truth, covered)


def _quantile_loss(off: Tensor, reach: Tensor, noise: Tensor) -> Tensor:
    """Pinball loss, least where `reach` is the `COVERED` quantile of `off` (Koenker, Bassett 1978), in noise units."""
    short = off - reach
    return (torch.maximum(COVERED * short, (COVERED - 1) * short) / noise).mean()


def _view(image: Tensor, truth: Tensor) -> Tensor:
    """Return what is seen of the padded grid, in the shape of the truth."""
    rows, columns = truth.shape[-2:]
    return image[..., :rows, :columns]


def _error(image: Tensor, truth: Tensor) -> Tensor:
    return ((_view(image, truth) - truth) ** 2).mean(dim=(-2, -1))
