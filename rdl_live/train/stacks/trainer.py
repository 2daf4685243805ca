"""The training from z-stack time-lapses."""

from pathlib import Path

import torch
from torch import Tensor, nn

from rdl_live.train.loop.loop import LoopStep, TrainingLoop
from rdl_live.train.loop.state import FREE
from rdl_live.train.stacks.loss import excess, interleaved_loss
from rdl_live.train.stacks.settings import VolumeSettings
from rdl_live.train.stacks.stacks import SHOWN, Looks, Stacks
from rdl_models import Rcan3d, Rcan3dConfig

VolumeStep = LoopStep[None]
SLOPE = 20.0
"""Steepness of FNSM's mask at first: it falls from 0.73 to 0.27 within a tenth of the OTF's cut-off."""


class VolumeTrainer(TrainingLoop[Looks, None]):
    """Trains one network."""

    def __init__(
        self,
        network: Rcan3d,
        stacks: Stacks,
        device: torch.device | str = "cpu",
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Prepare, and look at what is held out.

        Raises:
            DataError: the checkpoint to resume from is missing, damaged or of another training.
        """
        self.settings, self.stacks = stacks.settings, stacks
        self._held = [looks.to(device) for looks in stacks.judged()]
        super().__init__(network, self.settings, device, checkpoint=checkpoint, resume=resume)

    def _batch(self, step: int) -> Looks:
        return self.stacks.batch(step)

    def _loss(self, batch: Looks) -> tuple[Tensor, None]:
        settings = self.settings
        return interleaved_loss(self.state.network, batch.to(self.device), settings.scheme, settings.gap), None

    def _errors(self, network: nn.Module) -> Tensor:
        return torch.cat([excess(network, looks, SHOWN).cpu() for looks in self._held])

    def _identity(self) -> dict[str, object]:
        settings = self.settings.model_dump(mode="json", exclude=set(FREE))
        return {**settings, "recordings": sorted(film.fingerprint for film in self.stacks.films)}


def new_network(settings: VolumeSettings) -> Rcan3d:
    """Return a network that depends on the settings alone; at first it shows what lies within the OTF's support."""
    config = Rcan3dConfig(1, settings.width, settings.groups, settings.blocks, cutoff=1.0, slope=SLOPE, relative=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = Rcan3d(config)
    nn.init.zeros_(network.last.weight)
    return network
