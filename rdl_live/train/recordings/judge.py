"""The judge: how the errors of denoisers differ on a recording, without its truth, and how sure that is.

`Sample` holds what was measured, place by place and time by time (see `questions`); `Sample.judged` says what follows.
Training, `compare` and the window ask this judge and no other.

What an interval holds: the chance of places, time points and photons (resampled, `bootstrap`); that the patterns may
be wrong (the same question under patterns found in other time points); that the image shown to the user is made of all
photons and the judged one of four fifths of them. What no photon shows is taken to be equally wrong in all of them; how
wrong, is known from the share of it that the Wiener filter expects where the patterns are trusted, and not known else.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from rdl_live.errors import DataError
from rdl_live.optics import PatternSet
from rdl_live.optics.modality import modality_of
from rdl_live.restore.inputs import ask
from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.bootstrap import Draws, Interval, Values, interval, root_quotient
from rdl_live.train.recordings.film import INSET, Film, Tile, tiles
from rdl_live.train.recordings.questions import FOLDS, Question, noise_gain, questions

TILE = 128
BLOCK = 16
"""Raw pixels each way of a place."""
MOST_TIMES, MOST_PIECES = 12, 48
"""Time points, and tiles at time points, that are looked at."""
WORTH = 0.02
"""Errors that surely differ by less than this share are called equal."""
_STRIDE = 1 - 2 * INSET / TILE
_SEED = 0xC0A9
_LIGHT = 1 / FOLDS
"""Share of a difference by which it may change with the last part of the light."""
_LEAST_FOR_PATTERNS = 2
_BANDS = (0.5, 1.0)
"""Bounds of the bands that are reported [detection cut-off]; beyond the last one is what only SIM shows."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Sample:
    """Mean square errors [photons^2] of some denoisers: (times, places), the first denoiser is the reference."""

    areas: Values
    """(places,) share of each place that is judged."""
    first: Values
    """Error of the first one (times, places); may be negative by chance."""
    less: Values
    """Error of each one less that of the first, (denoisers, times, places)."""
    bands: Values
    """The same in each band, (denoisers, bands, times, places)."""
    others: Values
    """The same under other patterns, (denoisers, sets of patterns, times, places)."""
    known: bool = True
    """Whether all patterns are trusted. Without them nothing shows how large the error is that no photon shows."""

    def judged(self, number: int, chosen: Sequence[int] | None = None) -> "Judged":
        """Compare one denoiser with the first.

        Args:
            number: of the denoiser.
            chosen: time points (by their place in the sample) that judge; all where left out.
        """
        times = list(range(len(self.first))) if chosen is None else list(chosen)
        draws = Draws(len(times), len(self.areas), self.areas)
        less, whole = draws.means(self.less[number, times]), draws.means(self.first[times])
        others = [draws.means(one[times])[0] - less[0] for one in self.others[number]]
        doubt = max([abs(one) for one in others], default=0.0)
        difference = interval(less)
        beside = math.hypot(doubt, _LIGHT * difference.value)
        ratio = root_quotient((whole + less).clip(min=0), whole)
        if math.isfinite(ratio.value) and ratio.value > 0:
            step = beside / (2 * ratio.value * whole[0])
            ratio = ratio.widened(step, step)
            if not self.known:
                # With more error that is the same in both, the ratio lies between this one and 1; and what changes
                # of the error that nobody sees may be as much as what is seen to change.
                ratio = ratio.widened(abs(1 - ratio.value), abs(1 - ratio.value))
        bands = [interval(draws.means(one[times]) / max(whole[0], 1e-30)) for one in self.bands[number]]
        seen = self.less[number, times].mean(axis=0)[self.areas > 0]
        return Judged(
            ratio, difference.widened(beside, beside), float(whole[0]), tuple(bands), float((seen < 0).mean())
        )

    def relative(self, number: int, reference: int) -> Interval:
        """Return the error of one denoiser relative to that of another (root mean square)."""
        draws = Draws(len(self.first), len(self.areas), self.areas)
        one, other = (draws.means(self.first + self.less[index]) for index in (number, reference))
        return root_quotient(one, other)


@dataclass(frozen=True)
class Judged:
    """One denoiser against the first."""

    ratio: Interval
    """Error relative to that of the first (root mean square); infinite where that cannot be distinguished from 0."""
    less: Interval
    """Mean square error less that of the first [photons^2]."""
    error: float
    """Mean square error of the first [photons^2]."""
    bands: tuple[Interval, ...]
    """What each band adds to the difference, relative to the whole mean square error of the first: up to half the
    detection cut-off, up to it, and beyond, where only SIM shows anything."""
    places_better: float = 0.5
    """Share of the places where its error is the smaller one."""

    @property
    def standing(self) -> str:
        """`better`, `worse`, `equal` (surely by less than `WORTH`) or `unknown`, which is "cannot tell"."""
        if self.ratio.high < 1 + WORTH and self.ratio.low > 1 - WORTH:
            return "equal"
        if self.less.high < 0:
            return "better"
        return "worse" if self.less.low > 0 else "unknown"


class Reference:
    """Questions that were put to one denoiser, which others are then compared with."""

    @torch.no_grad()
    def __init__(self, network: nn.Module, asked: Sequence[Question]) -> None:
        """Ask it."""
        self._asked, self._first = asked, [self._image(network, one) for one in asked]
        errors = [
            one.hidden * blocks((image - one.halves[0]) * (image - one.halves[1]), one.tile).mean()
            for one, image in zip(asked, self._first, strict=True)
        ]
        self._error = _known_error(torch.stack(errors)) if errors else 1.0

    @torch.no_grad()
    def errors(self, network: nn.Module) -> Tensor:
        """Return a denoiser's mean square error in each question relative to that of the reference, (questions,)."""
        found = []
        for question, first in zip(self._asked, self._first, strict=True):
            image = self._image(network, question)
            less = blocks((image - first) * (image + first - 2 * question.judge), question.tile).mean()
            found.append(1 + less / self._error)
        return torch.stack(found).cpu()

    @staticmethod
    def _image(network: nn.Module, question: Question) -> Tensor:
        return question.image(answer(network, question.tile, question.photons, question.evidence))


def _known_error(errors: Tensor) -> float:
    """Return the mean square error of some questions, two standard errors of it at least.

    In little light its estimate is about 0 or below by chance. Changes relative to that would seem to be enormous; what
    is so little known is taken to be as large as it may be, which makes a change look small rather than large.
    """
    chance = float(errors.std()) / math.sqrt(len(errors)) if len(errors) > 1 else 0.0
    return max(float(errors.mean()), 2 * chance, 1e-12)


@torch.no_grad()
def told(network: nn.Module, asked: Sequence[Question]) -> float | None:
    """Return the mean error that a denoiser expects of its images [photons]; None where it expects none."""
    found = []
    for question in asked:
        sigma = ask(network, question.evidence).sigma
        if sigma is None:
            return None
        found.append(question.unit * float(blocks(sigma[0], question.tile).mean()))
    return sum(found) / len(found) if found else None


def measure(
    film: Film,
    networks: Sequence[nn.Module | None],
    times: Sequence[int],
    *,
    area: Tensor | None = None,
    others: Sequence[PatternSet] = (),
    progress: Progress = lambda _what, _done, _total: None,
) -> Sample:
    """Ask denoisers about a recording.

    Args:
        film: recording.
        networks: the denoisers; None is the plain Wiener reconstruction.
        times: time points that may judge; at most `MOST_TIMES` are looked at.
        area: what of the frame judges, (y, x), 1 or 0; all of it where left out.
        others: other patterns that may be the true ones, see `other_patterns`.
        progress: called with what is done.

    Raises:
        DataError: nothing of the recording is left to judge by.
    """
    places = [one for one in tiles(film, TILE, stride=_STRIDE) if area is None or bool(_areas(one, area).any())]
    times = spread(times, MOST_TIMES)
    if not places or not times:
        raise DataError(f"{film.name}: nothing is left to judge by; compare on another recording")
    places = [places[index] for index in spread(range(len(places)), max(1, MOST_PIECES // len(times)))]
    noise, generator = noise_gain(film), torch.Generator().manual_seed(_SEED)
    pieces: list[list[_Piece]] = []
    for number, time in enumerate(times):
        row = []
        for index, place in enumerate(places):
            progress("predicting held-out photons", number * len(places) + index, len(times) * len(places))
            moved = [Tile(film.under(one), place.top, place.left, place.shape) for one in others]
            asked = list(questions(place, time, generator, gain=noise, others=moved))
            row.append(_asked(asked, networks))
        pieces.append(row)
    whole = torch.ones(film.shape) if area is None else area
    areas = np.concatenate([_areas(one, whole) for one in places])
    first, less, bands, rest = (_joined(pieces, part) for part in range(len(pieces[0][0])))
    return Sample(areas, first, less, bands, rest, known=all(one.trusted for one in film.patterns))


_Piece = tuple[Values, Values, Values, Values]
"""first, less, bands, others of one tile at one time point; places along the last axis."""


@torch.no_grad()
def _asked(asked: Sequence[Question], networks: Sequence[nn.Module | None]) -> _Piece:
    """Return the means over the parts of a tile's photons."""
    found = [_one(question, networks) for question in asked]
    first, less, bands, others = (torch.stack(kind).double().mean(dim=0).numpy() for kind in zip(*found, strict=True))
    return first, less, bands, others


def _one(question: Question, networks: Sequence[nn.Module | None]) -> tuple[Tensor, ...]:
    tile, evidence = question.tile, question.evidence
    spectra = [answer(network, tile, question.photons, evidence) for network in networks]
    images = [question.image(one) for one in spectra]
    start = images[0]
    first = question.hidden * blocks((start - question.halves[0]) * (start - question.halves[1]), tile)
    less, bands, others = [], [], []
    for spectrum, image in zip(spectra, images, strict=True):
        both = image + start
        less.append(blocks((image - start) * (both - 2 * question.judge), tile))
        parts = [question.image((spectrum - spectra[0]) * band) for band in _bands(tile)]
        bands.append(torch.stack([blocks(one * (both - 2 * question.judge), tile) for one in parts]))
        rest = [blocks((image - start) * (both - 2 * one), tile) for one in question.others]
        others.append(torch.stack(rest) if rest else first.new_zeros(0, len(first)))
    return first, torch.stack(less), torch.stack(bands), torch.stack(others)


def _bands(tile: Tile) -> list[Tensor]:
    """Return masks (rows, columns) of the bands."""
    radius = tile.geometry.radius() / tile.geometry.otf.cutoff
    bounds = [0.0, *_BANDS, math.inf]
    return [((radius >= low) & (radius < high)).float() for low, high in pairwise(bounds)]


def blocks(image: Tensor, tile: Tile) -> Tensor:
    """Return means (places,) over the inside of a tile's padded image, in blocks of `BLOCK` raw pixels."""
    factor = image.shape[-2] // tile.geometry.padded[0]
    rows, columns = (slice(factor * INSET, factor * (size - INSET)) for size in tile.shape)
    return _blocks_of(image[rows, columns], factor * BLOCK)


def _blocks_of(image: Tensor, size: int) -> Tensor:
    """Return means over blocks of about `size` pixels that cover the image (y, x)."""
    counts = [max(1, round(length / size)) for length in image.shape]
    means: Tensor = torch.nn.functional.adaptive_avg_pool2d(image[None, None], (counts[0], counts[1]))
    return means.flatten()


def _areas(tile: Tile, area: Tensor) -> Values:
    """Return the share of each block of a tile that lies in an area (y, x) of the frame."""
    rows, columns = tile.window
    inside = area[rows, columns][INSET : tile.shape[0] - INSET, INSET : tile.shape[1] - INSET]
    found: Values = _blocks_of(inside.float(), BLOCK).double().numpy()
    return found


def _joined(pieces: list[list[_Piece]], part: int) -> Values:
    """Return one part of the pieces (time, tile): (..., times, places)."""
    rows = [np.concatenate([tile[part] for tile in row], axis=-1) for row in pieces]
    return np.stack(rows, axis=-2)


def other_patterns(film: Film) -> list[PatternSet]:
    """Find the patterns again in every other time point, and in those between: what differs is what is not known.

    The light of a recording's patterns is not known better than this. Nothing is returned for too few time points, or
    where the patterns cannot be found so.
    """
    if len(film) < _LEAST_FOR_PATTERNS:
        return []
    found = []
    for first in (0, 1):
        chosen = spread(range(first, len(film), 2), MOST_TIMES)
        again = modality_of(film.scope).estimate(film.frames[chosen], film.scope, channel=film.channel, maps=film.maps)
        if all(one.trusted or not old.trusted for one, old in zip(again, film.patterns, strict=True)):
            found.append(again)
    return found


def spread(values: Sequence[int], most: int) -> list[int]:
    """Return at most so many of the values, evenly spread."""
    places = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [int(values[int(place)]) for place in places]
