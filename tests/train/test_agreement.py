"""The check of single frames against SIM: what it says, and how often it is wrong by chance."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.restore.agreement import NO_GAIN, ONCE_IN, agreement, limit_of
from rdl_models import Card


def card(**scores: float) -> Card:
    return Card(name="w", architecture="srcnn", config={}, trained_on={}, steps=1, minutes=1, scores={**scores})


def test_a_series_of_the_usual_kind_is_flagged_by_chance_as_seldom_as_is_said() -> None:
    """Of many trainings, each with a few patches held out: the share of further patches beyond the limit."""
    rng = np.random.default_rng(4)
    beyond = total = 0
    for _ in range(4000):
        errors = rng.normal(0.7, 0.03, 6)
        limit = limit_of(
            card(held_out=float(errors.mean()), held_out_sd=float(errors.std(ddof=1)), held_out_patches=len(errors))
        )
        beyond += int((rng.normal(0.7, 0.03, 10) > limit).sum())
        total += 10
    assert 0.3 / ONCE_IN < beyond / total < 2.5 / ONCE_IN


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"held_out": 0.7},
        {"held_out": 0.7, "held_out_sd": 0.02, "held_out_patches": 2},
        {"held_out": 0.97, "held_out_sd": 0.2, "held_out_patches": 6},
    ],
)
def test_what_is_not_known_is_only_expected_to_be_a_gain(scores: dict[str, float]) -> None:
    assert limit_of(card(**scores)) == NO_GAIN


def series() -> Tensor:
    """Return nine frames of spots that are smaller than a pixel of the camera, 200 photons each."""
    torch.manual_seed(7)
    fine = torch.zeros(1, 1, 128, 128)
    fine[..., torch.randint(8, 120, (60,)), torch.randint(8, 120, (60,))] = 4000.0
    fine = functional.avg_pool2d(fine, 3, 1, 1)
    mean = functional.avg_pool2d(fine, 2) + 20
    return torch.poisson(mean.expand(3, 3, 64, 64).contiguous())


def enlarged(photons: Tensor) -> Tensor:
    return functional.interpolate(photons[None], scale_factor=2, mode="bicubic")[0, 0]


def sharper(photons: Tensor) -> Tensor:
    """Return an image with a little more of its finest detail."""
    wide = enlarged(photons)
    return wide + 0.5 * (wide - functional.avg_pool2d(wide[None, None], 5, 1, 2, count_include_pad=False)[0, 0])


def test_a_network_that_makes_what_sim_shows_has_no_error_and_one_that_does_nothing_has_one() -> None:
    photons = series()
    known = (torch.nn.Identity(), card(held_out=0.5, held_out_sd=0.02, held_out_patches=6))

    def sim(kept: Tensor) -> Tensor:
        return sharper(kept.mean(dim=(0, 1))[None])

    same = agreement(photons, lambda _, frame: sharper(frame), known, sim, 0.0)
    none = agreement(photons, lambda _, frame: enlarged(frame), known, sim, 0.0)
    wrong = agreement(photons, lambda _, frame: 2 * enlarged(frame) - sharper(frame), known, sim, 0.0)
    # In this light the noise of a tenth of the photons is most of what lies between the two.
    assert math.isclose(none.error, 1, abs_tol=1e-3)
    assert same.error < none.error < wrong.error
    assert not none.agrees
    assert same.usual == 0.5
    assert math.isclose(same.limit, limit_of(known[1]))
    assert "is usual" in none.words
