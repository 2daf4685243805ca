"""Memory: less noise where nothing moves, no traces of what did, and nothing of another place or colour."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy import ndimage

from rdl_live.app.live.parts import provenance_of
from rdl_live.app.session.mailbox import Mailbox
from rdl_live.optics import Microscope, expose, to_photons
from rdl_live.restore import LiveRestorer, Restorer, Unit
from rdl_live.restore import live as live_module
from rdl_live.specimen import SimulationSettings, SpecimenSettings, simulate
from rdl_live.specimen.simulation import Simulation
from rdl_live.stream.recipe import PipelineRecipe
from rdl_models import Weights, shipped
from tests.stream.conftest import frames_of, scene_of

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


class Moving:
    """A specimen whose picture is moved and added to by NumPy alone, not by the simulator's own motion."""

    def __init__(self, still: torch.Tensor, step_px: int, spot_px: int = 0) -> None:
        self._still, self._step, self._spot_step = still, step_px, spot_px

    def density(self, time_s: float = 0.0) -> torch.Tensor:
        """Return the picture rolled along both axes, with a spot that goes its own way along x."""
        at = int(time_s + 1e-6)
        image = np.roll(self._still.numpy(), (self._step * at, self._step * at), (0, 1)).copy()
        if self._spot_step:
            row, column = np.ogrid[: image.shape[0], : image.shape[1]]
            away = (row - image.shape[0] // 2) ** 2 + (column - image.shape[1] // 4 - self._spot_step * at) ** 2
            image += image.max() * np.exp(-away / 50)
        return torch.from_numpy(image)

    def haze(self, _time_s: float = 0.0) -> torch.Tensor:
        """Return no haze."""
        return torch.zeros_like(self._still)


def film(scope: Microscope, step_px: int, spot_px: int = 0) -> Simulation:
    """Return a film at 5 photons; steps in fine pixels, a quarter of the camera's."""
    settings = SimulationSettings(photons=5.0, shape=SHAPE, seed=2, time_points=6, interval_s=1.0, frame_time_s=0.001)
    simulation = Simulation(scope, SpecimenSettings(kind="filaments", seed=4), settings)
    simulation.specimen = Moving(simulation.specimen.density(), step_px, spot_px)  # type: ignore[assignment]
    return simulation


@pytest.mark.parametrize("step_px", [1, 2, 20])
def test_a_stage_that_drifts_or_jumps_is_followed(scope: Microscope, untrained: Weights, step_px: int) -> None:
    simulation = film(scope, step_px)
    restorer = Restorer(scope, simulation.patterns, SHAPE, untrained)
    memory = restorer.memory(6)
    with_memory, alone = 0.0, 0.0
    for index, series in enumerate(simulation):
        image = restorer.restore(series.adu, memory=memory).sr
        if index > 2:
            with_memory += float((image - series.truth).square().mean())
            alone += float((restorer(series.adu) - series.truth).square().mean())
    # Not followed, the mean is of no use: 1. A jump brings a part of the field anew.
    assert with_memory < (0.85 if step_px < 20 else 0.97) * alone


def test_a_vesicle_that_moves_is_where_it_is_and_nowhere_else(scope: Microscope, untrained: Weights) -> None:
    simulation = film(scope, 0, spot_px=20)
    restorer = Restorer(scope, simulation.patterns, SHAPE, untrained)
    memory = restorer.memory(6)
    truths, image = [], None
    for series in simulation:
        restored = restorer.restore(series.adu, memory=memory)
        truths.append(series.truth)
        image = restored.sr
    assert image is not None
    alone = restorer(series.adu)
    for place in (truths[-1], truths[-2]):
        # Around the spot as it is now, and around that of the series before.
        row, column = divmod(int(place.argmax()), place.shape[-1])
        here = (slice(max(row - 6, 0), row + 7), slice(max(column - 6, 0), column + 7))
        lost, usual = ((one - truths[-1])[here].square().mean() for one in (image, alone))
        assert float(lost) < 1.3 * float(usual)
    assert restored.worth is not None
    assert float(restored.worth.max()) > 2.0


class Changing(Moving):
    """A specimen that changes without going anywhere."""

    def __init__(self, still: torch.Tensor, how: str) -> None:
        super().__init__(still, 0)
        self._how = how

    def density(self, time_s: float = 0.0) -> torch.Tensor:
        """Return the picture at a time: half of it blinks, another one comes in from the side, or focus is lost."""
        at, image = int(time_s + 1e-6), self._still.numpy().copy()
        if self._how == "blinks":
            image[: len(image) // 2] *= 1 - 0.9 * (at % 2)
        elif self._how == "comes in":
            image[:, : 30 * at] += np.roll(self._still.numpy(), 57, 0)[:, : 30 * at]
        else:
            image = ndimage.gaussian_filter(image, 2.0 * at, mode="wrap")
        return torch.from_numpy(image)


@pytest.mark.parametrize("how", ["blinks", "comes in", "loses focus"])
def test_what_changes_in_its_place_is_as_it_is_now(scope: Microscope, untrained: Weights, how: str) -> None:
    simulation = film(scope, 0)
    simulation.specimen = Changing(simulation.specimen.density(), how)  # type: ignore[assignment]
    restorer = Restorer(scope, simulation.patterns, SHAPE, untrained)
    memory = restorer.memory(6)
    for index, series in enumerate(simulation):
        image = restorer.restore(series.adu, memory=memory).sr
        if index:
            with_memory, alone = (float((one - series.truth).square().mean()) for one in (image, restorer(series.adu)))
            assert with_memory < 1.05 * alone


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


def test_places_in_turn_are_as_each_by_itself_and_one_more_takes_little_room(
    scope: Microscope, record: Recorder, untrained: Weights
) -> None:
    """A stack of fifty planes in two colours has a hundred memories."""
    shown = [record(20.0, SHAPE, seed=seed) for seed in (3, 8)]
    generator = torch.Generator().manual_seed(5)
    films = [[expose(one.expected, scope.camera, generator=generator) for _ in range(3)] for one in shown]
    restorer, by_itself = (Restorer(scope, shown[0].patterns, SHAPE, untrained) for _ in range(2))
    for one in (restorer, by_itself):
        one.calibrate(films[0][0])
    memories = [restorer.memory(4) for _ in films]
    in_turn = [[restorer.restore(film[n], memory=memories[p]).sr for p, film in enumerate(films)] for n in range(3)]
    for place, film in enumerate(films):
        memory = by_itself.memory(4)
        for number, series in enumerate(film):
            assert torch.equal(by_itself.restore(series, memory=memory).sr, in_turn[number][place])

    def room() -> int:
        gc.collect()
        tensors = (one for one in gc.get_objects() if type(one) is torch.Tensor)
        return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())

    before, more = room(), [restorer.memory(4) for _ in range(8)]
    for memory in more:
        for series in films[0]:
            restorer.restore(series, memory=memory)
    # What is remembered is a spectrum on a coarser grid than the SR image, and two maps of tiles.
    assert room() - before < len(more) * 4 * in_turn[0][0].nbytes


def test_places_beyond_the_room_for_memories_stand_alone(
    scope: Microscope, record: Recorder, untrained: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "MEMORY_BYTES", 1)
    series, said = record(20.0, SHAPE), []
    live = LiveRestorer(scope, SHAPE, untrained, memory=4, half=False, warn=said.append)
    worth = {}
    for _ in range(2):
        for place in ((0, 0), (1, 0), (2, 0)):
            photons = to_photons(series.adu, scope.camera)
            worth[place] = live.restore(Unit(photons, series.patterns, scope.channels[0], place)).worth
    first = worth[0, 0]
    assert first is not None
    assert float(first.mean()) > 1.5
    assert worth[1, 0] is None
    assert worth[2, 0] is None
    assert [one for one in said if "of one series each" in one] == said[-1:]


@pytest.mark.skipif("rdl" not in shipped(), reason="the shipped weights are not there")
def test_colours_do_not_remember_each_other(scope: Microscope, record: Recorder) -> None:
    green, other = record(20.0, SHAPE, seed=3), record(20.0, SHAPE, seed=8)
    channel = scope.channels[0]
    red = channel.replace(name="other")
    two = scope.replace(channels=[channel.model_dump(), red.model_dump()])
    live = LiveRestorer(two, SHAPE, "rdl", memory=4, half=False)
    worth = []
    for series, colour in ((green, channel), (other, red), (green, channel), (other, red)):
        found = live.restore(Unit(to_photons(series.adu, scope.camera), series.patterns, colour)).worth
        assert found is not None
        worth.append(float(found.mean()))
    assert worth[:2] == [1, 1]
    assert min(worth[2:]) > 1.5


def test_a_memory_of_less_than_one_series_is_refused(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    restorer = Restorer(scope, record(20.0).patterns, (64, 64), untrained)
    with pytest.raises(ValueError, match="at least"):
        restorer.memory(0.5)


@pytest.mark.skipif("rdl" not in shipped(), reason="the shipped weights are not there")
@pytest.mark.parametrize("most", [1.0, 6.0])
def test_a_live_image_says_of_how_many_series_it_is(most: float) -> None:
    scene = scene_of(64)
    recipe = PipelineRecipe(
        scene.scope, scene.scope.channels[:1], (64, 64), denoise="rdl", memory=most, patterns=(scene.patterns,)
    )
    mailbox = Mailbox()
    mailbox.open(scene.scope, ("488",), 0.1)
    with ThreadPoolExecutor(1) as executor:
        pipeline = recipe.build(executor, lambda _: None)
        for number in range(2):
            result = [pipeline.push(frame, tag) for frame, tag in frames_of(scene.series(1), number)][-1]
    assert result is not None
    mailbox.put_result(result)
    images = mailbox.take()
    assert images is not None
    picture = images["denoised"]
    assert picture is not None
    worth, said = picture.worth, provenance_of(result)["series_worth"]
    assert "worth" not in images.pictures  # it is a shade on another
    if most == 1:
        assert worth is None
        assert said is None
    else:
        assert worth is not None
        assert worth.shape == picture.pixels.shape
        assert said == pytest.approx(float(worth.mean()), rel=1e-5)
        assert 1.2 < said <= 2.001
