"""What a host and its worker process tell each other: small values only, the pixels lie in shared memory."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from rdl_live.errors import DataError
from rdl_live.files.recorder import FrameTag
from rdl_live.files.recorder.recycled import Recycled
from rdl_live.optics.pattern import PatternSet
from rdl_live.stream.blocks import BlocksKey
from rdl_live.stream.pipeline import PipelineStatus
from rdl_live.stream.recipe import PipelineRecipe
from rdl_live.stream.result import Result
from rdl_live.stream.series import SeriesKey
from rdl_live.stream.shared_slots import SharedSlots

MOST = 12
"""Arrays that are remembered: four images with their three companions, more than viewers hold at a time."""
MOST_FINE = 4
"""Super-resolved images that a stage may give at a time."""


@dataclass(frozen=True)
class Setup:
    """The first message to a worker."""

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


class ImageReady(NamedTuple):
    """From the worker: an image is in a slot."""

    slot: int
    result: Result
    """Without its images."""
    images: "tuple[Placed, ...]"
    """Where they lie."""
    status: PipelineStatus


class Warned(NamedTuple):
    """From the worker: a sentence for the user."""

    text: str


class Failed(NamedTuple):
    """From the worker: a series, or building the pipeline (without a key), raised this."""

    key: SeriesKey | None
    error: Exception


class FailedAfter(NamedTuple):
    """From the worker: what was put off until an image was out raised this."""

    error: Exception


class DenoiserChanged(NamedTuple):
    """From the worker: the answer to `UseDenoiser`."""

    number: int
    error: Exception | None


class Finished(NamedTuple):
    """From the worker, at its orderly end."""

    status: PipelineStatus


class Placed(NamedTuple):
    """An image in a slot."""

    name: str
    shape: tuple[int, int]
    offset: int
    """Bytes from the slot's beginning."""


class ImageSlots:
    """Where the images of a result lie in a slot of shared memory: one after the other, all float32."""

    def __init__(self, shape: tuple[int, int], factor: int) -> None:
        """Make room for the widefield image and `MOST_FINE` finer ones.

        Args:
            shape: (y, x) of a raw frame.
            factor: pixels of an SR image for one of these, each way.
        """
        self._recycled = Recycled(MOST)
        self.nbytes = 4 * shape[0] * shape[1] * (1 + MOST_FINE * factor**2)

    def put(self, slots: SharedSlots, slot: int, result: Result) -> tuple[Result, tuple[Placed, ...]]:
        """Copy the images into a slot; return the result without them, and where they lie.

        Raises:
            DataError: the stage gives more than there is room for.
        """
        placed, end = [], 0
        for name, image in result.images.items():
            rows, columns = image.shape
            placed.append(Placed(name, (rows, columns), end))
            end += 4 * rows * columns
        if end > self.nbytes:
            raise DataError(
                f"stage {result.denoiser!r} gives {', '.join(result.images)}: {end} bytes, more than the {self.nbytes} "
                f"of {MOST_FINE} super-resolved images and a widefield one; let it give fewer"
            )
        for one in placed:
            torch.from_numpy(_view(slots, slot, one)).copy_(result.images[one.name])
        return replace(result, images={}), tuple(placed)

    def take(self, slots: SharedSlots, slot: int, result: Result, placed: tuple[Placed, ...], ready_s: float) -> Result:
        """Return the result with copies of its images."""
        images = {one.name: torch.from_numpy(self._recycled.copy_of(_view(slots, slot, one))) for one in placed}
        return replace(result, ready_s=ready_s, images=images)


def _view(slots: SharedSlots, slot: int, placed: Placed) -> "np.ndarray[Any, np.dtype[Any]]":
    return slots.array(slot, placed.shape, np.float32, placed.offset)
