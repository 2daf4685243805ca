"""The training on pairs, as the engine wants it: random patches, turned over, of fields that are read as needed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.super_resolution import CRITIC, SrBatch, judge_sr, judge_turn, turns_of
from rdl_live.train.loop.task import MAIN, Judged, Pictures, TrainingTask
from rdl_live.train.loop.trial import fitting
from rdl_live.train.pairs.field import PairField
from rdl_live.train.pairs.settings import PairSettings
from rdl_models import Architecture, Network
from rdl_models.recipe import Recipe

_KEPT = 32
"""Loaded inputs and targets that are kept in memory."""
_TRIES = 3
"""Patches that are drawn for one: the one whose target varies most is taken, so that few are empty."""
_MOST_TILES = 12
"""Held-out patches that are looked at."""
_MOST_PICTURES = 4


class PairTask(TrainingTask[SrBatch]):
    """Trains one network, and its opponent if it has one, on pairs."""

    def __init__(
        self,
        network: Callable[[], Network],
        architecture: Architecture,
        learnt: Sequence[PairField],
        held: Sequence[PairField],
        settings: PairSettings,
        *,
        half: bool = False,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            network: makes it; is called after the seed is set.
            architecture: of it.
            learnt: fields to learn from.
            held: fields that judge.
            settings: how.
            half: mixed precision.
            notify: called with a sentence where patches are made smaller than the settings say, to keep the minutes.

        Raises:
            DataError: a field is smaller than a patch.
        """
        self.settings: PairSettings = settings
        self._network, self._half, self._notify = network, half, notify
        self.side = settings.patch
        """Pixels each way of what is learnt from: that of the settings, or fewer."""
        self._recipe = architecture.recipe or Recipe()
        self._learnt, self._held = list(learnt), list(held)
        smallest = min(min(one.shape) for one in self._learnt)
        if smallest < settings.patch:
            raise DataError(
                f"{self._learnt[0].name}: {smallest} pixels of the field are learnt from, patches have "
                f"{settings.patch}: choose a smaller --size"
            )
        self._load = lru_cache(_KEPT)(lambda index, level: self._learnt[index].load(level))
        self._tiles = [one for field in self._held for one in _tiles(field, settings.patch)]
        self._tiles = self._tiles[:: max(1, len(self._tiles) // _MOST_TILES)][:_MOST_TILES]

    def networks(self) -> Mapping[str, Network]:
        """See `TrainingTask`."""
        network = self._network()
        adversary = self._recipe.adversary
        return {MAIN: network} if adversary is None else {MAIN: network, CRITIC: adversary.critic(network.config)}

    @contextmanager
    def batches(self, processes: Processes) -> Iterator[Callable[[int], SrBatch]]:
        """See `TrainingTask`."""

        def draw(step: int) -> SrBatch:
            rng = np.random.default_rng([self.settings.seed, step, processes.rank])
            return _joined([self._patch(rng) for _ in range(self.settings.batch)], rng)

        yield draw

    def begun(self, networks: Mapping[str, Network], seconds: float) -> None:
        """Make patches as small as the minutes ask for."""
        settings = self.settings

        def patch(side: int) -> SrBatch:
            frames, target = self._load(0, 0)
            return _batch([_cut(frames, target, 0, 0, side)])

        fit = fitting(self, networks, patch, settings.patch, seconds)
        self.side = fit.side
        if fit.side < fit.wanted:
            self._notify(fit.words(settings.architecture, settings.minutes))

    def turns(self, step: int) -> Sequence[str]:
        """See `TrainingTask`."""
        return turns_of(self._recipe.adversary, step)

    def rate(self, name: str) -> float:
        """See `TrainingTask`."""
        adversary = self._recipe.adversary
        return adversary.rate if name == CRITIC and adversary is not None else 1.0

    def judge(self, turn: str, networks: Mapping[str, Network], batch: SrBatch) -> Judged:
        """See `TrainingTask`."""
        if self._recipe.adversary is None:
            return judge_sr(networks[turn], batch, half=self._half, recipe=self._recipe)
        return judge_turn(turn, networks, batch, self._recipe, half=self._half)

    def errors(self, network: Network) -> Tensor:
        """Return the error of every held-out patch relative to that of the enlarged widefield image."""
        device = next(network.parameters()).device
        found = [judge_sr(network, one.to(device), half=self._half, recipe=self._recipe).ratio for one in self._tiles]
        return torch.cat(found).sqrt().cpu()

    def identity(self) -> dict[str, Any]:
        """See `TrainingTask`."""
        return {"fields": [one.fingerprint for one in (*self._learnt, *self._held)]}

    def pictures(self, started: Network, present: Network, judged: Any) -> Pictures:
        """What was shown, restored and true, for some held-out patches."""
        rows = []
        for tile in self._tiles[:_MOST_PICTURES]:
            with torch.no_grad():
                made = judge_sr(present, tile.to(next(present.parameters()).device), half=self._half)
            rows.append([made.shown[0].cpu(), made.fused[0].cpu(), made.truth[0].cpu()])
        return rows

    def _patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        index = int(rng.integers(len(self._learnt)))
        frames, target = self._load(index, int(rng.integers(self._learnt[index].levels)))
        drawn = []
        for _ in range(_TRIES):
            top, left = (int(rng.integers(length - self.side + 1)) for length in frames.shape[-2:])
            drawn.append(_cut(frames, target, top, left, self.side))
        return max(drawn, key=lambda pair: float(pair[1].var()))


def _cut(frames: Tensor, target: Tensor, top: int, left: int, side: int) -> tuple[Tensor, Tensor]:
    scale = target.shape[-1] // frames.shape[-1]
    inner = target[scale * top : scale * (top + side), scale * left : scale * (left + side)]
    return frames[:, top : top + side, left : left + side], inner


def _tiles(field: PairField, side: int) -> Iterator[SrBatch]:
    """Give patches of a held-out field side by side, at its levels in turn; the whole field where it is small."""
    number = 0
    for top in range(0, max(1, field.shape[0] - side + 1), side):
        for left in range(0, max(1, field.shape[1] - side + 1), side):
            frames, target = field.load(number % field.levels)
            number += 1
            yield _batch([_cut(frames, target, top, left, side)])


def _batch(pairs: Sequence[tuple[Tensor, Tensor]]) -> SrBatch:
    """Return pairs side by side, each in units of its input's mean."""
    means = [frames.mean().clamp(min=0.01) for frames, _ in pairs]
    frames = torch.stack([one / mean for (one, _), mean in zip(pairs, means, strict=True)])
    return SrBatch(frames, torch.stack([target / mean for (_, target), mean in zip(pairs, means, strict=True)]))


def _joined(pairs: Sequence[tuple[Tensor, Tensor]], rng: np.random.Generator) -> SrBatch:
    batch = _batch(pairs)
    upside_down, left_right, turned = (bool(one) for one in rng.integers(2, size=3))
    batch = batch.mirrored(upside_down=upside_down, left_right=left_right)
    if turned and batch.frames.shape[1] == 1:  # the order of orientations would not be theirs any more
        batch = SrBatch(batch.frames.mT, batch.truth.mT)
    return batch
