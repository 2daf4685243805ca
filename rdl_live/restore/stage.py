"""`Stage`: photons of a unit of acquisition in, named images out; the pipeline knows nothing else of what it runs.

A stage is one file: a class, and a `StageKind` that says how it is made. It is added to `STAGES` (restore/stages)
by a line there, by an entry point of another package (group "rdl_live.stages"), or by `STAGES.register`. A kind with a
task is chosen by weights for that task; one without is chosen by its own name (`--denoise NAME`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.pattern import PatternSet
from rdl_live.restore.restored import SIM, Restored
from rdl_models import Card, Weights


@dataclass(frozen=True)
class Unit:
    """What one image is made of."""

    photons: Tensor
    """Series (angle, phase, y, x) float32; must not be changed, and may be overwritten once the stage has returned."""
    patterns: PatternSet
    channel: Channel
    place: tuple[int, int] = (0, 0)
    """(position, plane); units of one place and colour come in the order of time."""
    physics: Callable[[Tensor], Tensor] | None = None
    """Makes the image of such a unit by the reconstruction that the run has calibrated, without any network."""
    image: str = SIM
    """What that image is called; see `Microscope.image_name`."""

    def sim(self) -> Tensor | None:
        """Return the image of the physics alone; None if nobody can make it."""
        return None if self.physics is None else self.physics(self.photons)


class Stage(Protocol):
    """Belongs to the pipeline's thread; whatever it raises skips the unit."""

    @property
    def name(self) -> str:
        """What reports and recordings say."""

    def restore(self, unit: Unit) -> Restored:
        """Return the images of a unit; intensities are kept."""

    @property
    def has_deferred(self) -> bool:
        """Whether something was put off until an image is out."""

    def run_deferred(self) -> None:
        """Do it."""


@dataclass(frozen=True)
class Context:
    """Where a stage is to work."""

    scope: Microscope
    channels: tuple[Channel, ...]
    shape: tuple[int, int]
    """(y, x) of a raw frame."""
    device: torch.device
    warn: Callable[[str], None] = lambda _: None
    """Gets warnings."""
    memory: float = 1.0
    """Series that an image may be made of where nothing changes, itself included."""


def as_physics(_card: Card | None, scope: Microscope) -> int:
    """Return how fine the images of the physics are; see `StageKind.factor`."""
    return scope.pattern.sr_factor


@dataclass(frozen=True)
class StageKind:
    """A kind of stage."""

    name: str
    """As the command line says it where it takes no weights; for messages where it does."""
    make: Callable[[Weights | None, Context], Stage]
    """Makes one, with weights for its task (None where it has none).

    Raises ConfigError where weights and microscope do not fit.
    """
    task: str | None = None
    """An `Architecture.task`: what its weights are for. None: it takes no weights."""
    factor: Callable[[Card | None, Microscope], int] = as_physics
    """Says, by the card of the weights, how many pixels its main image has for one of the camera's, each way."""
