"""What a host and its worker process tell each other: small values only, the pixels lie in shared memory."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rdl_live.files.recorder import FrameTag
from rdl_live.optics.pattern import PatternSet
from rdl_live.stream.blocks import BlocksKey
from rdl_live.stream.pipeline import PipelineStatus
from rdl_live.stream.recipe import PipelineRecipe
from rdl_live.stream.recycled import Recycled
from rdl_live.stream.result import Result
from rdl_live.stream.series import SeriesKey
from rdl_live.stream.shared_slots import SharedSlots


@dataclass(frozen=True)
class Setup:
    """The first thing that a worker is told."""

    recipe: PipelineRecipe
    device: str
    denoise: str
    begin_with: tuple[PatternSet | None, ...]
    frames: BlocksKey
    """Shared memory of raw series."""
    images: tuple[str, int, int]
    """Shared memory for images: name, slots, bytes a slot."""


class Exposed(NamedTuple):
    """To the worker: a raw frame is in its series' block, at its angle and phase."""

    block: int | None
    """None: the frame is missing, or does not fit."""
    fits: bool
    tag: FrameTag
    arrived_s: float


class Fetched(NamedTuple):
    """To the worker: an image was copied out of its slot."""

    slot: int


class UseDenoiser(NamedTuple):
    """To the worker."""

    number: int
    name: str


class NoMore(NamedTuple):
    """To the worker: no more frames will come."""


class Ready(NamedTuple):
    """From the worker: its pipeline is built, the shared memory attached."""


class Done(NamedTuple):
    """From the worker: a frame was dealt with."""

    status: PipelineStatus
    released: tuple[SeriesKey, ...]
    """Series whose blocks it does not need any more."""


class Made(NamedTuple):
    """From the worker: an image is in a slot."""

    slot: int
    result: Result
    """Without its images."""
    images: tuple[str, ...]
    """Which it has."""
    status: PipelineStatus


class Told(NamedTuple):
    """From the worker: a sentence for the user."""

    text: str


class Failed(NamedTuple):
    """From the worker: a series, or building the pipeline (without a key), raised this."""

    key: SeriesKey | None
    error: Exception


class FailedAfter(NamedTuple):
    """From the worker: what was put off until an image was out raised this."""

    error: Exception


class Used(NamedTuple):
    """From the worker: the answer to `UseDenoiser`."""

    number: int
    error: Exception | None


class Finished(NamedTuple):
    """From the worker, at its orderly end."""

    status: PipelineStatus


class ImageSlots:
    """Where the images of a result lie in a slot of shared memory; all float32."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Lay them out for raw frames of (y, x)."""
        fine = (2 * shape[0], 2 * shape[1])
        self._shapes: dict[str, tuple[int, int]] = {"sr": fine, "widefield": shape, "sim": fine, "sigma": fine}
        self._offsets: dict[str, int] = {}
        self._recycled = Recycled()
        self.nbytes = 0
        for name, (rows, columns) in self._shapes.items():
            self._offsets[name] = self.nbytes
            self.nbytes += 4 * rows * columns

    def put(self, slots: SharedSlots, slot: int, result: Result) -> tuple[Result, tuple[str, ...]]:
        """Copy the images into a slot; return the result without them, and which it has."""
        present = tuple(name for name in self._shapes if getattr(result, name) is not None)
        for name in present:
            image: Tensor = getattr(result, name)
            torch.from_numpy(self._view(slots, slot, name)).copy_(image)
        nothing: dict[str, Any] = dict.fromkeys(self._shapes)
        return replace(result, **nothing), present

    def take(self, slots: SharedSlots, slot: int, result: Result, present: tuple[str, ...], ready_s: float) -> Result:
        """Return the result with copies of its images."""
        views = {name: self._view(slots, slot, name) for name in present}
        images: dict[str, Any] = {name: torch.from_numpy(self._recycled.copy_of(view)) for name, view in views.items()}
        return replace(result, ready_s=ready_s, **images)

    def _view(self, slots: SharedSlots, slot: int, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        return slots.array(slot, self._shapes[name], np.float32, self._offsets[name])
