"""Pairs: their noise is independent, their loss is unbiased, and a tile is a series of its own."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rdl_live.optics import Otf
from rdl_live.optics.pattern import illumination
from rdl_live.restore.evidence import Evidence
from rdl_live.train.loop.held_out import neighbours
from rdl_live.train.recordings.film import Tile, shifted, tiles
from rdl_live.train.recordings.loss import error_ratio
from rdl_live.train.recordings.pairs import Pairs, joined, mirrored, split_pair, tis_pair

from .conftest import SCOPE, MakeFilm, truth_of


def plain_spectrum(evidence: Evidence) -> Tensor:
    """Return the spectrum of the Wiener estimate, (n, rows, columns)."""
    return evidence.matched * (evidence.target / (evidence.power + evidence.damping).clamp(min=1e-12))


def whole(film: object) -> Tile:
    return tiles(film, 48)[0]  # type: ignore[arg-type]


def test_tiles_cover_the_field_and_know_where_they_lie(make_film: MakeFilm) -> None:
    film = make_film(size=80)
    seen = np.zeros((80, 80), bool)
    places = tiles(film, 48)
    for tile in places:
        seen[tile.window] = True
    assert seen.all()
    assert len({(tile.top, tile.left) for tile in places}) == len(places) == 4
    pixel = SCOPE.optics.pixel_size_um
    light = illumination(film.patterns, (80, 80), pixel)
    moved = illumination(shifted(film.patterns, 32 * pixel, 16 * pixel), (48, 48), pixel)
    torch.testing.assert_close(moved, light[..., 16:64, 32:80], atol=1e-5, rtol=0)


def test_neighbours_are_of_the_other_parity_and_balanced() -> None:
    times = range(10)
    assert neighbours(5, times, 3) == [2, 4, 6, 8]
    assert neighbours(5, times, 1) == [4, 6]
    assert neighbours(0, times, 3) == [1]
    assert neighbours(1, times, 3) == [0, 2]
    assert neighbours(1, times, 9) == [0, 2, 4]  # nothing moves, so a side may be missing
    assert len(neighbours(20, range(40), 15)) == 10


def test_the_noise_of_two_looks_is_independent(make_film: MakeFilm) -> None:
    film = make_film(photons=3.0, times=12)
    tile = whole(film)
    generator = torch.Generator().manual_seed(0)
    mean = torch.stack([film.photons(time) for time in range(12)]).mean(dim=0)
    clean = tile.evidence(mean).matched
    power = tile.geometry.power > 0.05
    total, size = 0.0, 0.0
    for time in range(12):
        pair = split_pair(tile, time, 0.5, generator)
        one, other = (matched - clean for matched in (pair.evidence.matched, pair.matched))
        # What the mean of all has of this one's noise is taken out: a twelfth.
        total += float((one * other.conj()).real[0, power].sum()) + float((1 / 12) * one.abs().square()[0, power].sum())
        size += float(one.abs().square()[0, power].sum())
    assert abs(total / size) < 0.08


@pytest.mark.parametrize("scheme", ["split", "tis"])
def test_the_error_against_a_noisy_look_is_that_against_the_truth(make_film: MakeFilm, scheme: str) -> None:
    film = make_film(photons=4.0, times=12, size=96)
    tile = tiles(film, 96)[0]
    truth = tile.evidence(truth_of(film))
    generator = torch.Generator().manual_seed(1)
    looks = [tile.evidence(film.photons(time)) for time in range(12)]
    noisy, true = [], []
    for time in range(1, 11):
        pair = (
            split_pair(tile, time, 0.5, generator)
            if scheme == "split"
            else tis_pair(looks[time], [looks[one] for one in neighbours(time, range(12), 3)], tile.inside())
        )
        spectrum = plain_spectrum(pair.evidence)
        noisy.append(float(error_ratio(pair, spectrum)))
        true.append(float(error_ratio(Pairs(pair.evidence, truth.matched, 0 * truth.noise, pair.inside), spectrum)))
    assert np.mean(noisy) == pytest.approx(np.mean(true), abs=0.1)
    assert 0.4 < np.mean(true) < 1.5  # about what the Wiener estimate expects of itself


def test_mirrored_pairs_are_what_mirrored_frames_would_give(make_film: MakeFilm) -> None:
    tile = whole(make_film())
    pair = split_pair(tile, 0, 0.5, torch.Generator().manual_seed(2))
    image = pair.evidence.image(pair.evidence.matched)
    found = set()
    for seed in range(12):
        other = mirrored(pair, np.random.default_rng(seed))
        seen = other.evidence.image(other.evidence.matched)
        matches = [
            flips
            for flips in ((), (-1,), (-2,), (-2, -1))
            if torch.allclose(seen, image.flip(flips).roll([1] * len(flips), flips) if flips else image, atol=1e-4)
        ]
        assert len(matches) == 1
        found.add(matches[0])
        torch.testing.assert_close(
            error_ratio(other, plain_spectrum(other.evidence)), error_ratio(pair, plain_spectrum(pair.evidence))
        )
    assert len(found) == 4


def test_pairs_side_by_side_are_judged_as_each_alone(make_film: MakeFilm) -> None:
    tile = whole(make_film())
    generator = torch.Generator().manual_seed(3)
    one, other = (split_pair(tile, time, 0.7, generator) for time in (0, 1))
    both = joined([one, other])
    alone = torch.cat([error_ratio(pair, plain_spectrum(pair.evidence)) for pair in (one, other)])
    torch.testing.assert_close(error_ratio(both, plain_spectrum(both.evidence)), alone)


def test_light_that_fades_does_not_matter(make_film: MakeFilm) -> None:
    film = make_film(photons=50.0)
    tile = whole(film)
    one = tile.evidence(film.photons(0))
    faded = tile.evidence(0.3 * film.photons(0))
    torch.testing.assert_close(one.matched, faded.matched, rtol=1e-3, atol=1e-3)
    assert Otf.of(SCOPE).cutoff > 0
