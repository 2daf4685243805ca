"""The training from recordings: steps on noisy pairs, now and then on simulated scenes; the best on held-out wins."""

import copy
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rdl_live.train.loss import judge
from rdl_live.train.selfsup.checkpoint import FREE, State, load_state, save_state
from rdl_live.train.selfsup.loss import PairJudged, judge_pairs
from rdl_live.train.selfsup.moments import Moments
from rdl_live.train.selfsup.pairs import Pairs
from rdl_live.train.selfsup.scenes import scene_settings
from rdl_live.train.window import SceneWindow

CHECKPOINT_EVERY_S = 30.0
_LEAST_RATE = 0.01
_CLIP = 1.0


@dataclass(frozen=True)
class Look:
    """The averaged weights on what is held out."""

    step: int
    errors: Tensor
    """(tiles,) error / that expected of the Wiener estimate; unbiased, so it may be negative by chance."""

    @property
    def error(self) -> float:
        """Mean over the tiles."""
        return float(self.errors.mean())


@dataclass(frozen=True)
class PairStep:
    """What a step tells."""

    number: int
    done: float
    """Share of the training."""
    loss: float
    judged: PairJudged | None
    """None for steps on simulated scenes."""
    look: Look | None
    """What is held out, where it was looked at after this step."""


class PairTrainer:
    """Goes on training one network. Every random number depends on the seed and the step alone."""

    def __init__(
        self,
        network: nn.Module,
        moments: Moments,
        device: torch.device | str = "cpu",
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
        half: bool = False,
    ) -> None:
        """Prepare, and look at what is held out with the weights that are started from.

        Raises:
            DataError: the checkpoint to resume from is missing, damaged or of another training.
        """
        self.settings, self.moments, self.device, self._half = moments.settings, moments, torch.device(device), half
        self.started = copy.deepcopy(network).to(self.device).requires_grad_(False).eval()
        """The weights that were started from."""
        mine = copy.deepcopy(self.started).requires_grad_(True).train()
        self._start = [parameter.detach().clone() for parameter in mine.parameters()]
        average, best = (copy.deepcopy(mine).requires_grad_(False).eval() for _ in range(2))
        optimizer = torch.optim.Adam(mine.parameters(), self.settings.learning_rate)
        self.state = State(mine, average, best, optimizer)
        self._checkpoint = checkpoint
        self._held = [pair.to(self.device) for pair in moments.judged()]
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

    @property
    def held(self) -> list[Pairs]:
        """What is held out."""
        return self._held

    def run(self) -> Iterator[PairStep]:
        """Train; yield after every step. Leaving the loop early keeps the checkpoint."""
        saved = time.perf_counter()
        scenes = scene_settings(self.moments, self.settings)
        with ThreadPoolExecutor(1) as ahead, SceneWindow(scenes) as window:
            try:
                coming = ahead.submit(self.moments.batch, self.state.step)
                while self._done() < 1 and not self._exhausted():
                    pairs = coming.result()
                    # The next batch is made while this one is learnt from.
                    coming = ahead.submit(self.moments.batch, self.state.step + 1)
                    yield self._step(pairs, window)
                    if time.perf_counter() - saved > CHECKPOINT_EVERY_S:
                        self.save()
                        saved = time.perf_counter()
            finally:
                self.save()

    def save(self) -> None:
        """Write the checkpoint, if there is a file for it."""
        if self._checkpoint is not None:
            save_state(self._checkpoint, self.state, self._identity())

    def _identity(self) -> dict[str, object]:
        settings = self.settings.model_dump(mode="json", exclude=set(FREE))
        recordings = sorted({moment.film.fingerprint for moment in self.moments.learnt})
        return {**settings, "recordings": recordings}

    def _done(self, more_s: float = 0.0) -> float:
        """Return the share of the training that is over; `more_s` are seconds that are not yet counted."""
        settings, state = self.settings, self.state
        if settings.steps is not None:
            return state.step / settings.steps
        return (state.seconds + more_s) / (60 * settings.minutes)

    def _exhausted(self) -> bool:
        """Whether what is held out has not got better for long."""
        state, settings = self.state, self.settings
        return state.step - state.best_step >= settings.patience * settings.validate_every

    def _step(self, pairs: Pairs, window: SceneWindow) -> PairStep:
        start, state = time.perf_counter(), self.state
        rate = self._rate(self._done())
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        judged: PairJudged | None = None
        turn = math.floor(state.step * self.settings.rehearsal)
        if math.floor((state.step + 1) * self.settings.rehearsal) > turn:
            loss = judge(state.network, window.batch(turn).to(self.device), half=self._half).loss
        else:
            judged = judge_pairs(state.network, pairs.to(self.device), half=self._half)
            loss = judged.loss
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), _CLIP)
        state.optimizer.step()
        self._settle(rate)
        state.step += 1
        state.losses.append(float(loss.detach()))
        look = None
        if state.step % self.settings.validate_every == 0 or self._done(time.perf_counter() - start) >= 1:
            look = self._looked()
        state.seconds += time.perf_counter() - start
        return PairStep(state.step, min(1.0, self._done()), state.losses[-1], judged, look)

    def _settle(self, rate: float) -> None:
        """Pull the weights towards those of the start, and the average towards the weights."""
        state = self.state
        keep = min(self.settings.averaging, (1 + state.step) / (10 + state.step))
        pull = min(1.0, rate * self.settings.anchor)
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
        return Look(step, torch.cat([judge_pairs(network, one, half=self._half).ratio.cpu() for one in self._held]))

    def _rate(self, done: float) -> float:
        """Return the learning rate: a linear rise, then a cosine."""
        highest, warmup = self.settings.learning_rate, self.settings.warmup
        if done < warmup:
            return highest * max(done / warmup, _LEAST_RATE)
        fallen = 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))
        return highest * (_LEAST_RATE + (1 - _LEAST_RATE) * fallen)
