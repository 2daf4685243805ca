"""The loop that trainings from recordings share: steps, averaged weights, looks at what is held out, checkpoints."""

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from rdl_live.train.loop.state import State, load_state, save_state

CHECKPOINT_EVERY_S = 30.0
_LEAST_RATE = 0.01
_CLIP = 1.0

Batch = TypeVar("Batch")
Detail = TypeVar("Detail")


class LoopSettings(Protocol):
    """What the loop needs of a training's settings; see `SelfSupSettings` for what they mean."""

    @property
    def minutes(self) -> float: ...
    @property
    def steps(self) -> int | None: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warmup(self) -> float: ...
    @property
    def averaging(self) -> float: ...
    @property
    def anchor(self) -> float: ...
    @property
    def validate_every(self) -> int: ...
    @property
    def patience(self) -> int: ...


@dataclass(frozen=True)
class Look:
    """The averaged weights on what is held out."""

    step: int
    errors: Tensor
    """(tiles,) unbiased error relative to a reference; it may be negative by chance."""

    @property
    def error(self) -> float:
        """Mean over the tiles."""
        return float(self.errors.mean())


@dataclass(frozen=True)
class LoopStep(Generic[Detail]):
    """What a step tells."""

    number: int
    done: float
    """Share of the training."""
    loss: float
    judged: Detail | None
    """More of this step, where there is."""
    look: Look | None
    """What is held out, where it was looked at after this step."""
    before: Look
    """What is held out, with the weights that were started from."""


class TrainingLoop(ABC, Generic[Batch, Detail]):
    """Trains one network. What is learnt from, and how it is judged, is told by a subclass.

    Every random number depends on the seed and the step alone, so that a training which was taken up again goes on as
    if it had not been interrupted.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: LoopSettings,
        device: torch.device | str = "cpu",
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Prepare, and look at what is held out with the weights that are started from.

        Raises:
            DataError: the checkpoint to resume from is missing, damaged or of another training.
        """
        self.device, self._loop = torch.device(device), settings
        self.started = copy.deepcopy(network).to(self.device).requires_grad_(False).eval()
        """The weights that were started from."""
        mine = copy.deepcopy(self.started).requires_grad_(True).train()
        self._start = [parameter.detach().clone() for parameter in mine.parameters()]
        average, best = (copy.deepcopy(mine).requires_grad_(False).eval() for _ in range(2))
        self.state = State(mine, average, best, torch.optim.Adam(mine.parameters(), settings.learning_rate))
        self._checkpoint = checkpoint
        self.before = self._look(best, 0)
        """With the weights that were started from."""
        self.after = self.before
        """With the best ones."""
        if resume and checkpoint is not None:
            load_state(checkpoint, self.state, self._identity())
            self.after = self._look(self.state.best, self.state.best_step)

    @property
    def best(self) -> nn.Module:
        """The averaged weights that did best on what is held out; those of the start where none did better."""
        return self.state.best

    @abstractmethod
    def _batch(self, step: int) -> Batch:
        """Return what a step learns from; called in another thread, while the step before is learnt from."""

    @abstractmethod
    def _loss(self, batch: Batch) -> tuple[Tensor, Detail | None]:
        """Return the loss of the network of `self.state`, with its gradient, and what else is to be told."""

    @abstractmethod
    def _errors(self, network: nn.Module) -> Tensor:
        """Return the errors (tiles,) on what is held out."""

    @abstractmethod
    def _identity(self) -> dict[str, object]:
        """Return what must be the same when the training is taken up again."""

    def run(self) -> Iterator[LoopStep[Detail]]:
        """Train; yield after every step. Leaving the loop early keeps the checkpoint."""
        saved = time.perf_counter()
        with ThreadPoolExecutor(1) as ahead:
            try:
                coming = ahead.submit(self._batch, self.state.step)
                while self._done() < 1 and not self._exhausted():
                    batch = coming.result()
                    # The next batch is made while this one is learnt from.
                    coming = ahead.submit(self._batch, self.state.step + 1)
                    yield self._step(batch)
                    if time.perf_counter() - saved > CHECKPOINT_EVERY_S:
                        self.save()
                        saved = time.perf_counter()
            finally:
                self.save()

    def save(self) -> None:
        """Write the checkpoint, if there is a file for it."""
        if self._checkpoint is not None:
            save_state(self._checkpoint, self.state, self._identity())

    def _done(self, more_s: float = 0.0) -> float:
        """Return the share of the training that is over; `more_s` are seconds that are not yet counted."""
        settings, state = self._loop, self.state
        if settings.steps is not None:
            return state.step / settings.steps
        return (state.seconds + more_s) / (60 * settings.minutes)

    def _exhausted(self) -> bool:
        """Whether what is held out has not got better for long."""
        state, settings = self.state, self._loop
        return state.step - state.best_step >= settings.patience * settings.validate_every

    def _step(self, batch: Batch) -> LoopStep[Detail]:
        start, state = time.perf_counter(), self.state
        rate = self._rate(self._done())
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        loss, detail = self._loss(batch)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), _CLIP)
        state.optimizer.step()
        self._settle(rate)
        state.step += 1
        state.losses.append(float(loss.detach()))
        look = None
        if state.step % self._loop.validate_every == 0 or self._done(time.perf_counter() - start) >= 1:
            look = self._looked()
        state.seconds += time.perf_counter() - start
        return LoopStep(state.step, min(1.0, self._done()), state.losses[-1], detail, look, self.before)

    def _settle(self, rate: float) -> None:
        """Pull the weights towards those of the start, and the average towards the weights."""
        state = self.state
        keep = min(self._loop.averaging, (1 + state.step) / (10 + state.step))
        pull = min(1.0, rate * self._loop.anchor)
        with torch.no_grad():
            for mean, value, first in zip(
                state.average.parameters(), state.network.parameters(), self._start, strict=True
            ):
                value.lerp_(first, pull)
                mean.lerp_(value, 1 - keep)

    def _looked(self) -> Look:
        """Look at what is held out; keep the weights if they are the best so far."""
        state = self.state
        look = self._look(state.average, state.step)
        state.looks.append((look.step, look.error))
        if look.error < self.after.error:
            self.after, state.best_step = look, look.step
            state.best.load_state_dict(state.average.state_dict())
        return look

    @torch.no_grad()
    def _look(self, network: nn.Module, step: int) -> Look:
        return Look(step, self._errors(network))

    def _rate(self, done: float) -> float:
        """Return the learning rate: a linear rise, then a cosine."""
        highest, warmup = self._loop.learning_rate, self._loop.warmup
        if done < warmup:
            return highest * max(done / warmup, _LEAST_RATE)
        fallen = 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))
        return highest * (_LEAST_RATE + (1 - _LEAST_RATE) * fallen)
