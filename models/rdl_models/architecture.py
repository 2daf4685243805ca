"""`Architecture`: all that the rest of the program needs to know of a network, in the network's own file.

Everything else (training, weight files, export, the live pipeline) asks this object and names no network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, TypeAlias, runtime_checkable

from torch import Tensor, nn

from rdl_models.recipe import Recipe, Size
from rdl_models.sample import Sample


class Image(StrEnum):
    """What a network is shown, or gives."""

    OBJECT_PLANE = "images in the object plane"
    RAW_FRAMES = "raw frames of one orientation"
    ONE = "one image, or the frames of a series"
    FINER = "one finer image"
    STACK = "a stack"
    IMAGE_OR_STACK = "an image or a stack"


class Task(StrEnum):
    """What the program's own networks are trained for and used for; see `Architecture.task`."""

    OBJECT_PLANE = "object-plane denoising"
    """`network(images (n, 4, y, x)) -> (n, y, x)`; may be one that `EstimatesError`, or `Grows`."""
    RAW_FRAMES = "raw-frame denoising"
    """`local(inputs(generated, noisy, pixel)) -> (n, P, y, x)` for (n, P, y, x) of one orientation, with `reach`;
    of its configuration `phases` and `relative` are asked."""
    SUPER_RESOLUTION = "super-resolution"
    """`network(frames (n, channels, y, x)) -> (n, scale y, scale x)`; `channels` and `scale` are asked."""
    STACKS = "stack denoising"
    """`denoised(stack (n, z, y, x), pixel) -> (n, z, y, x)`; `relative` is asked."""
    RESTORATION = "content-aware restoration"
    """`network(x (n, 1, [z,] y, x), unit) -> (n, parts, [z,] y, x)`; see `rdl_models.care`."""
    ISOTROPIC = "isotropic restoration"
    """The same, for slices (z, x) and (z, y) of a stack that was enlarged along z."""


@dataclass(frozen=True)
class Scenes:
    """What the series are like that a network is trained on."""

    angles: tuple[int, ...]
    """Numbers of orientations."""
    phases: tuple[int, ...]
    """Numbers of phases an orientation."""

    @property
    def frames(self) -> set[int]:
        """Numbers of frames that a series may have."""
        return {angles * phases for angles in self.angles for phases in self.phases}


def _as_published(wanted: Mapping[str, Any], _scenes: Scenes) -> dict[str, Any]:
    return dict(wanted)


def _any(_config: Any, _scenes: Scenes) -> None:
    return


def later(module: str, function: str) -> Callable[[nn.Module], None]:
    """Return a function of a module that is loaded when it is first called: one that knows the caller's own module."""

    def call(network: nn.Module) -> None:
        getattr(import_module(module), function)(network)

    return call


def _nothing(_network: nn.Module) -> None:
    return


@dataclass(frozen=True)
class Architecture:
    """A kind of network."""

    name: str
    """As cards and the command line say it."""
    config: Callable[..., Any]
    """Makes its configuration from keywords; raises ValueError or TypeError for what it does not take."""
    network: Callable[[Any], nn.Module]
    """Makes a network of random numbers from a configuration, which it keeps as `config`."""
    takes: Image
    gives: Image
    task: str
    """What it is trained for: a training task and a stage of this name exist (`Task`, or another package's)."""
    words: str
    """What it does, to follow "a network that"."""
    sample: Callable[[Any], tuple[Sample, ...]]
    """Small inputs for a network of a configuration, in the order of its arguments: the test of an exported package."""
    fields: Callable[[Mapping[str, Any], Scenes], dict[str, Any]] = _as_published
    """From the fields that the user asks for, those of a network that is to be trained on such series."""
    suits: Callable[[Any, Scenes], None] = _any
    """Raises ConfigError where a configuration cannot be trained on such series."""
    prepare: Callable[[nn.Module], None] = _nothing
    """Called with a network that was loaded and is to be used."""
    learning_rate: float = 3e-4
    """Highest one, where the user says none."""
    small: Size | None = None
    """A size that two CPU cores can train; None where the usual one is."""
    recipe: Recipe | None = None
    """How the published network was trained; None where its task has one loss for all."""
    sees_patterns: bool = True
    """Whether it is shown single orientations or phases, so that other numbers of them are another problem to it."""

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.name} ({self.task})"


Network: TypeAlias = Any
"""A network of an architecture: an `nn.Module` with its `config`, and with what its task asks for."""


@runtime_checkable
class EstimatesError(Protocol):
    """A network that says how wrong its image is."""

    spread: nn.Module | None
    """The head that does; None where this one cannot."""

    def with_spread(self, x: Tensor, strips: int = 1) -> tuple[Tensor, Tensor | None]:
        """Return the image and its standard error, each (n, y, x); computed in so many strips."""

    def new_spread(self, hidden: int) -> None:
        """Put a new head of so many channels in its place."""


@runtime_checkable
class ScalesError(Protocol):
    """A network whose error, as it estimates it, can be made larger or smaller as a whole."""

    def scale_error(self, factor: float) -> None:
        """Tell errors so many times as large from now on."""


@runtime_checkable
class Grows(Protocol):
    """A network that can be made larger without losing what it has learnt."""

    def grown(self) -> nn.Module:
        """Return a network of the usual size that begins with what this one has learnt.

        Raises:
            ValueError: it does not fit into one of the usual size.
        """
