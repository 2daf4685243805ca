"""The loss of networks that super-resolve in one step, and of their opponents; whatever their pairs come from.

Everything is in units of the mean of what is shown: a fixed scaling, so that photons come back. Errors count relative
to those of the enlarged widefield image, so that all specimens and light levels count alike. The published losses
(`rdl_models.recipe`) are for images normalised to 0 ... 1 and count absolute errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.train.loop.judged import JudgedImages, curbed
from rdl_live.train.loop.ssim import ssim
from rdl_live.train.loop.task import MAIN, Judged, Loss
from rdl_models import Network
from rdl_models.architecture import EstimatesError
from rdl_models.recipe import Adversary, Distance, Recipe

CRITIC = "critic"
"""The discriminator's name among the networks."""
USUAL = Recipe(ssim=0.1)
"""DFCAN's."""
SPREAD = 0.1
"""Weight of the error that the network says of itself; it shares no weights with the image."""
COVERED, WITHIN = 0.9, 1.645
"""Share of pixels whose error is to be within so many standard errors: as in a normal distribution."""
_LEAST = 1e-3


@dataclass(frozen=True)
class SrBatch:
    """What is shown and the truth side by side, in units of the measured mean."""

    frames: Tensor
    """(n, frames, y, x), or (n, 1, y, x): one image each, or series that have only their widefield images in common."""
    truth: Tensor
    """(n, scale y, scale x)."""

    def to(self, device: torch.device | str) -> "SrBatch":
        """Return the batch on another device."""
        return SrBatch(self.frames.to(device), self.truth.to(device))

    def mirrored(self, *, upside_down: bool, left_right: bool) -> "SrBatch":
        """Return the batch with everything turned over."""
        axes = [axis for axis, turned in ((-2, upside_down), (-1, left_right)) if turned]
        return SrBatch(self.frames.flip(axes), self.truth.flip(axes))


def judge_sr(network: Network, batch: SrBatch, *, half: bool = False, recipe: Recipe | None = None) -> JudgedImages:
    """Super-resolve a batch; errors count relative to those of the enlarged widefield image.

    Args:
        network: for `Task.SUPER_RESOLUTION`, made for one image (it is given the widefield image) or for as many as
            the series has frames.
        batch: what is shown and the truth.
        half: compute the convolutions in bfloat16.
        recipe: the network's; DFCAN's where left out.
    """
    recipe = recipe or USUAL
    truth, widefield = batch.truth[:, None], batch.frames.mean(dim=1, keepdim=True)
    inputs = widefield if network.config.channels == 1 else batch.frames
    with torch.autocast(truth.device.type, torch.bfloat16, enabled=half):
        out, sigma = _answered(network, inputs)
    enlarged = functional.interpolate(widefield, size=truth.shape[-2:], mode="bicubic")
    error, reference = _squares(out - truth), _squares(enlarged - truth)
    least = _LEAST * truth.var(dim=(1, 2, 3), correction=0) + 1e-8
    ratio = (error + least) / (reference + least)
    distance = ratio
    if recipe.distance is Distance.L1:
        distance = _sizes(out - truth) / (_sizes(enlarged - truth) + least.sqrt())
    loss = curbed(distance).mean()
    if recipe.ssim > 0:
        loss = loss + recipe.ssim * (1 - ssim(out, truth, span_of(truth))).mean()
    covered = None
    if sigma is not None:
        off, reach = (out.detach() - truth).abs(), WITHIN * sigma[:, None]
        covered = float((off <= reach).float().mean())
        loss = loss + SPREAD * _quantile_loss(off, reach, reference + least)
    return JudgedImages(loss, ratio.detach(), enlarged[:, 0], out[:, 0], batch.truth, covered)


def _answered(network: Network, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return a network's images (n, 1, y, x) and the standard errors (n, y, x) that it says, if it does."""
    if not isinstance(network, EstimatesError):
        return network(inputs).float()[:, None], None
    out, sigma = network.with_spread(inputs)
    return out.float()[:, None], None if sigma is None else sigma.float()


def _quantile_loss(off: Tensor, reach: Tensor, square: Tensor) -> Tensor:
    """Pinball loss, least where `reach` is the `COVERED` quantile of `off` (Koenker, Bassett 1978), in usual errors."""
    short = off - reach
    return (torch.maximum(COVERED * short, (COVERED - 1) * short) / square.sqrt()[:, None, None, None]).mean()


def judge_turn(
    turn: str, networks: Mapping[str, Network], batch: SrBatch, recipe: Recipe, *, half: bool = False
) -> Judged:
    """Return the loss of a generator that has an opponent, or that of the opponent.

    The opponent is shown images in units of the truth's range. Goodfellow et al. 2014, arXiv:1406.2661, with the
    generator's loss -log D as there.

    Args:
        turn: whose.
        networks: `MAIN` and `CRITIC`.
        batch: what is shown and the truth.
        recipe: with an adversary.
        half: compute the generator's convolutions in bfloat16.

    Raises:
        ValueError: the recipe has no adversary.
    """
    if recipe.adversary is None:
        raise ValueError("the recipe has no adversary")
    critic = networks[CRITIC]
    if turn == CRITIC:
        with torch.no_grad():
            made = judge_sr(networks[MAIN], batch, half=half, recipe=recipe)
        span = span_of(batch.truth[:, None])[:, None, None, None]
        widefield = made.shown[:, None] / span
        real, fake = (critic(image[:, None] / span, widefield) for image in (batch.truth, made.fused))
        return Loss(0.5 * (_entropy(real, 1.0) + _entropy(fake, 0.0)))
    made = judge_sr(networks[MAIN], batch, half=half, recipe=recipe)
    span = span_of(batch.truth[:, None])[:, None, None, None]
    logits = critic(made.fused[:, None] / span, made.shown[:, None] / span)
    loss = recipe.weight * made.loss + recipe.adversary.weight * _entropy(logits, 1.0)
    return replace(made, loss=loss)


def turns_of(adversary: Adversary | None, step: int) -> Sequence[str]:
    """Return who learns from the batch of a step: the generator from each, its opponent from every so manieth."""
    if adversary is None:
        return (MAIN,)
    return (CRITIC, MAIN) if step % adversary.generator_steps == 0 else (MAIN,)


def span_of(truth: Tensor) -> Tensor:
    """Return the range of images (n, 1, y, x), (n,)."""
    return (truth.amax(dim=(1, 2, 3)) - truth.amin(dim=(1, 2, 3))).clamp(min=1e-3)


def _squares(difference: Tensor) -> Tensor:
    return (difference**2).mean(dim=(1, 2, 3))


def _sizes(difference: Tensor) -> Tensor:
    return difference.abs().mean(dim=(1, 2, 3))


def _entropy(logits: Tensor, wanted: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))
