"""What a training consists of, whatever it learns from: the engine (`rdl_live.train.loop.loop`) asks for it.

A source of pairs (simulated scenes, recordings, stacks, files of another package) is one `TrainingTask`. It says which
networks there are, where batches come from, what is to be minimised, what is held out, and what makes it the same
training when it is taken up again. Steps, averages, budgets, checkpoints, previews and cards are the engine's.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor

from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.settings import LoopSettings
from rdl_models import Network

MAIN = "network"
"""The network that is kept; others (a critic) only help to train it."""


class Judged(Protocol):
    """A batch, judged."""

    @property
    def loss(self) -> Tensor:
        """Scalar, to be minimised, with its gradient."""

    @property
    def gain(self) -> float | None:
        """Root of the mean square error relative to that of what was shown; below 1 is a gain. None if not known."""


@dataclass(frozen=True)
class Loss:
    """A loss of which no more is known; see `Judged`."""

    loss: Tensor
    gain: float | None = None


class Movable(Protocol):
    """A batch."""

    def to(self, device: torch.device | str) -> Self:
        """Return it on another device."""


Batch = TypeVar("Batch", bound=Movable)
Pictures = Sequence[Sequence[Tensor]]
"""Rows of images (y, x); each row is shown on the scale of its last one."""


class TrainingTask(ABC, Generic[Batch]):
    """See above. Every random number depends on the seed and the step alone."""

    settings: LoopSettings
    ahead = True
    """Whether the next batch is made in another thread while this one is learnt from."""

    @abstractmethod
    def networks(self) -> Mapping[str, Network]:
        """Return the networks by name, `MAIN` among them, as training begins; torch's seed is set."""

    @abstractmethod
    def batches(self, processes: Processes) -> AbstractContextManager[Callable[[int], Batch]]:
        """Return what gives the batch of a step, 0, 1, 2, ..., of this process."""

    @abstractmethod
    def judge(self, turn: str, networks: Mapping[str, Network], batch: Batch) -> Judged:
        """Return the loss of a network.

        Args:
            turn: the name of the network that is to learn; the others get no gradients.
            networks: all of them.
            batch: on the networks' device.
        """

    def turns(self, step: int) -> Sequence[str]:
        """Return which networks learn from the batch of a step, one after the other."""
        return (MAIN,)

    def rate(self, name: str) -> float:
        """Return a network's learning rate relative to that of the settings."""
        return 1.0

    def begun(self, networks: Mapping[str, Network], seconds: float) -> None:
        """Hear what is to learn, before the first step; the task may make its steps smaller, so that the minutes are
        kept.

        Args:
            networks: all of them; are not to be changed.
            seconds: of the whole training, also where it is taken up again: so it learns from patches as before.
        """

    def paced(self, seconds: float, left: float) -> None:
        """Hear how long a step took; the task may make those that follow smaller, so that the minutes are kept.

        Args:
            seconds: of the last step.
            left: seconds until the minutes are over.
        """

    def errors(self, network: Network) -> Tensor | None:
        """Return errors (tiles,) on what is held out; None where nothing is."""
        return None

    def identity(self) -> dict[str, Any]:
        """Return what must be the same, beside the settings, when the training is taken up again."""
        return {}

    def pictures(self, started: Network, present: Network, judged: Judged | None) -> Pictures:
        """Return what a preview shows.

        Args:
            started: the network as training began.
            present: as it is now.
            judged: of the last batch.
        """
        return ()
