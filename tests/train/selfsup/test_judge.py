"""The judge: photons that were not shown judge what is inside of the frame, without bias, whatever the noise."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.bootstrap import Draws, Interval, interval
from rdl_live.train.recordings.film import INSET, Film, Tile, tiles
from rdl_live.train.recordings.judge import Judged, Reference, Sample, measure
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.place import held_place
from rdl_live.train.recordings.questions import FOLDS, Question, divided, noise_gain, questions
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings
from rdl_models import ObjectPlane, ObjectPlaneConfig

from .conftest import SCOPE, MakeFilm, truth_of


class Smoother(nn.Module):
    """Mixes the Wiener images: its error is known to be another one than that of the plain image."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, inputs: Tensor) -> Tensor:
        """Return between the middle image (0) and the smooth one (1)."""
        return torch.lerp(inputs[:, 1], inputs[:, 2], self.share)


def asked(film: Film, time: int = 0) -> list[Question]:
    tile = tiles(film, film.shape[0])[0]
    return list(questions(tile, time, torch.Generator().manual_seed(0)))


def true_ratio(film: Film, truth: Tensor, networks: list[nn.Module | None]) -> float:
    """Return the error of images of four fifths of the photons, against noise-free frames of the object."""
    errors = np.zeros(2)
    for time in range(len(film)):
        for question in asked(film, time):
            tile, power = question.tile, question.evidence.power[0]
            spectrum = tile.target * tile.matched(truth) / power.clamp(min=1e-6)
            wanted = question.plain_image(torch.where(power > 1e-6, spectrum * question.filter, 0))
            for number, network in enumerate(networks):
                found = question.image(answer(network, tile, question.photons, question.evidence))
                errors[number] += float(((found - wanted) * tile.inside()).square().sum())
    return float(np.sqrt(errors[1] / errors[0]))


@pytest.mark.parametrize("share", [0.8, -0.5])
def test_the_ratio_of_errors_is_that_against_the_truth(make_film: MakeFilm, share: float) -> None:
    film = make_film(photons=4.0, times=6, size=80)

    truth = truth_of(film)
    networks: list[nn.Module | None] = [Smoother(0.0), Smoother(share)]
    wanted = true_ratio(film, truth, networks)
    found = measure(film, networks, range(6)).judged(1)
    assert found.ratio.low < wanted < found.ratio.high
    assert found.ratio.value == pytest.approx(wanted, abs=0.05)
    assert abs(wanted - 1) > 0.03
    assert found.standing == ("better" if wanted < 1 else "worse")


def test_what_lies_beyond_the_frame_does_not_count(make_film: MakeFilm) -> None:
    """The margin is made by the program; a network that learns to make it, too, once passed for a better one."""
    film = make_film(photons=4.0, times=6, size=80)

    class Margin(Smoother):
        def forward(self, inputs: Tensor) -> Tensor:
            image = super().forward(inputs)
            rows, columns = (round(size * 80 / 96) for size in image.shape[-2:])
            image[:, rows + 4 : -4] *= 3
            image[:, :, columns + 4 : -4] *= 3
            return image

    question = asked(film)[0]
    assert question.evidence.grid == (192, 192)
    with torch.no_grad():
        plain, other = (
            answer(network, question.tile, question.photons, question.evidence)
            for network in (Smoother(0.0), Margin(0.0))
        )
    change = question.plain_image(other - plain).square()
    inside = question.tile.inside() > 0
    assert float(change[~inside].mean()) > 10 * float(change[inside].mean())
    sample = measure(film, [Smoother(0.0), Margin(0.0)], range(6))
    assert sample.judged(1).ratio.value == pytest.approx(1.0, abs=0.02)


def test_parts_of_the_photons_add_up_and_share_no_noise_even_where_the_gain_is_wrong(make_film: MakeFilm) -> None:
    film = make_film(photons=5.0, times=12, size=80)
    assert noise_gain(film) == pytest.approx(1.0, abs=0.05)
    camera = SCOPE.camera.model_copy(update={"gain_e_per_adu": 1.0})
    wrong = replace(film, scope=SCOPE.replace(camera=camera.model_dump()))
    found = noise_gain(wrong)
    assert found == pytest.approx(2.0, rel=0.06)
    photons = wrong.photons(0)
    parts = divided(photons, FOLDS, 1.0, torch.Generator().manual_seed(1), found)
    assert len(parts) == FOLDS
    torch.testing.assert_close(sum(parts), photons, atol=1e-3, rtol=1e-4)
    mean = 2 * truth_of(film)

    def shared(gain: float) -> float:
        generator, total, size = torch.Generator().manual_seed(2), 0.0, 0.0
        for time in range(12):
            one = divided(wrong.photons(time), FOLDS, 1.0, generator, gain)[0]
            rest = wrong.photons(time) - one
            mine, its = one - mean / FOLDS, rest - mean * (1 - 1 / FOLDS)
            total += float((mine * its).sum())
            size += float(mine.square().sum())
        return total / size

    assert abs(shared(found)) < 0.05
    assert shared(1.0) > 0.2


def test_what_is_held_out_chooses_and_nothing_is_learnt_from_it(make_film: MakeFilm) -> None:
    film = make_film(photons=4.0, times=10, size=112)
    place = held_place(film)
    assert place is not None
    assert held_place(make_film()) is None
    assert float(place.area(film).mean()) == 0.25
    moments = Moments([film], SelfSupSettings(scheme=Scheme.SPLIT, tile=64))
    for step in range(6):
        assert moments.batch(step).inside.sum() > 0
    for tile in tiles(film, 64):
        learnt, area = moments._learnt_inside(tile), place.area(film)[tile.window]
        rows, columns = (2 * size for size in tile.shape)
        held = area.repeat_interleave(2, 0).repeat_interleave(2, 1)
        assert float((learnt[:rows, :columns] * held).sum()) == 0
    chosen = list(moments.judged())
    assert len(chosen) >= 20
    assert {question.tile.film for question in chosen} == {film}
    for question in chosen:
        tile: Tile = question.tile
        # Only the inside of a tile is looked at, and that lies in the place.
        inset = [slice(INSET, size - INSET) for size in tile.shape]
        assert bool((place.area(film)[tile.window][inset[0], inset[1]] == 1).all())


def test_the_reference_is_1_and_worse_networks_are_above(make_film: MakeFilm) -> None:
    film = make_film(photons=4.0, times=6, size=80)
    reference = Reference(Smoother(0.0), asked(film))
    assert torch.equal(reference.errors(Smoother(0.0)), torch.ones(FOLDS))
    torch.manual_seed(1)
    wild = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1))
    nn.init.normal_(wild.head.weight, std=0.2)
    assert float(reference.errors(wild).mean()) > 1.2


def test_an_error_that_is_not_known_makes_no_change_enormous(make_film: MakeFilm) -> None:
    """In little light the estimate of the error is below 0 by chance; no network is a million times better then."""
    film = make_film(photons=4.0, times=6, size=80)
    put, plain = asked(film), Smoother(0.0)
    pictures = [one.image(answer(plain, one.tile, one.photons, one.evidence)) for one in put]
    # Each estimate of the error is a tenth of a photon, by chance above or below nothing; their mean is below.
    by_chance = (-0.1, 0.1, -0.1, 0.1, -0.05)
    unlucky = [
        replace(one, halves=(image + 1, image - value))
        for one, image, value in zip(put, pictures, by_chance, strict=True)
    ]
    found, known = (Reference(plain, each).errors(Smoother(0.5)) for each in (unlucky, put))
    assert torch.equal(Reference(plain, unlucky).errors(plain), torch.ones(FOLDS))
    assert float((found - 1).abs().max()) < 100 * float((known - 1).abs().max())


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [(0.85, 0.95, "better"), (1.05, 1.2, "worse"), (0.99, 1.01, "equal"), (0.95, 1.01, "unknown")],
)
def test_cannot_tell_is_a_verdict(low: float, high: float, standing: str) -> None:
    middle = (low + high) / 2
    less = Interval(middle**2 - 1, low**2 - 1, high**2 - 1)
    assert Judged(Interval(middle, low, high), less, 1.0, ()).standing == standing


@pytest.mark.parametrize("sign", [-1, 1])
def test_without_patterns_nobody_knows_how_large_the_rest_of_the_error_is(sign: int) -> None:
    """The sign of a difference is seen all the same, and so is the most that it may be."""
    areas, whole = np.ones(4), np.ones((3, 4))
    less = np.stack([0 * whole, sign * 0.2 * whole])
    kinds = [
        Sample(areas, whole, less, np.zeros((2, 3, 3, 4)), np.zeros((2, 0, 3, 4)), known).judged(1)
        for known in (True, False)
    ]
    seen, unsure = (one.ratio for one in kinds)
    assert seen.value == unsure.value == pytest.approx(math.sqrt(1 + 0.2 * sign))
    assert (seen.high < 1) == (sign < 0)
    assert unsure.low <= 1 <= unsure.high
    assert unsure.low < seen.low
    assert unsure.high > seen.high
    assert kinds[0].standing == kinds[1].standing == ("better" if sign < 0 else "worse")


@pytest.mark.parametrize(("times", "places"), [(2, 9), (3, 4), (6, 30)])
def test_intervals_of_few_time_points_hold_the_truth_as_often(times: int, places: int) -> None:
    """Figures of known spread, those of a place alike at all times, those of a time alike in all places."""
    rng, held = np.random.default_rng(times), 0
    for _ in range(200):
        by_time, by_place = rng.normal(size=(times, 1)), rng.normal(size=(1, places))
        values = 0.3 * by_time + by_place + rng.normal(size=(times, places))
        found = interval(Draws(times, places, np.ones(places)).means(values))
        held += found.low <= 0 <= found.high
    assert held >= 0.86 * 200


def test_an_error_that_seems_to_be_nothing_gives_no_ratio() -> None:
    areas, whole = np.ones(4), np.ones((3, 4))
    less = np.stack([0 * whole, -1.1 * whole])
    found = Sample(areas, whole, less, np.zeros((2, 3, 3, 4)), np.zeros((2, 0, 3, 4))).judged(1)
    assert not math.isfinite(found.ratio.value)
    assert found.standing == "better"
