"""Whether retraining on a recording is likely to help, and by how much, before any minutes are spent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn

from rdl_live.errors import DataError
from rdl_live.restore.inputs import ask
from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.film import INSET, Film, tiles
from rdl_live.train.recordings.judge import TILE, blocks, spread
from rdl_live.train.recordings.moments import divide
from rdl_live.train.recordings.questions import FOLDS, SUPPORT, Question, noise_gain, questions
from rdl_live.train.recordings.settings import Scheme
from rdl_live.train.recordings.verdict import BRIGHT, noise_share

LOOKED_AT = 12
"""Questions that are put to the denoiser."""
SURPRISED = 1.15
"""Error relative to that which the denoiser expects, from which it does not know such a specimen."""
HOPELESS = 0.15
"""Smallest gain that would show, from which a recording is too short, too small or too dim to judge by."""
_SURE = 2.0
"""Standard errors."""
_SEED = 0x0071


class Likely(StrEnum):
    """Whether retraining is likely to help."""

    NO = "no"
    """It cannot, or it could not be shown."""
    POSSIBLE = "possible"
    YES = "likely"


@dataclass(frozen=True)
class Outlook:
    """What a recording says of itself."""

    likely: Likely
    error: float | None
    """Of the denoiser's image relative to that of the Wiener estimate (root mean square); None where both are too small
    to be distinguished from nothing."""
    expected: float | None
    """The same as the denoiser expects it of itself; None where it does not."""
    smallest_gain: float | None
    """Gains below this share of the error would not show on what is held out; None where nothing can be held out."""
    words: str


@dataclass(frozen=True)
class _Means:
    """Mean square errors and powers [photons^2], as far as photons can tell."""

    error: float
    plain: float
    """Of the Wiener estimate."""
    expected: float
    noise: float
    """Of the judging fifth of the photons."""
    independent: float
    """Independent samples of that noise in a tile."""


def outlook(film: Film, network: nn.Module, scheme: Scheme, name: str = "rdl") -> Outlook:
    """Ask a denoiser about a recording; see `questions`.

    Args:
        film: recording.
        network: the denoiser that would be retrained.
        scheme: how it would be.
        name: of the denoiser, for the words.
    """
    asked = _asked(film)
    found = _measured(asked, network)
    known = found.error > 0 and found.plain > 0
    error = math.sqrt(found.error / found.plain) if known else None
    expected = math.sqrt(found.expected / found.plain) if known and found.expected > 0 else None
    try:
        held = len(divide([film], scheme)[1])
    except DataError as short:
        return Outlook(Likely.NO, error, expected, None, str(short))
    area = film.shape[0] * film.shape[1] / (asked[0].tile.shape[0] * asked[0].tile.shape[1])
    smallest = _smallest_gain(found, held * area)
    share = noise_share(asked)
    if share < BRIGHT:
        words = f"bright: the noise is {share:.1%} of the image's contrast, so that there is next to nothing to gain"
        return Outlook(Likely.NO, error, expected, smallest, words)
    if smallest > HOPELESS:
        words = (
            f"a gain of less than {smallest:.0%} would not show: record more time points, a larger field or more light"
        )
        return Outlook(Likely.NO, error, expected, smallest, words)
    shows = f"a gain of {max(smallest, 0.015):.1%} or more would show"
    if error is not None and expected is not None and error > SURPRISED * expected:
        words = (
            f"{name} is {error / expected:.1f} times as wrong here as it expects, so it does not know such a specimen: "
            f"retraining is likely to help, by up to {1 - expected / error:.0%}; {shows}"
        )
        return Outlook(Likely.YES, error, expected, smallest, words)
    words = f"{name} is no more wrong here than it expects: retraining may gain a few per cent, or nothing; {shows}"
    return Outlook(Likely.POSSIBLE, error, expected, smallest, words)


def _asked(film: Film) -> list[Question]:
    pieces = [(tile, time) for time in range(len(film)) for tile in tiles(film, TILE)]
    gain, generator = noise_gain(film), torch.Generator().manual_seed(_SEED)
    chosen = [pieces[index] for index in spread(range(len(pieces)), LOOKED_AT)]
    return [
        question
        for number, (tile, time) in enumerate(chosen)
        for question in questions(tile, time, generator, gain=gain, folds=[number % FOLDS])
    ]


@torch.no_grad()
def _measured(asked: Sequence[Question], network: nn.Module) -> _Means:
    rows = []
    for question in asked:
        tile, (one, other) = question.tile, question.halves
        image = question.image(answer(network, tile, question.photons, question.evidence))
        wiener = question.image(answer(None, tile, question.photons, question.evidence))
        sigma = ask(network, question.evidence).sigma
        error = float(blocks((image - one) * (image - other), tile).mean())
        plain = float(blocks((wiener - one) * (wiener - other), tile).mean())
        told = 0.0 if sigma is None else float(blocks(sigma[0].square(), tile).mean()) * question.unit**2
        noise = float(blocks((image - question.judge).square(), tile).mean()) - error
        rows.append((error, plain, told / question.hidden, noise, _independent(question)))
    return _Means(*(sum(kind) / len(rows) for kind in zip(*rows, strict=True)))


def _independent(question: Question) -> float:
    """Return how many independent samples the noise of a judge has inside of its tile."""
    evidence = question.evidence
    power = evidence.power[0]
    spectrum = torch.where(power > SUPPORT, question.filter**2 * evidence.target[0] ** 2 / power.clamp(min=SUPPORT), 0)
    alike = float(spectrum.mean() ** 2 / spectrum.square().mean().clamp(min=1e-30))
    factor = evidence.grid[0] / question.tile.geometry.padded[0]
    rows, columns = (factor * (size - 2 * INSET) for size in question.tile.shape)
    return max(rows * columns * alike, 1.0)


def _smallest_gain(found: _Means, pieces: float) -> float:
    """Return the gain that just shows on so many tiles at time points.

    Images that differ by the power d E (E the error) change E by as much at most; the judge's noise of power S in n
    independent samples makes the difference uncertain by 2 sqrt(d E S / n).
    """
    if found.error <= 0:
        return 1.0
    samples = found.independent * FOLDS * max(pieces, 1e-6)
    change = min((2 * _SURE) ** 2 * max(found.noise, 0.0) / (found.error * samples), 1.0)
    return 1 - math.sqrt(1 - change)
