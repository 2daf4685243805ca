"""What is trained: each architecture with the scenes, batches and loss that belong to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from rdl_live.errors import ConfigError
from rdl_live.train.simulated.loss import Judged, judge
from rdl_live.train.simulated.raw_loss import judge_raw
from rdl_live.train.simulated.raw_scene import make_raw_batch, make_raw_scene
from rdl_live.train.simulated.scene import make_batch, make_scene
from rdl_live.train.simulated.settings import TrainSettings
from rdl_live.train.simulated.sr_task import judge_sr, make_sr_batch, make_sr_scene
from rdl_models import Dfcan, DfcanConfig, RdlSim, RdlSimConfig, build
from rdl_models.object_plane import SHIPPED


class AnyScene(Protocol):
    """Something to draw from."""

    @property
    def photons(self) -> tuple[float, ...]:
        """Light levels of its exposures."""


@dataclass(frozen=True)
class Task:
    """Functions of modules, so that they can be sent to other processes."""

    architecture: str
    make_scene: Callable[..., Any]
    """(seed, index, settings) -> `AnyScene`."""
    make_batch: Callable[..., Any]
    """[(scene, exposure), ...] -> a batch that can be sent `to` a device."""
    judge: Callable[..., Judged]
    """(network, batch, half=...) -> what to minimise."""
    reference: str
    """What errors are told relative to."""


TASKS = {
    task.architecture: task
    for task in (
        Task("object-plane", make_scene, make_batch, judge, "the Wiener estimate's"),
        Task("rdl-sim", make_raw_scene, make_raw_batch, judge_raw, "the generated frames'"),
        Task("dfcan", make_sr_scene, make_sr_batch, judge_sr, "the widefield image's"),
    )
}


def new_network(settings: TrainSettings) -> nn.Module:
    """Return a network of random numbers, as the settings want it.

    Raises:
        ConfigError: the configuration is not one of that architecture, or does not suit the scenes.
    """
    scenes = settings.scenes
    network = build(settings.architecture, {**_defaults(settings), **settings.network})
    if isinstance(network, RdlSim) and {network.config.phases} != set(scenes.phases):
        raise ConfigError(
            f"a network for {network.config.phases} phases cannot be trained on scenes of {sorted(set(scenes.phases))}"
        )
    if isinstance(network, Dfcan):
        frames = {angles * phases for angles in scenes.angles for phases in scenes.phases}
        if network.config.channels != 1 and frames != {network.config.channels}:
            raise ConfigError(
                f"a network for {network.config.channels} frames cannot be trained on scenes of {sorted(frames)}"
            )
    return network


def _defaults(settings: TrainSettings) -> dict[str, object]:
    """What differs from the published networks: trained for all optics at once, in units without bounds."""
    if settings.architecture == "object-plane":
        return vars(SHIPPED)
    if settings.architecture == "rdl-sim":
        ours = RdlSimConfig(phases=settings.scenes.phases[0], fnsm=True, cutoff=1.0, relative=True, residual=True)
        return vars(ours)
    return vars(DfcanConfig(residual=True))
