"""Memory: less noise where nothing moves, no traces of what did, and nothing of another place or colour."""

import pytest
import torch

from rdl_live.optics import Microscope, expose, to_photons
from rdl_live.restore import LiveRestorer, Restorer, Unit
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_models import Weights, shipped

from .conftest import Recorder

SHAPE = (96, 96)
POINTS = 5


def errors(scope: Microscope, weights: Weights, speed_um_s: float, most: float) -> float:
    """Return the error of the last image of a time-lapse at 5 photons."""
    specimen = SpecimenSettings(kind="filaments", seed=4, speed_um_s=speed_um_s)
    recorded = simulate(scope, specimen, photons=5.0, shape=SHAPE, seed=2, time_points=POINTS)
    restorer = Restorer(scope, recorded.patterns, SHAPE, weights)
    memory = restorer.memory(most)
    for index in range(POINTS):
        series = recorded.series(index)
        image = restorer.restore(series.adu, memory=memory).sr
    return float((image - series.truth).square().mean().sqrt())


def test_where_nothing_moves_noise_is_averaged_away(scope: Microscope, untrained: Weights) -> None:
    assert errors(scope, untrained, 0.0, 5) < 0.75 * errors(scope, untrained, 0.0, 1)


@pytest.mark.parametrize("speed_um_s", [0.02, 0.1, 1.0])
def test_where_all_moves_nothing_is_worse(scope: Microscope, untrained: Weights, speed_um_s: float) -> None:
    assert errors(scope, untrained, speed_um_s, 5) < 1.01 * errors(scope, untrained, speed_um_s, 1)


def test_what_moves_in_a_scene_that_is_still_leaves_no_trace(
    scope: Microscope, record: Recorder, untrained: Weights
) -> None:
    """One quarter of the field becomes another; it must be the new one at once, the rest stays averaged."""
    series, other = record(20.0, SHAPE), record(20.0, SHAPE, seed=9)
    generator = torch.Generator().manual_seed(6)
    moved = series.expected.clone()
    moved[..., :48, :48] = other.expected[..., :48, :48]
    restorer = Restorer(scope, series.patterns, SHAPE, untrained)
    memory = restorer.memory(8)
    for _ in range(4):
        restorer.restore(expose(series.expected, scope.camera, generator=generator), memory=memory)
    last = expose(moved, scope.camera, generator=generator)
    after, alone = restorer.restore(last, memory=memory).sr, restorer(last)
    inside, outside = (slice(8, 80), slice(8, 80)), (slice(112, None), slice(112, None))

    def error(image: torch.Tensor, truth: torch.Tensor, where: tuple[slice, slice]) -> float:
        return float((image[where] - truth[where]).square().mean())

    assert error(after, other.truth, inside) < 1.1 * error(alone, other.truth, inside)
    assert error(after, series.truth, outside) < 0.8 * error(alone, series.truth, outside)


@pytest.mark.skipif("rdl" not in shipped(), reason="the shipped weights are not there")
def test_places_do_not_remember_each_other(scope: Microscope, record: Recorder) -> None:
    here, there = record(20.0, SHAPE, seed=3), record(20.0, SHAPE, seed=8)
    channel = scope.channels[0]

    def restored(live: LiveRestorer, places: list[tuple[int, int]]) -> torch.Tensor:
        for series, place in zip((there, here), places, strict=True):
            result = live.restore(Unit(to_photons(series.adu, scope.camera), here.patterns, channel, place))
        return result.sr

    apart = restored(LiveRestorer(scope, SHAPE, "rdl", memory=4, half=False), [(1, 0), (0, 0)])
    alone = restored(LiveRestorer(scope, SHAPE, "rdl", half=False), [(0, 0), (0, 0)])
    assert torch.equal(apart, alone)


def test_a_memory_of_less_than_one_series_is_refused(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    restorer = Restorer(scope, record(20.0).patterns, (64, 64), untrained)
    with pytest.raises(ValueError, match="at least"):
        restorer.memory(0.5)
