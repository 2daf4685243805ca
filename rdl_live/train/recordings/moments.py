"""What there is to learn from: tiles at time points, some of them held out for judging."""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.restore.evidence import Evidence
from rdl_live.train.loop.held_out import held_count, neighbours
from rdl_live.train.recordings.film import Film, Tile, tiles
from rdl_live.train.recordings.judge import TILE, spread
from rdl_live.train.recordings.pairs import Pairs, joined, mirrored, split_pair, tis_pair
from rdl_live.train.recordings.place import held_place
from rdl_live.train.recordings.questions import FOLDS, Question, noise_gain, questions
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings

LEAST = {Scheme.TIS: 8, Scheme.SPLIT: 6}
"""Time points of a recording that are needed to hold some out."""
_HELD_LEAST = {Scheme.TIS: 3, Scheme.SPLIT: 2}
JUDGED = 24
"""Questions on what is held out that choose among the weights of a training."""
MOST_BYTES = 128 * 2**20
"""Of spectra that are kept: those of a field of 256 x 256 over 24 time points."""
_LEAST_AREA = 0.1
"""Tiles of which less than this share is learnt from are left out."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One time point of one recording, and those that may be compared with it."""

    film: Film
    time: int
    fellows: tuple[int, ...]
    """Time points of the same side: learnt from, or held out."""


class Moments:
    """The recordings, divided into what is learnt from and what judges."""

    def __init__(self, films: Sequence[Film], settings: SelfSupSettings) -> None:
        """Divide.

        Raises:
            DataError: too few time points.
        """
        self.settings = settings
        self.places = {id(film): held_place(film) for film in films}
        """What of each film's frame nothing is learnt from."""
        self._tiles = {id(film): self._learnt_tiles(film) for film in films}
        shapes = {one[0].shape for one in self._tiles.values()}
        if len(shapes) > 1:
            raise DataError(f"recordings of different sizes, {sorted(shapes)}: train on those of one size")
        self.learnt, self.held = divide(films, settings.scheme)
        self._inside: dict[int, Tensor] = {}
        self._known: OrderedDict[tuple[int, int], Evidence] = OrderedDict()

    def batch(self, step: int) -> Pairs:
        """Return what a step learns from: depends on the seed and the step alone."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, 0x5E1F, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        made = []
        for _ in range(settings.batch):
            moment = self.learnt[int(rng.integers(len(self.learnt)))]
            places = self._tiles[id(moment.film)]
            tile = places[int(rng.integers(len(places)))]
            share = float(rng.uniform(*settings.shares))
            made.append(mirrored(self._pair(tile, moment, share, generator), rng))
        return joined(made)

    def judged(self) -> Iterator[Question]:
        """Go through the questions that choose among the weights of a training; the same ones each time.

        They come from places that nothing is learnt from, at every other of the time points that are learnt from, so
        that those at which the final verdict looks have not chosen anything. A field that is too small for a place of
        its own is asked at every other of the time points that are held out; the others give the verdict.
        """
        settings, wanted = self.settings, list[tuple[Tile, int]]()
        for film in {id(moment.film): moment.film for moment in self.learnt}.values():
            place = self.places[id(film)]
            pieces = tiles(film, TILE) if place is None else place.tiles(film, TILE)
            wanted += [(tile, moment.time) for moment in self.choosing(film) for tile in pieces]
        chosen = [wanted[index] for index in spread(range(len(wanted)), JUDGED)]
        noise = {id(tile.film): noise_gain(tile.film) for tile, _ in chosen}
        generator = torch.Generator().manual_seed(settings.seed)
        turns = min(FOLDS, math.ceil(JUDGED / len(chosen)))
        for number, (tile, time) in enumerate(chosen):
            folds = [(number + turn) % FOLDS for turn in range(turns)]
            yield from questions(tile, time, generator, gain=noise[id(tile.film)], folds=folds)

    def choosing(self, film: Film) -> list[Moment]:
        """Return the time points of a film that choose among the weights of a training; see `judged`."""
        if self.places[id(film)] is None:
            return self._of(film, self.held)[1::2]
        return self._of(film, self.learnt)[::2]

    def judging(self, film: Film) -> list[Moment]:
        """Return the held-out time points of a film that give the final verdict: they have chosen nothing."""
        held = self._of(film, self.held)
        return held[::2] if self.places[id(film)] is None else held

    def fresh(self, film: Film) -> list[Moment]:
        """Return the time points that were learnt from, but have not chosen: in the place apart, they judge as well."""
        return self._of(film, self.learnt)[1::2]

    @staticmethod
    def _of(film: Film, moments: Sequence[Moment]) -> list[Moment]:
        return [moment for moment in moments if moment.film is film]

    def _learnt_tiles(self, film: Film) -> list[Tile]:
        found = [(tile, self._learnt_inside(tile)) for tile in tiles(film, self.settings.tile)]
        kept = [tile for tile, inside in found if float(inside.sum()) >= _LEAST_AREA * float(tile.inside().sum())]
        return kept or [tile for tile, _ in found]

    def _learnt_inside(self, tile: Tile) -> Tensor:
        """Return what of a tile's padded image is learnt from, (y, x) float32, 1 or 0."""
        inside, place = tile.inside(), self.places[id(tile.film)]
        if place is not None:
            factor = inside.shape[-2] // tile.geometry.padded[0]
            area = place.area(tile.film)[tile.window].repeat_interleave(factor, 0).repeat_interleave(factor, 1)
            inside[: area.shape[0], : area.shape[1]] *= 1 - area
        return inside

    def _pair(self, tile: Tile, moment: Moment, share: float, generator: torch.Generator) -> Pairs:
        inside = self._inside.get(id(tile))
        if inside is None:
            inside = self._inside[id(tile)] = self._learnt_inside(tile)
        if self.settings.scheme is Scheme.SPLIT:
            return split_pair(tile, moment.time, share, generator, inside)
        others = neighbours(moment.time, moment.fellows, self.settings.reach)
        return tis_pair(self._evidence(tile, moment.time), [self._evidence(tile, one) for one in others], inside)

    def _evidence(self, tile: Tile, time: int) -> Evidence:
        """Return what a tile says at a time point; kept, since it is asked for as a neighbour as well."""
        key = (id(tile), time)
        known = self._known.pop(key, None)
        if known is None:
            known = tile.evidence(tile.film.photons(time, tile))
            size = known.matched.nbytes + known.damping.nbytes
            while self._known and size * (len(self._known) + 1) > MOST_BYTES:
                self._known.popitem(last=False)
        self._known[key] = known
        return known


def divide(films: Sequence[Film], scheme: Scheme) -> tuple[list[Moment], list[Moment]]:
    """Return the time points to learn from and those held out: the last ones of every recording.

    Raises:
        DataError: too few time points.
    """
    learnt: list[Moment] = []
    held: list[Moment] = []
    for film in films:
        if len(film) < LEAST[scheme]:
            continue
        count = held_count(len(film), _HELD_LEAST[scheme])
        early, late = tuple(range(len(film) - count)), tuple(range(len(film) - count, len(film)))
        learnt += [Moment(film, time, early) for time in early]
        held += [Moment(film, time, late) for time in late]
    if not learnt:
        most = max((len(film) for film in films), default=0)
        raise DataError(
            f"too little to learn from: the longest recording has {most} time points, {LEAST[scheme]} are needed "
            f"for {scheme} (some are held out for judging); record a longer time-lapse"
        )
    return learnt, held
