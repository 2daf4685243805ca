"""The training on simulated scenes, as the engine wants it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from rdl_live.train.loop.loop import Training
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.super_resolution import CRITIC, judge_turn, turns_of
from rdl_live.train.loop.task import MAIN, Judged, Pictures, TrainingTask
from rdl_live.train.loop.trial import SHARE, fitting
from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
from rdl_live.train.simulated.task import source_of
from rdl_live.train.simulated.window import SceneWindow
from rdl_models import Network, find_architecture
from rdl_models.recipe import Recipe

_MOST = 4
"""Rows of the preview."""


class SimulatedTask(TrainingTask[Any]):
    """Trains one network, and its opponent if it has one, on simulated scenes."""

    ahead = False  # the window has processes of its own

    def __init__(
        self,
        network: Callable[[], Network],
        settings: TrainSettings,
        *,
        half: bool = False,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            network: makes it; is called after the seed is set.
            settings: how to train.
            half: mixed precision.
            notify: called with a sentence where scenes are made smaller than the settings say, to keep the minutes.
        """
        self.settings: TrainSettings = settings
        self.scenes: SceneSettings = settings.scenes
        """What is learnt from: that of the settings, or smaller."""
        self._notify = notify
        self._network, self._half = network, half
        self._judge = source_of(settings.architecture).judge
        # How long a series takes is not known before there was one.
        self._series = settings.batch if settings.steps is not None else 1
        """Of a step."""
        self._recipe = find_architecture(settings.architecture).recipe

    def networks(self) -> Mapping[str, Network]:
        """The one that is trained, and its opponent."""
        network, adversary = self._network(), (self._recipe or Recipe()).adversary
        return {MAIN: network} if adversary is None else {MAIN: network, CRITIC: adversary.critic(network.config)}

    def turns(self, step: int) -> Sequence[str]:
        """The generator learns from each batch, its opponent from every so manieth."""
        return turns_of((self._recipe or Recipe()).adversary, step)

    def rate(self, name: str) -> float:
        """That of the paper, for the opponent."""
        adversary = (self._recipe or Recipe()).adversary
        return adversary.rate if name == CRITIC and adversary is not None else 1.0

    @contextmanager
    def batches(self, processes: Processes) -> Iterator[Callable[[int], Any]]:
        """From a window of scenes that moves on."""
        with SceneWindow(
            self.settings.replace(scenes=self.scenes), rank=processes.rank, world=processes.world
        ) as window:
            yield lambda step: window.batch(step, self._series)

    def begun(self, networks: Mapping[str, Network], seconds: float) -> None:
        """Make scenes as small as the minutes ask for."""
        source, scenes = source_of(self.settings.architecture), self.settings.scenes

        def patch(side: int) -> Any:
            scene = source.make_scene(self.settings.seed, 0, scenes.replace(size=side, exposures=1))
            return source.make_batch([(scene, 0)])

        fit = fitting(self, networks, patch, scenes.size, seconds)
        self.scenes = scenes.replace(size=fit.side)
        if fit.side < fit.wanted:
            self._notify(fit.words(self.settings.architecture, self.settings.minutes))

    def paced(self, seconds: float, left: float) -> None:
        """Take as many series a step as there is time for, up to the batch of the settings."""
        if self.settings.steps is None:
            fitting = SHARE * left * self._series / max(seconds, 1e-9)
            self._series = int(min(max(fitting, 1), self.settings.batch))

    def judge(self, turn: str, networks: Mapping[str, Network], batch: Any) -> Judged:
        """Compare what the network restores with the truth."""
        if self._recipe is None:
            return self._judge(networks[turn], batch, half=self._half)
        if self._recipe.adversary is not None:
            return judge_turn(turn, networks, batch, self._recipe, half=self._half)
        return self._judge(networks[turn], batch, half=self._half, recipe=self._recipe)

    def pictures(self, started: Network, present: Network, judged: Any) -> Pictures:
        """What was shown, restored, and true, for some series of the batch."""
        rows = list(zip(judged.shown, judged.fused.detach(), judged.truth, strict=True))[:_MOST]
        return [[one[: row[-1].shape[0], : row[-1].shape[1]] for one in row] for row in rows]


def scene_training(
    network: Callable[[], Network],
    settings: TrainSettings,
    device: torch.device | str = "cpu",
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    half: bool = False,
    processes: Processes | None = None,
    clock: Callable[[], float] = time.perf_counter,
    notify: Callable[[str], None] = lambda _: None,
) -> Training[Any]:
    """Return the training of a network on simulated scenes; see `SimulatedTask` and `Training`.

    Raises:
        DataError: the checkpoint to resume from is missing, damaged or of another training.
    """
    task = SimulatedTask(network, settings, half=half, notify=notify)
    return Training(task, device, checkpoint=checkpoint, resume=resume, processes=processes, clock=clock)
