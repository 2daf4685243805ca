"""What is to be shown of a recording, and what there is to be seen of it so far. Without Qt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rdl_live._names import NO_DENOISER
from rdl_live.view.browse.source import Where
from rdl_live.view.panes.picture import Picture

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.pattern import PatternSet


@dataclass(frozen=True)
class Request:
    """What is to be shown."""

    where: Where
    angle: int = 0
    phase: int = 0
    """Which raw frame."""
    denoiser: str = NO_DENOISER
    """Which weights to denoise with, where no denoised image was recorded."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to be seen of a series, so far."""

    request: Request
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """By name: "raw", "widefield", "sim", "denoised", or what else a stage has made."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a pane is empty, in words."""
    patterns: "PatternSet | None" = None
    nominal: "PatternSet | None" = None
    """The patterns that were planned, where the recording says so."""
    patterns_from: str = ""
    """Where the patterns come from, in words."""
    photons: float | None = None
    """Mean photons per raw pixel and frame."""
    doubts: tuple[str, ...] = ()
    """What the denoiser's guards say."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """How the recorded image was made."""
    maps_lacking: str = ""
    """Why the camera's maps, which the microscope file names, are not used."""
    problem: str = ""
    """What went wrong in reading or computing."""
    done: bool = False
    """Whether no more is to come for this request."""


class SeriesImages(Protocol):
    """Makes the images of a recording: reads those that were recorded, computes the rest. Belongs to one thread."""

    def steps(self, request: Request) -> Iterator[Shown]:
        """Give what there is to be seen, as it becomes ready; the last one is `done`. A problem is a `Shown` too."""
