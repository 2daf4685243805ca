"""The training from z-stack time-lapses, as the engine wants it."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rdl_live.train.loop.processes import Processes
from rdl_live.train.loop.task import MAIN, Loss, TrainingTask
from rdl_live.train.stacks.loss import excess, interleaved_loss
from rdl_live.train.stacks.settings import VolumeSettings
from rdl_live.train.stacks.stacks import SHOWN, Looks, Stacks
from rdl_models import Network, build

ARCHITECTURE = "rcan3d"
SLOPE = 20.0
"""Steepness of FNSM's mask at first: it falls from 0.73 to 0.27 within a tenth of the OTF's cut-off."""


class VolumeTask(TrainingTask[Looks]):
    """Trains one network."""

    def __init__(self, network: Network, stacks: Stacks, device: torch.device | str = "cpu") -> None:
        """Prepare.

        Args:
            network: to start from; is not changed.
            stacks: what there is to learn from.
            device: where.
        """
        self.settings: VolumeSettings = stacks.settings
        self.stacks, self._network = stacks, network
        self._held = [looks.to(device) for looks in stacks.judged()]

    def networks(self) -> Mapping[str, Network]:
        """A copy of the one that is started from."""
        return {MAIN: copy.deepcopy(self._network).requires_grad_(True).train()}

    @contextmanager
    def batches(self, processes: Processes) -> Iterator[Callable[[int], Looks]]:
        """Pieces of stacks; see `Stacks`."""
        yield self.stacks.batch

    def judge(self, turn: str, networks: Mapping[str, Network], batch: Looks) -> Loss:
        """Compare two looks."""
        return Loss(interleaved_loss(networks[turn], batch, self.settings.scheme, self.settings.gap))

    def errors(self, network: Network) -> Tensor:
        """On the photons that are held out."""
        return torch.cat([excess(network, looks, SHOWN).cpu() for looks in self._held])

    def identity(self) -> dict[str, Any]:
        """The recordings."""
        return {"recordings": sorted(film.fingerprint for film in self.stacks.films)}


def new_network(settings: VolumeSettings) -> Network:
    """Return a network that depends on the settings alone; at first it shows what lies within the OTF's support."""
    size = {"width": settings.width, "groups": settings.groups, "blocks": settings.blocks}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network: Network = build(ARCHITECTURE, {"channels": 1, **size, "cutoff": 1.0, "slope": SLOPE, "relative": True})
    nn.init.zeros_(network.last.weight)
    return network
