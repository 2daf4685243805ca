"""What denoisers are asked, and what judges their answers: photons of the same series that they were not shown.

The photons of a series are divided into `FOLDS` parts. A denoiser sees all but one of them, x; the one that is left is
the judge, z = T M' / D, filtered by G = sqrt(D / (D + s w^2)), which leaves out what no photon shows. Its noise is
independent of what was shown, so for two denoisers a and b

    |G (x_a - t)|^2 - |G (x_b - t)|^2  =  < G (x_a - x_b), G (x_a + x_b - 2 z) >       in the mean

where t = T O is the truth: the noise of z cancels. With the part divided once more, z' and z'',
< G (x_a - z'), G (x_a - z'') > is the error itself. Nothing has to be known of the noise for either.

Only the inside of a tile is looked at (`Tile.inside`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rdl_live.optics.noise_floor import window2d
from rdl_live.optics.otf import Otf
from rdl_live.optics.quality.frc import thin
from rdl_live.optics.series_noise import series_noise
from rdl_live.restore.evidence import Evidence
from rdl_live.train.recordings.film import Film, Tile

FOLDS = 5
"""Parts of the photons: four are shown, one judges; each in its turn."""
SHARP = 0.1
"""s: errors count by D / (D + s w^2), so nearly in full where the Wiener estimate shows anything."""
SUPPORT = 1e-6
"""Frequencies of less transfer D are not judged: there is nothing to judge them by."""
_EXCESS = 0.03
"""Noise that is more or less than the camera's description says by this share is taken as it was measured."""
_LOOKED_AT = 6
"""Time points of which the noise is measured."""


@dataclass(frozen=True, eq=False)
class Question:
    """One part of the photons of a tile, kept as the judge."""

    tile: Tile
    photons: Tensor
    """What is shown, (A, P, y, x)."""
    evidence: Evidence
    """The same as a batch of one, relative to its mean."""
    unit: float
    """What brings an answer to photons of the whole series."""
    filter: Tensor
    """G, (rows, columns)."""
    judge: Tensor
    """G z, (y, x) of the padded image [photons]."""
    halves: tuple[Tensor, Tensor]
    """G z' and G z''."""
    others: tuple[Tensor, ...]
    """G z as it is under other patterns."""

    def to(self, device: torch.device | str) -> "Question":
        """Return the question on another device."""
        return replace(
            self,
            photons=self.photons.to(device),
            evidence=self.evidence.to(device),
            filter=self.filter.to(device),
            judge=self.judge.to(device),
            halves=(self.halves[0].to(device), self.halves[1].to(device)),
            others=tuple(one.to(device) for one in self.others),
        )

    @property
    def hidden(self) -> float:
        """By how much a whole mean square error is larger than what G lets through, in the Wiener estimate."""
        evidence = self.evidence
        error = evidence.target**2 / (evidence.power + evidence.damping).clamp(min=1e-12)
        shares = evidence.deviation(error), evidence.deviation(error * self.filter**2)
        return float((shares[0] / shares[1].clamp(min=1e-12)).square())

    def image(self, spectrum: Tensor) -> Tensor:
        """Return G x of an answer, (y, x) [photons]."""
        return self.unit * self.plain_image(spectrum * self.filter)

    def plain_image(self, spectrum: Tensor) -> Tensor:
        """Transform a spectrum to the padded image (y, x)."""
        return self.evidence.image(spectrum[None])[0]


def noise_gain(film: Film) -> float:
    """Return how many counts go together in the noise: e of V = e m + (e r)^2, V measured beyond the OTF's cut-off.

    1 where the camera is as described (or cannot be checked): a gain that is wrong by e, or a camera that multiplies
    electrons, shows here. Photons that are divided as if they had less noise than they have would share what is left.
    """
    times = range(0, len(film), max(1, len(film) // _LOOKED_AT))
    photons = torch.stack([film.photons(time) for time in times])
    measured = series_noise(photons, Otf.of(film.scope, film.channel), film.read_noise_e).changing
    # The window weighs the middle of the field, where there may be more light than at its edges.
    window = window2d(film.shape).square()
    light = max(float((photons.mean(dim=(0, 1, 2)) * window).sum() / window.sum()), 0.0)
    # The positive root, written so that it also serves a camera without read noise.
    ratio = 2 * measured / max(light + math.sqrt(light**2 + 4 * film.read_noise_e**2 * measured), 1e-12)
    return min(max(ratio, 0.1), 10.0) if abs(ratio - 1) > _EXCESS else 1.0


def questions(
    tile: Tile,
    time: int,
    generator: torch.Generator,
    *,
    gain: float = 1.0,
    others: Sequence[Tile] = (),
    folds: Sequence[int] = range(FOLDS),
) -> Iterator[Question]:
    """Go through the parts of a tile at a time point.

    Args:
        tile: where.
        time: when.
        generator: divides the photons.
        gain: see `noise_gain`.
        others: the same place under other patterns.
        folds: which of the parts.
    """
    photons = tile.film.photons(time, tile)
    parts = divided(photons, FOLDS, tile.read_noise(), generator, gain)
    for number in folds:
        part = parts[number]
        shown = photons - part
        evidence = tile.evidence(shown, 1 - 1 / FOLDS)
        seen = evidence.power[0] > SUPPORT
        transfer = torch.where(seen, evidence.power[0], 1)
        weight = torch.where(seen, (transfer / (transfer + SHARP * evidence.damping[0])).sqrt(), 0)
        halves = divided(part, 2, math.sqrt(1 / FOLDS) * torch.as_tensor(tile.read_noise()), generator, gain)

        def image(
            place: Tile, counted: Tensor, share: float, weight: Tensor = weight, evidence: Evidence = evidence
        ) -> Tensor:
            power = place.geometry.power
            spectrum = weight * tile.target * place.matched(counted) / power.clamp(min=SUPPORT)
            return evidence.image(torch.where(power > SUPPORT, spectrum, 0)[None])[0] / share

        yield Question(
            tile=tile,
            photons=shown,
            evidence=evidence,
            unit=tile.mean(shown) / (1 - 1 / FOLDS),
            filter=weight,
            judge=image(tile, part, 1 / FOLDS),
            halves=(image(tile, halves[0], 0.5 / FOLDS), image(tile, halves[1], 0.5 / FOLDS)),
            others=tuple(image(other, part, 1 / FOLDS) for other in others),
        )


def divided(
    photons: Tensor, parts: int, read_noise_e: float | Tensor, generator: torch.Generator, gain: float = 1.0
) -> list[Tensor]:
    """Divide photons into so many equal parts with independent noise; see `thin`.

    Where `gain` counts go together, they are divided in units of them: in these the variance is the mean.
    """
    found, rest = [], photons / gain
    read = torch.as_tensor(read_noise_e)
    for left in range(parts, 1, -1):
        one, rest = thin(rest, 1 / left, read_noise_e=read * math.sqrt(left / parts), generator=generator)
        found.append(one)
    return [gain * one for one in (*found, rest)]
