"""Training: scenes are repeatable, a step helps, a training that was interrupted goes on as if it had not been."""

import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_live.restore.fusion import fused_spectrum, rings_of
from rdl_live.specimen import kind_names
from rdl_live.train import SceneSettings, Training, TrainSettings, scene_training, train_denoiser
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.trial import fitting
from rdl_live.train.simulated import evaluate as evaluation
from rdl_live.train.simulated.loss import judge
from rdl_live.train.simulated.run import maker
from rdl_live.train.simulated.scene import flipped, make_batch, make_scene
from rdl_live.train.simulated.settings import HELD_OUT
from rdl_live.train.simulated.task import SceneSource
from rdl_live.train.simulated.trainer import SimulatedTask
from rdl_live.train.simulated.unkind import KIND
from rdl_models import ObjectPlane, ObjectPlaneConfig, Span, load_weights

SCENES = SceneSettings(size=32, exposures=1, angles=(3,), phases=(3,), photons=Span(low=5, high=50))
SETTINGS = TrainSettings(
    steps=4, batch=1, window=2, reuse=1, workers=0, warmup=0.0, half_precision=False, scenes=SCENES
)


def tiny() -> ObjectPlane:
    return ObjectPlane(ObjectPlaneConfig(width=8, blocks=1))


def losses(trainer: Training[Any], most: int = 99) -> list[float]:
    found = []
    for step in trainer.run():
        found.append(step.loss)
        if len(found) == most:
            break
    return found


def test_a_scene_is_the_same_each_time_and_no_two_are_alike() -> None:
    one, again, other = (make_scene(1, index, SCENES) for index in (0, 0, 1))
    for first, second in zip(one.evidence.tensors(), again.evidence.tensors(), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(one.truth, other.truth)


def test_the_truth_of_a_batch_has_the_mean_of_the_data() -> None:
    scenes = SCENES.replace(size=64, photons=Span(low=200, high=200), unkind=KIND)
    batch = make_batch([(make_scene(5, index, scenes), 0) for index in range(3)])
    seen = batch.evidence.wiener()[..., :128, :128]
    assert torch.allclose(batch.truth.mean(dim=(1, 2)), seen.mean(dim=(1, 2)), rtol=0.05)
    assert torch.allclose(batch.evidence.photons, torch.ones(3), atol=1e-4)


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("left_right", [False, True])
def test_a_mirrored_scene_is_the_scene_mirrored(upside_down: bool, left_right: bool) -> None:
    batch = make_batch([(make_scene(5, index, SCENES), 0) for index in range(2)])
    turned = batch.mirrored(upside_down=upside_down, left_right=left_right)
    rows, columns = batch.truth.shape[-2:]
    for scale in (0.2, 30.0):
        image, found = (one.evidence.wiener(scale)[..., :rows, :columns] for one in (batch, turned))
        wanted = flipped(image, upside_down, left_right)
        assert torch.allclose(found, wanted, atol=2e-5 * float(wanted.abs().max()))
    assert torch.equal(turned.truth, flipped(batch.truth, upside_down, left_right))
    # The fit to the data knows no sides either: the same network error is measured.
    rings = rings_of(*batch.evidence.matched.shape[-2:])
    blank = torch.zeros_like(batch.evidence.matched)
    fused = (one.evidence.image(fused_spectrum(one.evidence, blank, rings)) for one in (batch, turned))
    before, after = (one[..., :rows, :columns] for one in fused)
    assert torch.allclose(after, flipped(before, upside_down, left_right), atol=2e-5 * float(before.abs().max()))


def test_what_is_held_out_is_not_trained_on() -> None:
    assert set(HELD_OUT) < set(kind_names())
    assert not set(SCENES.chosen_kinds) & set(HELD_OUT)


def test_steps_lower_the_loss_of_the_scene_that_they_are_made_on() -> None:
    torch.manual_seed(0)
    network, batch = tiny(), make_batch([(make_scene(2, 0, SCENES), 0)])
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    found = []
    for _ in range(15):
        judged = judge(network, batch)
        optimizer.zero_grad()
        judged.loss.backward()
        optimizer.step()
        found.append(float(judged.loss.detach()))
    assert found[-1] < 0.97 * found[0]


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = scene_training(tiny, SETTINGS)
    straight = losses(whole)
    file = tmp_path / "w.checkpoint"
    first = losses(scene_training(tiny, SETTINGS, checkpoint=file), 2)
    resumed = scene_training(tiny, SETTINGS, checkpoint=file, resume=True)
    assert first + losses(resumed) == straight
    for one, two in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("first", "next_one", "side"), [(0.1, 0.1, 128), (1.9, 0.1, 128), (1.9, 1.8, 64), (90, 90, 32)]
)
def test_a_step_that_is_too_slow_for_the_minutes_is_made_smaller(first: float, next_one: float, side: int) -> None:
    """32 s are left, of which a step may take a quarter; it is tried on 32 x 32 pixels."""
    now, trials = 0.0, [first, next_one]

    class Slow(SimulatedTask):
        def judge(self, *_: Any) -> Any:
            nonlocal now
            now += trials.pop(0)
            return SimpleNamespace(loss=torch.zeros((), requires_grad=True))

    task = Slow(tiny, SETTINGS)
    asked: list[int] = []
    fit = fitting(task, task.networks(), asked.append, 128, 32.0, clock=lambda: now)
    assert fit.side == side
    if side < 128:  # so many minutes make a quarter of them long enough for a step on 128 x 128
        assert fit.minutes == pytest.approx(16 * next_one / 0.25 / 60)
        assert f"--minutes {math.ceil(fit.minutes)} or more" in fit.words("n", 0.5)
    assert asked == [32]


def test_a_side_that_fits_is_left_as_it_was_asked_for() -> None:
    """A step on 32 x 32 pixels takes .8 s, one on 100 x 100 less than 8 s, though 100 is no multiple of 16."""
    now = 0.0

    class Slow(SimulatedTask):
        def judge(self, *_: Any) -> Any:
            nonlocal now
            now += 0.8
            return SimpleNamespace(loss=torch.zeros((), requires_grad=True))

    task = Slow(tiny, SETTINGS)
    for wanted, side in ((100, 100), (104, 96)):
        fit = fitting(task, task.networks(), lambda _side: None, wanted, 32.0, clock=lambda: now)
        assert fit.side == side


def test_minutes_that_are_far_too_few_make_scenes_small_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    settings = SETTINGS.replace(steps=None, minutes=1e-4, scenes=SCENES.replace(size=64))
    train_denoiser(tmp_path / "w.safetensors", settings.replace(network={"width": 8}), notify=said.append)
    assert len(said) == 1
    assert "so it learns from 32 x 32 pixels" in said[0]
    recorded = load_weights(str(tmp_path / "w.safetensors")).card.trained_on
    assert recorded["scenes"]["size"] == 32
    plenty = SimulatedTask(tiny, settings.replace(minutes=1e4), notify=said.append)
    plenty.begun(plenty.networks(), 6e5)
    assert plenty.scenes.size == 64
    assert len(said) == 1


def test_a_training_of_minutes_that_is_taken_up_again_learns_from_patches_as_before(tmp_path: Path) -> None:
    """Little or nothing is left then, in which no step would fit."""
    asked: list[float] = []
    now = 0.0

    class Asked(SimulatedTask):
        def begun(self, *told: Any) -> None:
            asked.append(told[1])

    def clock() -> float:
        nonlocal now
        now += 5.0
        return now

    settings, file = SETTINGS.replace(steps=None, minutes=0.5), tmp_path / "w.checkpoint"
    for resume in (False, True):
        task = Asked(tiny, settings)
        training = Training(task, checkpoint=file, resume=resume, clock=clock)
        losses(training)
        assert training.state.seconds > 20
    assert asked == [30.0, 30.0]


def test_a_checkpoint_of_other_settings_or_damaged_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.checkpoint"
    losses(scene_training(tiny, SETTINGS, checkpoint=file), 1)
    with pytest.raises(DataError, match="seed = 1, now seed = 2"):
        scene_training(tiny, SETTINGS.replace(seed=2), checkpoint=file, resume=True)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="not a whole checkpoint"):
        scene_training(tiny, SETTINGS, checkpoint=file, resume=True)


def test_processes_simulate_what_the_trainer_would() -> None:
    alone = losses(scene_training(tiny, SETTINGS.replace(steps=2)))
    assert losses(scene_training(tiny, SETTINGS.replace(steps=2, workers=1))) == alone


def test_a_training_writes_weights_with_all_that_belongs_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation.held_out_scores, "__kwdefaults__", {"levels": (5.0,), "count": 1, "device": "cpu"})
    out, seen = tmp_path / "mine.safetensors", []
    settings = SETTINGS.replace(steps=1)
    card = train_denoiser(out, settings, watch=seen.append)
    assert [step.number for step in seen] == [1]
    loaded = load_weights(out)
    assert loaded.card == card
    assert (card.name, card.steps, card.architecture) == ("mine", 1, "object-plane")
    assert card.valid["photons"] == Span(low=5 * SCENES.unkind.dimmer, high=50)
    assert card.valid["harmonics"] == Span(low=1, high=1)
    assert card.trained_on["scenes"]["size"] == 32
    assert set(card.scores) == {f"{kind}@5{more}" for kind in HELD_OUT for more in ("", " unkind")}
    assert (tmp_path / "mine-preview.png").stat().st_size > 1000
    with pytest.raises(OutputError, match="exists already"):
        train_denoiser(out, settings)


def test_a_training_goes_on_from_other_weights(tmp_path: Path) -> None:
    shipped = load_weights("rdl").network
    settings = SETTINGS.replace(start="rdl", learning_rate=1e-9, steps=1)
    trainer = scene_training(maker(settings), settings)
    losses(trainer)
    for name, value in trainer.average.named_parameters():
        assert torch.allclose(value, shipped.get_parameter(name), atol=1e-6), name
    random = scene_training(maker(SETTINGS), SETTINGS)
    assert not torch.allclose(next(random.network.parameters()), next(shipped.parameters()))
    with pytest.raises(ConfigError, match="nothing-like-it"):
        train_denoiser(tmp_path / "w.safetensors", settings.replace(start="nothing-like-it"))
    assert list(tmp_path.iterdir()) == []


def test_the_error_alone_is_taught_and_images_stay_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Four trainings, each scored at its end, which is not the matter here.
    monkeypatch.setattr(evaluation.held_out_scores, "__kwdefaults__", {"levels": (5.0,), "count": 1, "device": "cpu"})
    torch.manual_seed(3)
    start = tmp_path / "images.safetensors"
    settings = SETTINGS.replace(network={"width": 8, "blocks": 1, "spread": 4})
    train_denoiser(start, settings, overwrite=True)
    told = settings.replace(start=str(start), error_only=True, network={"spread": 6}, steps=3, learning_rate=1e-2)
    train_denoiser(tmp_path / "told.safetensors", told)
    before, after = (load_weights(path).network for path in (start, tmp_path / "told.safetensors"))
    assert (before.config.spread, after.config.spread) == (4, 6)
    x = torch.rand(1, 4, 64, 64)
    assert torch.equal(before(x), after(x))
    assert not torch.allclose(before.with_spread(x)[1], after.with_spread(x)[1], rtol=1e-3)
    history = load_weights(tmp_path / "told.safetensors").card.trained_on
    assert history["start"] == start.name
    assert history["before"]["steps"] == settings.steps
    assert history["before"]["scenes"] == settings.scenes.model_dump(mode="json")
    # An interrupted one goes on; what is not taught has nothing to be taken up.
    train_denoiser(tmp_path / "told.safetensors", told.replace(steps=5), resume=True, overwrite=True)
    assert load_weights(tmp_path / "told.safetensors").card.steps == 5
    assert torch.equal(before(x), load_weights(tmp_path / "told.safetensors").network(x))
    # Going on teaches the head that is there.
    train_denoiser(tmp_path / "more.safetensors", told.replace(start=str(tmp_path / "told.safetensors"), network={}))
    assert load_weights(tmp_path / "more.safetensors").network.config.spread == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": None}, "needs --from"),
        ({"grow": True}, "--grow --error-only"),
        ({"network": {"width": 16}}, "--network width"),
        ({"network": {"spread": 0}}, "estimates no error"),
        ({"network": {"spread": 10**6}}, "--network spread"),
    ],
)
def test_an_error_that_cannot_be_taught_is_refused(changes: dict[str, object], message: str) -> None:
    settings = SETTINGS.model_validate({**SETTINGS.model_dump(), "start": "rdl", "error_only": True, **changes})
    with pytest.raises(ConfigError, match=message):
        maker(settings)


def test_scales_cannot_be_added_to_nothing() -> None:
    with pytest.raises(ConfigError, match="--grow: needs --from"):
        maker(SETTINGS.replace(grow=True))


def test_what_cannot_be_written_or_resumed_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.safetensors files"):
        train_denoiser(tmp_path / "w.pt", SETTINGS)
    with pytest.raises(OutputError, match="no folder"):
        train_denoiser(tmp_path / "missing" / "w.safetensors", SETTINGS)
    with pytest.raises(DataError, match="without --resume"):
        train_denoiser(tmp_path / "w.safetensors", SETTINGS, resume=True)


@dataclass(frozen=True)
class Ratio:
    """What a network's judge says."""

    ratio: torch.Tensor


@pytest.mark.parametrize(
    ("each", "seconds", "scored"),
    [
        (1.0, None, 2 * len(evaluation.LEVELS)),
        (4.0, 20.0, 6),  # over at 20 s, while the third level is scored, which both kinds are
        (30.0, 10.0, 1),  # one alone takes all of the time, and more
    ],
)
def test_scoring_ends_in_time_however_slow_the_network(
    monkeypatch: pytest.MonkeyPatch, each: float, seconds: float | None, scored: int
) -> None:
    now = [0.0]

    def slow(*_: object, **__: object) -> Ratio:
        now[0] += each
        return Ratio(torch.tensor([0.25]))

    monkeypatch.setattr(evaluation.time, "monotonic", lambda: now[0])
    source = SceneSource("slow", lambda *_: None, lambda _: torch.zeros(1), slow, "nothing")
    found = evaluation.held_out_scores(tiny(), SCENES.replace(unkind=KIND), source, count=1, seconds=seconds)
    assert len(found) == scored
    assert set(found.values()) == {0.5}


def test_steps_of_a_slow_network_are_made_of_fewer_series() -> None:
    by_minutes = SimulatedTask(tiny, SETTINGS.replace(steps=None, minutes=1.0, batch=4))
    with by_minutes.batches(Processes.alone()) as draw:
        # How long a series takes is not known before there was one.
        assert len(draw(0).truth) == 1
        by_minutes.paced(2.0, 58.0)
        assert len(draw(1).truth) == 4
        by_minutes.paced(40.0, 20.0)
        assert len(draw(2).truth) == 1
    with SimulatedTask(tiny, SETTINGS.replace(batch=4)).batches(Processes.alone()) as draw:
        assert len(draw(0).truth) == 4
