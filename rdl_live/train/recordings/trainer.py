"""The training from SIM recordings: steps on noisy pairs, now and then on simulated scenes."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from rdl_live.train.loop.loop import Look, LoopStep, TrainingLoop
from rdl_live.train.loop.state import FREE
from rdl_live.train.recordings.judge import Reference
from rdl_live.train.recordings.loss import PairJudged, judge_pairs
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.pairs import Pairs
from rdl_live.train.recordings.questions import Question
from rdl_live.train.recordings.scenes import scene_settings
from rdl_live.train.simulated.loss import judge
from rdl_live.train.simulated.window import SceneWindow

__all__ = ["Look", "PairStep", "PairTrainer"]

PairStep = LoopStep[PairJudged]
"""`judged` is None for steps on simulated scenes."""


class PairTrainer(TrainingLoop[Pairs, PairJudged]):
    """Goes on training one network."""

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
        self.settings, self.moments, self._half = moments.settings, moments, half
        self._held = [question.to(device) for question in moments.judged()]
        self._reference: Reference | None = None
        self._window: SceneWindow | None = None
        super().__init__(network, self.settings, device, checkpoint=checkpoint, resume=resume)

    @property
    def held(self) -> list[Question]:
        """What is held out: it chooses among the weights, see `Moments.judged`."""
        return self._held

    def run(self) -> Iterator[PairStep]:
        """Train; yield after every step. Leaving the loop early keeps the checkpoint."""
        with SceneWindow(scene_settings(self.moments, self.settings)) as window:
            self._window = window
            yield from super().run()

    def _batch(self, step: int) -> Pairs:
        return self.moments.batch(step)

    def _loss(self, batch: Pairs) -> tuple[Tensor, PairJudged | None]:
        network, step = self.state.network, self.state.step
        turn = math.floor(step * self.settings.rehearsal)
        if self._window is not None and math.floor((step + 1) * self.settings.rehearsal) > turn:
            return judge(network, self._window.batch(turn).to(self.device), half=self._half).loss, None
        judged = judge_pairs(network, batch.to(self.device), half=self._half)
        return judged.loss, judged

    def _errors(self, network: nn.Module) -> Tensor:
        if self._reference is None:
            self._reference = Reference(self.started, self._held)
        return self._reference.errors(network)

    def _identity(self) -> dict[str, object]:
        settings = self.settings.model_dump(mode="json", exclude=set(FREE))
        recordings = sorted({moment.film.fingerprint for moment in self.moments.learnt})
        return {**settings, "recordings": recordings}
