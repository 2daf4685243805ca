"""The engine serves tasks that it does not know: two networks that train each other, and several that take turns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_live.errors import DataError
from rdl_live.train import Training
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.rehearsal import Rehearsed
from rdl_live.train.loop.settings import LoopSettings
from rdl_live.train.loop.task import MAIN, Loss, TrainingTask

SETTINGS = LoopSettings(steps=12, learning_rate=1e-2, warmup=0.0)


@dataclass(frozen=True)
class Points:
    """A batch."""

    noise: Tensor
    real: Tensor

    def to(self, device: torch.device | str) -> "Points":
        return Points(self.noise.to(device), self.real.to(device))


class Adversaries(TrainingTask[Points]):
    """A generator that is to give numbers around 3, and a critic that learns at every fourth step."""

    def __init__(self, settings: LoopSettings = SETTINGS, offset: float = 3.0) -> None:
        self.settings, self.offset = settings, offset
        self.learnt: list[str] = []

    def networks(self) -> Mapping[str, nn.Module]:
        return {MAIN: nn.Linear(1, 1), "critic": nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))}

    @contextmanager
    def batches(self, _processes: Processes) -> Iterator[Callable[[int], Points]]:
        def draw(step: int) -> Points:
            generator = torch.Generator().manual_seed(1000 * self.settings.seed + step)
            return Points(
                torch.randn(16, 1, generator=generator), self.offset + torch.randn(16, 1, generator=generator)
            )

        yield draw

    def turns(self, step: int) -> Sequence[str]:
        return ("critic",) if step % 4 == 3 else (MAIN,)

    def rate(self, name: str) -> float:
        return 0.5 if name == "critic" else 1.0

    def judge(self, turn: str, networks: Mapping[str, Any], batch: Points) -> Loss:
        self.learnt.append(turn)
        assert [any(one.requires_grad for one in network.parameters()) for network in networks.values()] == [
            name == turn for name in networks
        ]
        made, critic = networks[MAIN](batch.noise), networks["critic"]
        if turn == MAIN:
            return Loss(functional.softplus(-critic(made)).mean())
        return Loss((functional.softplus(-critic(batch.real)) + functional.softplus(critic(made))).mean())

    def identity(self) -> dict[str, Any]:
        return {"offset": self.offset}


def parameters(training: Training[Any]) -> list[Tensor]:
    return [one for network in training.state.modules().values() for one in network.parameters()]


def test_two_networks_learn_in_turn_and_go_on_to_the_bit(tmp_path: Path) -> None:
    whole = Training(Adversaries())
    straight = [step.loss for step in whole.run()]
    assert whole.task.learnt[:4] == [MAIN, MAIN, MAIN, "critic"]  # type: ignore[attr-defined]
    file = tmp_path / "g.checkpoint"
    for step in Training(Adversaries(), checkpoint=file).run():
        if step.number == 5:
            break
    resumed = Training(Adversaries(), checkpoint=file, resume=True)
    assert [step.loss for step in resumed.run()] == straight[5:]
    assert resumed.state.losses == straight
    for one, other in zip(parameters(whole), parameters(resumed), strict=True):
        assert torch.equal(one, other)
    assert all(one.requires_grad for network in resumed.state.networks.values() for one in network.parameters())


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "g.checkpoint"
    next(iter(Training(Adversaries(), checkpoint=file).run()))
    Training(Adversaries(), checkpoint=file).save()
    with pytest.raises(DataError, match=r"was trained with offset = 3\.0, now offset = 2\.0"):
        Training(Adversaries(offset=2.0), checkpoint=file, resume=True)
    # Only the length may differ.
    Training(Adversaries(SETTINGS.replace(steps=99)), checkpoint=file, resume=True)


def test_another_task_is_rehearsed_in_its_share_of_the_steps() -> None:
    main, other = Adversaries(), Adversaries(SETTINGS.replace(seed=7))
    training = Training(Rehearsed(main, other, 0.25))
    assert len(list(training.run())) == 12
    assert (len(main.learnt), len(other.learnt)) == (9, 3)


class Timed(Adversaries):
    """Each step takes so many seconds by a clock of its own."""

    def __init__(self, minutes: float, seconds: float) -> None:
        super().__init__(LoopSettings(minutes=minutes, learning_rate=1e-2))
        self.seconds, self.now, self.heard = seconds, 0.0, list[tuple[float, float]]()

    def judge(self, turn: str, networks: Mapping[str, Any], batch: Points) -> Loss:
        self.now += self.seconds
        return super().judge(turn, networks, batch)

    def paced(self, seconds: float, left: float) -> None:
        self.heard.append((seconds, left))


@pytest.mark.parametrize(("seconds", "heard"), [(50.0, [10.0]), (20.0, [40.0, 20.0, 0.0]), (35.0, [25.0, 0.0])])
def test_no_step_begins_that_would_end_long_after_the_minutes(seconds: float, heard: list[float]) -> None:
    task = Timed(1.0, seconds)
    training = Training(task, clock=lambda: task.now)
    assert len(list(training.run())) == len(heard)
    assert task.heard == [(seconds, left) for left in heard]
