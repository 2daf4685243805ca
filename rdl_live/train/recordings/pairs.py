"""Two noisy looks at one object, with independent noise: what the network is shown, and what judges it.

Noise2Noise (Lehtinen et al. 2018, arXiv:1803.04189) in the object plane: the expected loss against a second noisy
spectrum is that against the truth, plus a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.quality.frc import thin
from rdl_live.restore.evidence import Evidence
from rdl_live.train.recordings.film import Tile


@dataclass(frozen=True)
class Pairs:
    """A batch."""

    evidence: Evidence
    """Of what the network is shown, in units of its mean."""
    matched: Tensor
    """M' of the second look, (n, rows, columns) complex64, in units of its own mean."""
    noise: Tensor
    """Its N', (n,) float32."""
    inside: Tensor
    """What is judged of the padded images, (n, y, x) float32, 1 or 0; see `Tile.inside`."""

    def __len__(self) -> int:
        return len(self.noise)

    def to(self, device: torch.device | str) -> "Pairs":
        """Return the batch on another device."""
        return Pairs(self.evidence.to(device), self.matched.to(device), self.noise.to(device), self.inside.to(device))


def split_pair(tile: Tile, time: int, share: float, generator: torch.Generator, inside: Tensor | None = None) -> Pairs:
    """Divide the photons of one time point: `share` of them are shown, the others judge what is `inside`."""
    shown, kept = thin(
        tile.film.photons(time, tile), share, read_noise_e=tile.film.read_noise(tile), generator=generator
    )
    other = tile.evidence(kept, 1 - share)
    return Pairs(
        tile.evidence(shown, share), other.matched, other.noise, (tile.inside() if inside is None else inside)[None]
    )


def tis_pair(shown: Evidence, others: Sequence[Evidence], inside: Tensor) -> Pairs:
    """Show one time point; the mean of its neighbours judges, in which steady motion cancels to first order."""
    matched = torch.stack([one.matched for one in others]).mean(dim=0)
    noise = torch.stack([one.noise for one in others]).sum(dim=0) / len(others) ** 2
    return Pairs(shown, matched, noise, inside[None])


def joined(pairs: Sequence[Pairs]) -> Pairs:
    """Return pairs of tiles of one size side by side."""
    kinds = zip(*(one.evidence.tensors() for one in pairs), strict=True)
    return Pairs(
        Evidence(*(torch.cat(kind) for kind in kinds)),
        torch.cat([one.matched for one in pairs]),
        torch.cat([one.noise for one in pairs]),
        torch.cat([one.inside for one in pairs]),
    )


def mirrored(pairs: Pairs, rng: np.random.Generator) -> Pairs:
    """Return the same seen in a mirror: up-down and left-right, each with a chance of a half."""
    evidence, count = pairs.evidence, len(pairs)
    matched = torch.cat([evidence.matched, pairs.matched])
    power, target, damping = evidence.power, evidence.target, evidence.damping
    up_down, left_right = (bool(one) for one in rng.integers(2, size=2))
    # A real image mirrored left-right has the conjugate of the spectrum that it has mirrored up-down.
    if up_down != left_right:
        matched, power, target, damping = (_upside_down(one) for one in (matched, power, target, damping))
    if left_right:
        matched = matched.conj().resolve_conj()
    inside = pairs.inside
    for axis in [-2] * up_down + [-1] * left_right:
        inside = torch.roll(inside.flip(axis), 1, dims=axis)
    seen = Evidence(matched[:count], power, target, damping, evidence.noise)
    return Pairs(seen, matched[count:], pairs.noise, inside)


def _upside_down(half_plane: Tensor) -> Tensor:
    """Return the spectra of images whose rows are in reverse order (periodically)."""
    return torch.roll(half_plane.flip(-2), 1, dims=-2)
