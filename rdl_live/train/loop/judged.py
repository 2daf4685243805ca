"""A batch of images, restored and compared with the truth."""

from dataclasses import dataclass

import torch
from torch import Tensor

_CURB = 4.0
"""Ratios beyond this count with their square root only: one odd scene must not lead."""


@dataclass(frozen=True)
class JudgedImages:
    """A batch restored and compared."""

    loss: Tensor
    """Scalar, to be minimised."""
    ratio: Tensor
    """(n,) mean square error of what came out / that of the reference; 1 is no gain."""
    shown: Tensor
    """What it started from, (n, y, x): the reference."""
    fused: Tensor
    """What came out, (n, y, x) on the same grid."""
    truth: Tensor
    """What should have, (n, 2y, 2x) of the view."""
    covered: float | None = None
    """Share of pixels within the nominal 90 % interval; None where the network estimates no error."""

    @property
    def gain(self) -> float:
        """Root of the mean square error relative to the reference's, averaged over the batch; below 1 is a gain."""
        return float(self.ratio.sqrt().mean())


def curbed(ratio: Tensor) -> Tensor:
    """Return error ratios of which large ones grow with their square root only."""
    return torch.where(ratio < _CURB, ratio, 2 * _CURB**0.5 * ratio.clamp(min=_CURB).sqrt() - _CURB)
