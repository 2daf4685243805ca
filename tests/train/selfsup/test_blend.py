"""How much of what was learnt is taken, and that the judge who decides it does not judge in the end."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from rdl_live.train.recordings.blend import best_blend, blended
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings
from rdl_live.train.recordings.trainer import PairTask
from rdl_models import ObjectPlane, ObjectPlaneConfig

from .conftest import MakeFilm

TELLS = ObjectPlaneConfig(width=8, blocks=1, spread=4)


def network(seed: int) -> ObjectPlane:
    torch.manual_seed(seed)
    made = ObjectPlane(TELLS)
    with torch.no_grad():
        made.head.weight += 0.1 * torch.randn_like(made.head.weight)
    return made


def asked(best: float, told: tuple[float, float] | None = None) -> tuple[Any, ObjectPlane, ObjectPlane]:
    """A judge for whom the error is a parabola that is lowest at a share `best` of the way."""
    first, last = network(1), network(2)

    def errors(one: ObjectPlane) -> Tensor:
        at, begin, end = (each.stem.weight.detach().flatten() for each in (one, first, last))
        share = float((at - begin) @ (end - begin) / (end - begin).square().sum())
        return torch.tensor([1 + (share - best) ** 2 - best**2])

    def says(one: ObjectPlane) -> float | None:
        return None if told is None else told[0 if one is first else 1]

    return SimpleNamespace(errors=errors, told=says), first, last


@pytest.mark.parametrize(("best", "share"), [(-0.3, 0.0), (0.1, 0.0), (0.2, 0.25), (0.55, 0.5), (0.9, 1.0), (1.6, 1.0)])
def test_the_share_that_does_best_is_taken(best: float, share: float) -> None:
    found = best_blend(*asked(best))
    assert found.share == share
    assert all(not one.requires_grad for one in found.network.parameters())


def test_between_two_networks_lie_their_mixtures() -> None:
    first, last = network(1), network(2)
    for share, wanted in ((0.0, first), (1.0, last)):
        mixed = blended(first, last, share)
        for one, other in zip(mixed.parameters(), wanted.parameters(), strict=True):
            torch.testing.assert_close(one, other.detach())
    half = blended(first, last, 0.5)
    torch.testing.assert_close(half.head.weight, (first.head.weight + last.head.weight).detach() / 2)
    assert last.head.weight.requires_grad, "the networks themselves are left as they are"


def test_the_error_that_is_told_falls_as_the_judge_sees_the_error_fall() -> None:
    torch.manual_seed(3)
    x = torch.rand(1, 4, 32, 32) + 1
    task, first, last = asked(0.25, told=(2.0, 2.1))
    found = best_blend(task, first, last)
    ratio = (1 - 0.25**2) ** 0.5
    plain, scaled = blended(first, last, 0.25).with_spread(x), found.network.with_spread(x)
    torch.testing.assert_close(scaled[0], plain[0])
    assert plain[1] is not None
    assert scaled[1] is not None
    torch.testing.assert_close(scaled[1], plain[1] * ratio * 2.0 / 2.1, rtol=1e-2, atol=0.0)


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("scheme", list(Scheme))
def test_what_chooses_does_not_judge(make_film: MakeFilm, size: int, scheme: Scheme) -> None:
    film = make_film(size=size)
    moments = Moments([film], SelfSupSettings(scheme=scheme, workers=0))
    choosing, judging, fresh = (
        {moment.time for moment in kind(film)} for kind in (moments.choosing, moments.judging, moments.fresh)
    )
    assert choosing
    assert judging
    assert judging <= {moment.time for moment in moments.held}
    assert not choosing & (judging | fresh)
    assert (moments.places[id(film)] is None) == (size == 64)


def test_a_rehearsal_leaves_the_error_that_is_told_alone(make_film: MakeFilm) -> None:
    task = PairTask(network(1), Moments([make_film(size=64)], SelfSupSettings(workers=0)))
    learning = task.network()
    assert learning.spread is not None
    assert not any(one.requires_grad for one in learning.spread.parameters())
    assert learning.head.weight.requires_grad
