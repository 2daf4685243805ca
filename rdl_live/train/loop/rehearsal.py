"""A task that now and then repeats another one, so that what was learnt before is not forgotten."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.task import Judged, Pictures, TrainingTask
from rdl_models import Network


@dataclass(frozen=True)
class Drawn:
    """A batch, and the task whose it is."""

    task: TrainingTask[Any]
    batch: Any

    def to(self, device: torch.device | str) -> "Drawn":
        """Return it on another device."""
        return Drawn(self.task, self.batch.to(device))


class Rehearsed(TrainingTask[Drawn]):
    """Takes a share of its steps from another task; all else is the first one's."""

    def __init__(self, task: TrainingTask[Any], other: TrainingTask[Any], share: float) -> None:
        """Mix them: `share` of the steps, evenly spread, are the other task's."""
        self._task, self._other, self._share = task, other, share
        self.settings = task.settings

    def networks(self) -> Mapping[str, Network]:
        """Those of the task."""
        return self._task.networks()

    @contextmanager
    def batches(self, processes: Processes) -> Iterator[Callable[[int], Drawn]]:
        """Batches of both."""
        with self._task.batches(processes) as mine, self._other.batches(processes) as theirs:

            def draw(step: int) -> Drawn:
                turn = math.floor(step * self._share)
                if math.floor((step + 1) * self._share) > turn:
                    return Drawn(self._other, theirs(turn))
                return Drawn(self._task, mine(step))

            yield draw

    def judge(self, turn: str, networks: Mapping[str, Network], batch: Drawn) -> Judged:
        """As the batch's task does."""
        return batch.task.judge(turn, networks, batch.batch)

    def turns(self, step: int) -> tuple[str, ...]:
        """Those of the task."""
        return tuple(self._task.turns(step))

    def rate(self, name: str) -> float:
        """That of the task."""
        return self._task.rate(name)

    def begun(self, networks: Mapping[str, Network], seconds: float) -> None:
        """Told to the task."""
        self._task.begun(networks, seconds)

    def paced(self, seconds: float, left: float) -> None:
        """Told to the task."""
        self._task.paced(seconds, left)

    def errors(self, network: Network) -> Tensor | None:
        """Those of the task."""
        return self._task.errors(network)

    def identity(self) -> dict[str, Any]:
        """That of the task."""
        return self._task.identity()

    def pictures(self, started: Network, present: Network, judged: Judged | None) -> Pictures:
        """Those of the task."""
        return self._task.pictures(started, present, judged)
