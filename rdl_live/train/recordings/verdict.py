"""Whether a training from recordings has helped, in figures and in words."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.train.loop.held_out import CERTAIN, WORTH
from rdl_live.train.loop.loop import Look
from rdl_live.train.recordings.pairs import Pairs

BRIGHT = 0.04
"""Noise of the Wiener image relative to its contrast, below which there is hardly anything to denoise."""


@dataclass(frozen=True)
class Gain:
    """What is held out, before and after."""

    before: float
    after: float
    """Errors relative to the Wiener estimate's (root mean square)."""
    sigmas: float
    """Gain in standard errors, over the held-out tiles."""
    tiles: int

    @property
    def ratio(self) -> float:
        """Error after / before."""
        return self.after / self.before if self.before > 0 else 1.0

    @property
    def helped(self) -> bool:
        """Whether it is certain, and worth it."""
        return self.sigmas > CERTAIN and self.ratio < WORTH

    @property
    def words(self) -> str:
        """For the user."""
        found = (
            f"on {self.tiles} held-out tiles the error went from {self.before:.3f} to {self.after:.3f} of the Wiener "
            f"estimate's ({self.ratio:.3f} of what it was, {self.sigmas:.1f} standard errors)"
        )
        if self.helped:
            return f"training helped: {found}"
        return f"training did not help: {found}; nothing is changed, keep the weights that you have"


def gain(before: Look, after: Look) -> Gain:
    """Compare two looks at the same tiles."""
    difference = before.errors - after.errors
    spread = float(difference.std(correction=1)) / math.sqrt(len(difference)) if len(difference) > 1 else math.inf
    sigmas = float(difference.mean()) / max(spread, 1e-12) if after.step else 0.0
    return Gain(_root(before.error), _root(after.error), sigmas, len(difference))


def noise_share(held: list[Pairs]) -> float:
    """Return the expected error of the Wiener image relative to its contrast, as the held-out tiles say."""
    noise, contrast = 0.0, 0.0
    for pairs in held:
        evidence = pairs.evidence
        damped = (evidence.power + evidence.damping).clamp(min=1e-12)
        noise += float((evidence.noise[:, None, None] * evidence.target**2 / damped).sum())
        shown: Tensor = evidence.target * evidence.matched / damped
        shown[:, 0, 0] = 0
        contrast += float(torch.view_as_real(shown).square().sum())
    return math.sqrt(noise / contrast) if contrast > 0 else math.inf


def _root(error: float) -> float:
    return math.sqrt(max(error, 0.0))
