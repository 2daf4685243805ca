"""Simulated scenes for each task: how scenes and batches are made, and what is to be minimised."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from rdl_live._tables import Table
from rdl_live.errors import ConfigError
from rdl_live.train.loop.judged import JudgedImages
from rdl_live.train.loop.super_resolution import judge_sr
from rdl_live.train.simulated.loss import judge
from rdl_live.train.simulated.raw_loss import judge_raw
from rdl_live.train.simulated.raw_scene import make_raw_batch, make_raw_scene
from rdl_live.train.simulated.scene import make_batch, make_scene
from rdl_live.train.simulated.settings import TrainSettings
from rdl_live.train.simulated.sr_task import make_sr_batch, make_sr_scene
from rdl_models import Task, build, find_architecture
from rdl_models.architecture import Scenes


class AnyScene(Protocol):
    """Something to draw from."""

    @property
    def photons(self) -> tuple[float, ...]:
        """Light levels of its exposures."""


@dataclass(frozen=True)
class SceneSource:
    """Functions of modules, so that they can be sent to other processes."""

    name: str
    """An `Architecture.task`."""
    make_scene: Callable[..., Any]
    """(seed, index, settings) -> `AnyScene`."""
    make_batch: Callable[..., Any]
    """[(scene, exposure), ...] -> a batch that can be sent `to` a device."""
    judge: Callable[..., JudgedImages]
    """(network, batch, half=...) -> what to minimise."""
    reference: str
    """What errors are given relative to."""


SOURCES = Table(
    "rdl_live.scenes",
    SceneSource,
    (
        SceneSource(Task.OBJECT_PLANE, make_scene, make_batch, judge, "the Wiener estimate's"),
        SceneSource(Task.RAW_FRAMES, make_raw_scene, make_raw_batch, judge_raw, "the generated frames'"),
        SceneSource(Task.SUPER_RESOLUTION, make_sr_scene, make_sr_batch, judge_sr, "the widefield image's"),
    ),
)


def source_of(architecture: str) -> SceneSource:
    """Return what networks of an architecture are trained to do on simulated scenes.

    Raises:
        ConfigError: there is no such architecture, or none that is trained on simulated scenes.
    """
    known = find_architecture(architecture)
    found = SOURCES.find(known.task)
    if found is None:
        raise ConfigError(
            f"architecture {architecture!r}: networks for {known.task} are not trained on simulated series; there are "
            f"scenes for {', '.join(SOURCES.names())}"
        )
    return found


def new_network(settings: TrainSettings) -> nn.Module:
    """Return a network of random numbers, as the settings want it.

    Raises:
        ConfigError: the configuration is not one of that architecture, or does not suit the scenes.
    """
    architecture = find_architecture(settings.architecture)
    scenes = Scenes(settings.scenes.angles, settings.scenes.phases)
    network = build(settings.architecture, architecture.fields(settings.network, scenes))
    architecture.suits(network.config, scenes)
    return network
