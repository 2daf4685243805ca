"""The training itself: batches in, weights out."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from rdl_live.train.loop.checkpoint import Progress, load_checkpoint, save_checkpoint
from rdl_live.train.loop.processes import Processes
from rdl_live.train.simulated.loss import Judged
from rdl_live.train.simulated.settings import TrainSettings
from rdl_live.train.simulated.task import task_of
from rdl_live.train.simulated.window import SceneWindow

CHECKPOINT_EVERY_S = 60.0
_LEAST_RATE = 0.01
"""Learning rate at the end, relative to its highest."""
_CLIP = 1.0


@dataclass(frozen=True)
class Step:
    """What a step tells."""

    number: int
    """1, 2, 3, ..."""
    done: float
    """Share of the training."""
    loss: float
    gain: float
    """Root of the mean square error relative to the Wiener estimate's, averaged over the batch; below 1 is a gain."""
    learning_rate: float
    judged: Judged


class Trainer:
    """Trains one network. Every random number depends on the seed and the step alone."""

    def __init__(
        self,
        network: Callable[[], nn.Module],
        settings: TrainSettings,
        device: torch.device | str = "cpu",
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
        half: bool = False,
        processes: Processes | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare.

        Args:
            network: makes it; is called after the seed is set.
            settings: how to train.
            device: where.
            checkpoint: file to keep the state in, once a minute and at the end.
            resume: go on from that file.
            half: mixed precision.
            processes: those that train this network together; this one alone where left out.
            clock: gives the seconds that count as training; `time.process_time` where a machine is shared.

        Raises:
            DataError: the checkpoint to resume from is missing, damaged or of another training.
        """
        self.settings, self.device, self._half = settings, torch.device(device), half
        self._processes = processes or Processes.alone()
        self._clock = clock
        self._judge = task_of(settings.architecture).judge
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            made = network()
        self.network = made.to(self.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        taught = [one for one in self.network.parameters() if one.requires_grad]
        self._optimizer = torch.optim.Adam(taught, settings.learning_rate)
        self._checkpoint = checkpoint
        self.progress = Progress(0, 0.0)
        if resume and checkpoint is not None:
            self.progress = load_checkpoint(checkpoint, settings, self.network, self.average, self._optimizer)

    def run(self) -> Iterator[Step]:
        """Train; yield after every step. Leaving the loop early keeps the checkpoint."""
        saved = time.perf_counter()
        with self._window() as window:
            try:
                while self._done() < 1:
                    yield self._step(window)
                    if time.perf_counter() - saved > CHECKPOINT_EVERY_S:
                        self.save()
                        saved = time.perf_counter()
            finally:
                self.save()

    def _window(self) -> SceneWindow:
        """Return where the batches come from."""
        return SceneWindow(self.settings, rank=self._processes.rank, world=self._processes.world)

    def save(self) -> None:
        """Write the checkpoint, if there is a file for it."""
        if self._checkpoint is not None and self._processes.leads:
            save_checkpoint(self._checkpoint, self.settings, self.progress, self.network, self.average, self._optimizer)

    def _done(self) -> float:
        """Return the share of the training that is over."""
        if self.settings.steps is not None:
            return self.progress.step / self.settings.steps
        return self.progress.seconds / (60 * self.settings.minutes)

    def _step(self, window: SceneWindow) -> Step:
        start = self._clock()
        rate = self._rate(self._done())
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        judged = self._judge(self.network, window.batch(self.progress.step).to(self.device), half=self._half)
        self._optimizer.zero_grad(set_to_none=True)
        judged.loss.backward()  # type: ignore[no-untyped-call]
        self._processes.average_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self._optimizer.step()
        self._average()
        seconds = self._processes.leaders(self.progress.seconds + self._clock() - start)
        self.progress = Progress(self.progress.step + 1, seconds)
        return Step(
            self.progress.step,
            min(1.0, self._done()),
            self._processes.mean(float(judged.loss.detach())),
            self._processes.mean(float(judged.ratio.sqrt().mean())),
            rate,
            judged,
        )

    def _average(self) -> None:
        """Move the averaged weights towards the current ones; faster in the beginning."""
        keep = min(self.settings.averaging, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                if value.requires_grad:
                    mean.lerp_(value, 1 - keep)

    def _rate(self, done: float) -> float:
        """Return the learning rate: a linear rise, then a cosine."""
        highest, warmup = self.settings.learning_rate, self.settings.warmup
        if done < warmup:
            return highest * max(done / warmup, _LEAST_RATE)
        fallen = 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))
        return highest * (_LEAST_RATE + (1 - _LEAST_RATE) * fallen)
