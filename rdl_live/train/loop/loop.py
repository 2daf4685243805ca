"""The engine: steps of any `TrainingTask`, averaged weights, looks at what is held out, checkpoints. There is one."""

import copy
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor, nn

from rdl_live.train.loop.batches import Batches
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.settings import FREE, HeldOutSettings
from rdl_live.train.loop.state import State, load_state, save_state
from rdl_live.train.loop.task import MAIN, Batch, Judged, TrainingTask
from rdl_models import Network

CHECKPOINT_EVERY_S = 60.0
_LEAST_RATE = 0.01
"""Learning rate at the end, relative to its highest."""
_CLIP = 1.0
_RECENT = 50
"""Steps over which a gain is averaged that is shown."""


@dataclass(frozen=True)
class Look:
    """A network on what is held out."""

    step: int
    errors: Tensor
    """(tiles,) unbiased error relative to a reference; it may be negative by chance."""

    @property
    def error(self) -> float:
        """Mean over the tiles."""
        return float(self.errors.mean())


@dataclass(frozen=True)
class Step:
    """What a step gives."""

    number: int
    """1, 2, 3, ..."""
    done: float
    """Share of the training."""
    loss: float
    gain: float
    """See `Judged`; 1 where it is not known."""
    mean_gain: float
    """The same over the last steps, also those before a training was taken up again."""
    learning_rate: float
    judged: Judged
    """The batch, for `MAIN` (or whichever network learnt last)."""
    look: Look | None
    """What is held out, where it was looked at after this step."""
    before: Look | None
    """What is held out, with the weights that were started from; None where nothing is."""


class Training(Generic[Batch]):
    """One training.

    Every random number depends on the seed and the step alone, so that a training which was taken up again goes on as
    if it had not been interrupted.
    """

    def __init__(
        self,
        task: TrainingTask[Batch],
        device: torch.device | str = "cpu",
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
        processes: Processes | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare, and look at what is held out with the weights that are started from.

        Args:
            task: what is trained.
            device: where.
            checkpoint: file to keep the state in, once a minute and at the end.
            resume: go on from that file.
            processes: those that train together; this one alone where left out.
            clock: gives the seconds that count as training; `time.process_time` where a machine is shared.

        Raises:
            DataError: the checkpoint to resume from is missing, damaged or of another training.
        """
        self.task, self.device, self.settings = task, torch.device(device), task.settings
        self._processes, self._clock, self._checkpoint = processes or Processes.alone(), clock, checkpoint
        self._took = 0.0
        """Seconds of the last step."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            networks = {name: one.to(self.device) for name, one in task.networks().items()}
        self.started: Network = _still(networks[MAIN])
        """The network as training began."""
        self._first = [parameter.detach().clone() for parameter in networks[MAIN].parameters()]
        optimizers = {name: self._optimizer(name, network) for name, network in networks.items()}
        self.state = State(networks, optimizers, average=_still(networks[MAIN]))
        self.before = self._look(self.started, 0)
        """What is held out, with the weights that were started from; None where nothing is."""
        self.after = self.before
        """With the best ones."""
        if self.before is not None:
            self.state.best = _still(networks[MAIN])
        if resume and checkpoint is not None:
            load_state(checkpoint, self.state, self._identity(), _defaults(type(self.settings)))
            if self.state.best is not None:
                self.after = self._look(self.state.best, self.state.best_step)

    @property
    def network(self) -> Network:
        """The network that learns, as it is now."""
        return self.state.network

    @property
    def average(self) -> Network:
        """Its average over the last steps."""
        return self.state.average

    @property
    def result(self) -> Network:
        """What the training gives: the average, or where something is held out the one that did best on that."""
        return self.state.average if self.state.best is None else self.state.best

    @property
    def learnt(self) -> Network:
        """The same; where none did better than the start, the average at the end."""
        return self.state.average if self.state.best is None or not self.state.best_step else self.state.best

    def run(self) -> Generator[Step, None, None]:
        """Train; yield after every step. Leaving the loop early keeps the checkpoint."""
        saved, start = time.perf_counter(), self._clock()
        if self.settings.steps is None:
            self.task.begun(self.state.networks, 60 * self.settings.minutes)
            self.state.seconds = self._processes.leaders(self.state.seconds + self._clock() - start)
        with self.task.batches(self._processes) as draw, Batches(draw, ahead=self.task.ahead) as batches:
            try:
                while self._done() < 1 and not self._too_late() and not self._exhausted():
                    start = self._clock()
                    last = self.settings.steps is not None and self.state.step + 1 >= self.settings.steps
                    batch = batches.take(self.state.step, more=not last)
                    yield self._step(batch.to(self.device), start)
                    if time.perf_counter() - saved > CHECKPOINT_EVERY_S:
                        self.save()
                        saved = time.perf_counter()
            finally:
                self.save()

    def save(self) -> None:
        """Write the checkpoint, if there is a file for it."""
        if self._checkpoint is not None and self._processes.leads:
            save_state(self._checkpoint, self.state, self._identity())

    def _identity(self) -> dict[str, Any]:
        return {**self.settings.model_dump(mode="json", exclude=set(FREE)), **self.task.identity()}

    def _optimizer(self, name: str, network: Network) -> torch.optim.Adam:
        taught = [one for one in network.parameters() if one.requires_grad]
        return torch.optim.Adam(taught, self.settings.learning_rate * self.task.rate(name))

    def _done(self) -> float:
        """Return the share of the training that is over."""
        if self.settings.steps is not None:
            return self.state.step / self.settings.steps
        return self.state.seconds / (60 * self.settings.minutes)

    def _too_late(self) -> bool:
        """Whether another step like the last one would end long after the minutes are over."""
        left = 60 * self.settings.minutes - self.state.seconds
        return self.settings.steps is None and left < self._took / 2

    def _exhausted(self) -> bool:
        """Whether what is held out has not got better for long."""
        state, settings = self.state, self.settings
        if self.before is None or not isinstance(settings, HeldOutSettings):
            return False
        return state.step - state.best_step >= settings.patience * settings.validate_every

    def _step(self, batch: Batch, start: float) -> Step:
        state = self.state
        rate = self._rate(self._done())
        judged: dict[str, Judged] = {}
        for turn in self.task.turns(state.step):
            judged[turn] = self._learnt(turn, batch, rate)
        if MAIN in judged:
            self._settle(rate)
        told = judged.get(MAIN) or list(judged.values())[-1]
        loss = self._processes.mean(float(told.loss.detach()))
        gain = 1.0 if told.gain is None else self._processes.mean(told.gain)
        state.step += 1
        state.losses.append(loss)
        state.gain += (gain - state.gain) / min(state.step, _RECENT)
        before = state.seconds
        state.seconds = self._processes.leaders(before + self._clock() - start)
        self._took = state.seconds - before
        self.task.paced(self._took, max(0.0, 60 * self.settings.minutes - state.seconds))
        look = self._looked()
        if look is not None:
            state.seconds = self._processes.leaders(before + self._clock() - start)
        return Step(state.step, min(1.0, self._done()), loss, gain, state.gain, rate, told, look, self.before)

    def _learnt(self, turn: str, batch: Batch, rate: float) -> Judged:
        """Let one network learn; the others are not changed and get no gradients."""
        network, optimizer = self.state.networks[turn], self.state.optimizers[turn]
        for group in optimizer.param_groups:
            group["lr"] = rate * self.task.rate(turn)
        others = [
            parameter
            for name, one in self.state.networks.items()
            if name != turn
            for parameter in one.parameters()
            if parameter.requires_grad
        ]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            judged = self.task.judge(turn, self.state.networks, batch)
            optimizer.zero_grad(set_to_none=True)
            judged.loss.backward()  # type: ignore[no-untyped-call]
        finally:
            for parameter in others:
                parameter.requires_grad_(True)
        self._processes.average_gradients(network)
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        return judged

    def _settle(self, rate: float) -> None:
        """Pull the weights towards those of the start, and the average towards the weights; faster in the beginning."""
        state, settings = self.state, self.settings
        keep = min(settings.averaging, (1 + state.step) / (10 + state.step))
        pull = min(1.0, rate * settings.anchor) if isinstance(settings, HeldOutSettings) else 0.0
        with torch.no_grad():
            for mean, value, first in zip(
                state.average.parameters(), state.network.parameters(), self._first, strict=True
            ):
                if not value.requires_grad:
                    continue
                if pull:
                    value.lerp_(first, pull)
                mean.lerp_(value, 1 - keep)

    def _looked(self) -> Look | None:
        """Look at what is held out, where it is time; keep the weights if they are the best so far."""
        state, settings = self.state, self.settings
        if self.after is None or state.best is None or not isinstance(settings, HeldOutSettings):
            return None
        if state.step % settings.validate_every and self._done() < 1:
            return None
        look = self._look(state.average, state.step)
        if look is None:
            return None
        state.looks.append((look.step, look.error))
        if look.error < self.after.error:
            self.after, state.best_step = look, look.step
            state.best.load_state_dict(state.average.state_dict())
        return look

    @torch.no_grad()
    def _look(self, network: Network, step: int) -> Look | None:
        errors = self.task.errors(network)
        return None if errors is None else Look(step, errors)

    def _rate(self, done: float) -> float:
        """Return the learning rate: a linear rise, then a cosine."""
        highest, warmup = self.settings.learning_rate, self.settings.warmup
        if done < warmup:
            return highest * max(done / warmup, _LEAST_RATE)
        fallen = 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))
        return highest * (_LEAST_RATE + (1 - _LEAST_RATE) * fallen)


def held_out(training: Training[Any]) -> tuple[Look, Look]:
    """Return what is held out before and after a training of a task that holds something out.

    Raises:
        TypeError: of one that does not.
    """
    if training.before is None or training.after is None:
        raise TypeError(f"{type(training.task).__name__} holds nothing out")
    return training.before, training.after


def _still(network: Network) -> Network:
    """Return a copy that does not learn."""
    return copy.deepcopy(network).requires_grad_(False).eval()


def _defaults(settings: type[Any]) -> dict[str, Any]:
    found: dict[str, Any] = settings().model_dump(mode="json")
    return found
