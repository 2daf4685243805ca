"""Training from noisy recordings: it helps, it is honest where it does not, and it can be interrupted."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rdl_live.errors import DataError, OutputError
from rdl_live.train import Training, pair_training, train_on_films
from rdl_live.train.loop.loop import Step
from rdl_live.train.loop.task import Loss
from rdl_live.train.recordings.bootstrap import Interval
from rdl_live.train.recordings.judge import Judged
from rdl_live.train.recordings.moments import Moments, divide
from rdl_live.train.recordings.run import _Pace
from rdl_live.train.recordings.settings import Scheme, SelfSupSettings
from rdl_live.train.recordings.verdict import Gain
from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, Span, load_weights, save_weights

from .conftest import MakeFilm

TINY = ObjectPlaneConfig(width=8, blocks=1)
SETTINGS = SelfSupSettings(
    steps=6, batch=2, tile=48, rehearsal=0.0, workers=0, validate_every=3, learning_rate=3e-3, warmup=0.0
)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Untrained weights: they return the Wiener image."""
    path = tmp_path / "start.safetensors"
    torch.manual_seed(0)
    card = Card(
        name="start",
        architecture="object-plane",
        config=vars(TINY),
        trained_on={},
        steps=0,
        minutes=0,
        valid={"photons": Span(low=1, high=2000)},
    )
    save_weights(path, ObjectPlane(TINY), card)
    return path


def trainer(film: object, settings: SelfSupSettings = SETTINGS, **more: object) -> Training[Any]:
    torch.manual_seed(0)
    return pair_training(ObjectPlane(TINY), Moments([film], settings), **more)  # type: ignore[list-item, arg-type]


def test_the_last_time_points_are_held_out(make_film: MakeFilm) -> None:
    learnt, held = divide([make_film()], Scheme.TIS)
    assert [moment.time for moment in learnt] == list(range(7))
    assert [moment.time for moment in held] == [7, 8, 9]
    assert all(set(moment.fellows) == {7, 8, 9} for moment in held)
    with pytest.raises(DataError, match="4 time points, 8 are needed"):
        divide([make_film(times=4)], Scheme.TIS)


@pytest.mark.parametrize("scheme", list(Scheme))
def test_training_on_noise_alone_lowers_the_held_out_error(
    make_film: MakeFilm, tmp_path: Path, start: Path, scheme: Scheme
) -> None:
    out = tmp_path / "better.safetensors"
    settings = SETTINGS.replace(scheme=scheme, steps=40, validate_every=20, start=str(start))
    film = make_film(photons=3.0, size=112)
    result = train_on_films([film], out, settings)
    assert result.gain is not None
    assert result.gain.helped, result.words
    assert result.card == load_weights(out).card
    assert result.card is not None
    recording = result.card.trained_on["recordings"][0]
    assert recording["held_out"] == [7, 8, 9][-len(recording["held_out"]) :]
    assert (tmp_path / "better-preview.png").stat().st_size > 1000
    assert not (tmp_path / "better.safetensors.checkpoint").exists()
    with pytest.raises(OutputError, match="exists already"):
        train_on_films([film], out, settings)


def test_what_moves_too_fast_for_tis_is_told_and_nothing_is_written(
    make_film: MakeFilm, tmp_path: Path, start: Path
) -> None:
    told: list[str] = []
    settings, film = SETTINGS.replace(start=str(start)), make_film(speed=0.1, size=96, times=8)
    result = train_on_films([film], tmp_path / "w.safetensors", settings, notify=told.append)
    assert result.card is None
    assert "photon splitting" in told[0]
    assert "train split" in result.words[-1]
    assert list(tmp_path.iterdir()) == [start]
    chosen = train_on_films([film], tmp_path / "w.safetensors", settings, auto=True)
    assert chosen.scheme is Scheme.SPLIT


def test_bright_data_and_no_gain_change_nothing(make_film: MakeFilm, tmp_path: Path, start: Path) -> None:
    settings, out = SETTINGS.replace(start=str(start)), tmp_path / "w.safetensors"
    bright = train_on_films([make_film(photons=1000.0, size=96)], out, settings.replace(tile=96))
    assert bright.card is None
    assert "bright data" in bright.words[-1]
    useless = train_on_films([make_film()], out, settings.replace(learning_rate=1e-9))
    assert useless.card is None
    assert "nothing gained" in useless.words[-1]
    assert list(tmp_path.iterdir()) == [start]


def judged(value: float, low: float, high: float) -> Judged:
    return Judged(Interval(value, low, high), Interval(value**2 - 1, low**2 - 1, high**2 - 1), 1.0, ())


def test_a_gain_must_be_certain_and_worth_it_and_no_harm_where_nothing_was_learnt() -> None:
    better = judged(0.9, 0.85, 0.95)
    assert Gain(better, None).helped
    assert Gain(better, judged(0.97, 0.9, 1.05)).helped
    for here, elsewhere, words in (
        (judged(0.9, 0.8, 1.01), None, "cannot tell"),
        (judged(0.99, 0.985, 0.995), None, "nothing gained"),
        (judged(1.1, 1.05, 1.2), None, "made it worse"),
        (better, judged(1.1, 1.05, 1.2), "only where it was learnt"),
    ):
        found = Gain(here, elsewhere)
        assert not found.helped
        assert words in found.words
        assert "keep the weights" in found.words


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(make_film: MakeFilm, tmp_path: Path) -> None:
    film, file = make_film(), tmp_path / "w.checkpoint"
    settings = SETTINGS.replace(rehearsal=0.34)
    straight = trainer(film, settings)
    whole = [step.loss for step in straight.run()]
    first = []
    for step in trainer(film, settings, checkpoint=file).run():
        first.append(step.loss)
        if step.number == 4:
            break
    resumed = trainer(film, settings, checkpoint=file, resume=True)
    assert first + [step.loss for step in resumed.run()] == whole
    assert resumed.state.losses == whole
    assert resumed.state.looks == straight.state.looks
    for one, other in zip(straight.result.parameters(), resumed.result.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(DataError, match="seed = 1, now seed = 2"):
        trainer(film, settings.replace(seed=2), checkpoint=file, resume=True)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match="not a whole checkpoint"):
        trainer(film, settings, checkpoint=file, resume=True)


def test_training_ends_early_where_nothing_gets_better(make_film: MakeFilm) -> None:
    settings = SETTINGS.replace(steps=50, learning_rate=1e-9, validate_every=2, patience=3)
    stuck = trainer(make_film(), settings)
    assert len(list(stuck.run())) < 50


@pytest.mark.parametrize(("seconds", "said"), [(24.0, "1 minutes are about 20 steps"), (0.8, None)])
def test_minutes_that_are_too_few_are_said_at_the_beginning(
    make_film: MakeFilm, seconds: float, said: str | None
) -> None:
    training = trainer(make_film(), SETTINGS.replace(steps=None, minutes=1.0))
    training.state.seconds = seconds
    told: list[str] = []
    pace = _Pace(training, lambda step: step.number == 8, told.append)
    training.state.step = 8
    look = training.before
    ended = [
        pace(Step(number, 0.1, 1.0, 1.0, 1.0, 1e-3, Loss(torch.tensor(1.0)), None, look)) for number in range(1, 10)
    ]
    assert ended == [number == 8 for number in range(1, 10)]
    if said is None:
        assert told == []
        return
    assert len(told) == 1
    assert said in told[0]
    assert told[0].endswith("--minutes 5")
