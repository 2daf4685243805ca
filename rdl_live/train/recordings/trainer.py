"""The training from SIM recordings, as the engine wants it: pairs of noisy looks, tiles that are held out."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.task import MAIN, Pictures, TrainingTask
from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.judge import Reference, told
from rdl_live.train.recordings.loss import PairJudged, judge_pairs
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.pairs import Pairs
from rdl_live.train.recordings.settings import SelfSupSettings
from rdl_models import Network
from rdl_models.architecture import EstimatesError

_ROWS = 3
"""Of the preview."""


class PairTask(TrainingTask[Pairs]):
    """Goes on training one network."""

    def __init__(
        self, network: Network, moments: Moments, device: torch.device | str = "cpu", *, half: bool = False
    ) -> None:
        """Prepare.

        Args:
            network: to start from; is not changed.
            moments: what there is to learn from.
            device: where.
            half: mixed precision.
        """
        self.settings: SelfSupSettings = moments.settings
        self.moments, self._started, self.half = moments, network, half
        self.held = [question.to(device) for question in moments.judged()]
        """What is held out: it chooses among the weights, see `Moments.judged`."""
        self._reference: Reference | None = None

    def networks(self) -> Mapping[str, Network]:
        """A copy of the one that is started from."""
        return {MAIN: self.network()}

    def network(self) -> Network:
        """Return a copy of the network that is started from, ready to learn.

        What estimates the error does not learn: it was taught on very many scenes when its images were done, and the
        few of a rehearsal would only upset it.
        """
        network = copy.deepcopy(self._started).requires_grad_(True).train()
        if isinstance(network, EstimatesError) and network.spread is not None:
            network.spread.requires_grad_(False)
        return network

    @contextmanager
    def batches(self, processes: Processes) -> Iterator[Callable[[int], Pairs]]:
        """Pairs of tiles; see `Moments`."""
        yield self.moments.batch

    def judge(self, turn: str, networks: Mapping[str, Network], batch: Pairs) -> PairJudged:
        """Compare the one look, restored, with the other."""
        return judge_pairs(networks[turn], batch, half=self.half)

    def errors(self, network: Network) -> Tensor:
        """On what is held out, relative to the network that is started from, which is asked first."""
        if self._reference is None:
            self._reference = Reference(network, self.held)
        return self._reference.errors(network)

    def told(self, network: Network) -> float | None:
        """Return the mean error that a network expects on what is held out [photons]; None if it expects none."""
        return told(network, self.held)

    def identity(self) -> dict[str, Any]:
        """The recordings."""
        return {"recordings": sorted({moment.film.fingerprint for moment in self.moments.learnt})}

    @torch.no_grad()
    def pictures(self, started: Network, present: Network, judged: Any) -> Pictures:
        """Held-out tiles: Wiener estimate, before the training, after it."""
        rows = []
        for asked in self.held[:: max(1, len(self.held) // _ROWS)][:_ROWS]:
            # Beyond the tile lies its margin: its own mirror images.
            height, width = asked.tile.film.scope.pattern.sr_shape(asked.tile.shape)
            spectra = [
                answer(network, asked.tile, asked.photons, asked.evidence) for network in (None, started, present)
            ]
            rows.append([asked.plain_image(one)[:height, :width] for one in spectra])
        return rows
