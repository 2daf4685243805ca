"""What the simulated microscope knows of its specimen, beside the images of a live run: for the demo, and only there.

Nothing of it is recorded. The world is asked in a thread of its own, which neither camera nor pipeline waits for, and
only when the specimen has been drawn anew.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.optics.microscope import Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.otf import Otf
from rdl_live.optics.target import extended_cutoff
from rdl_live.stream import Result
from rdl_live.stream.result import WIDEFIELD

if TYPE_CHECKING:  # a real microscope must not need simulated devices
    from rdl_devices.sim import World
    from rdl_devices.sim.view import Region

_LOG = logging.getLogger(__name__)

COMPARED = (WIDEFIELD, "sim", "denoised", "sr")
"""Images whose error is measured, as far as there are."""
BORDER = 16
"""This part of the field is left out at each edge: structure beyond it shines in, which no image can know."""
END_S = 10.0

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """The specimen as one series saw it, and how far the images are from it."""

    image: FloatImage
    """As a perfect super-resolved image would show it: the pixels, the photons and the reach of `Result.sr`."""
    errors: Mapping[str, float]
    """By the image's name: root mean square of (image - truth) / that of (truth - its mean)."""
    result: Result
    """What it was compared with."""


class TruthWatch:
    """Compares images with the truth; a receiver of results. Ends with `close`."""

    def __init__(
        self, world: "World", microscope: Microscope, region: "Region", receive: Callable[[Truth], None] | None = None
    ) -> None:
        """Start its thread.

        Args:
            world: the simulated one.
            microscope: its description.
            region: part of the camera chip that is read.
            receive: given each comparison, in the thread of this watch.
        """
        self._world, self._microscope, self._region, self._receive = world, microscope, region, receive
        self._changed = threading.Condition()
        self._waiting: Result | None = None
        self._closing = False
        self._epochs: dict[str, int] = {}
        """Of each channel: the drawing of the specimen that was compared last."""
        self.latest: Truth | None = None
        self.latest_of: dict[str, Truth] = {}
        """Of each channel."""
        self._sums: dict[tuple[str, str], tuple[float, int]] = {}
        """Sum and number of the errors of each image of each channel."""
        self._thread = threading.Thread(target=self._work, name="rdl-truth", daemon=True)
        self._thread.start()

    def __call__(self, result: Result) -> None:
        """Take a result; never waits. One that was not looked at is replaced."""
        with self._changed:
            self._waiting = result
            self._changed.notify_all()

    def close(self) -> None:
        """Compare what is waiting, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(END_S)

    @property
    def errors(self) -> dict[str, float]:
        """Mean error of each image over all comparisons."""
        return self.errors_of(None)

    def errors_of(self, channel: str | None) -> dict[str, float]:
        """Return the mean error of each image of a channel, or of all."""
        found: dict[str, tuple[float, int]] = {}
        for (name, image), (total, count) in self._sums.items():
            if channel in (None, name):
                before = found.get(image, (0.0, 0))
                found[image] = (before[0] + total, before[1] + count)
        return {image: total / count for image, (total, count) in found.items()}

    @property
    def compared(self) -> int:
        """How many series were compared."""
        return sum(count for (_, image), (_, count) in self._sums.items() if image == WIDEFIELD)

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._waiting is None and not self._closing:
                    self._changed.wait()
                result, self._waiting = self._waiting, None
            if result is None:
                return
            try:
                self._compare(result)
            except Exception:  # the demo goes on without
                _LOG.exception("the truth could not be compared")

    def _compare(self, result: Result) -> None:
        if result.exposed_s is None or (epoch := self._world.epoch(result.exposed_s)) == self._epochs.get(
            result.channel
        ):
            return
        channel = next(c for c in self._microscope.channels if c.name == result.channel)
        # A single frame is asked for what SIM would show of the same specimen on the same microscope.
        patterns = (
            result.patterns
            if len(result.patterns)
            else modality_of(self._microscope).nominal(self._microscope, channel)
        )
        cutoff = extended_cutoff(Otf.of(self._microscope, channel).cutoff, patterns)
        image = self._world.truth(self._region, result.exposed_s, cutoff)
        if image is None or image.shape[0] % result.sr.shape[0] or image.shape[1] % result.sr.shape[1]:
            return
        self._epochs[result.channel] = epoch
        errors = errors_of(result, image)
        for name, error in errors.items():
            total, count = self._sums.get((result.channel, name), (0.0, 0))
            self._sums[result.channel, name] = (total + error, count + 1)
        self.latest = self.latest_of[result.channel] = Truth(image, errors, result)
        if self._receive is not None:
            self._receive(self.latest)


def errors_of(result: Result, truth: FloatImage) -> dict[str, float]:
    """Return the error of each image of a result, by name; see `Truth.errors`."""
    wanted = torch.from_numpy(truth)
    return {name: nrmse(result.images[name].cpu(), wanted) for name in COMPARED if name in result.images}


def nrmse(image: torch.Tensor, truth: torch.Tensor) -> float:
    """Return rms(image - truth) / rms(truth - its mean), nothing rescaled, without the border.

    Args:
        image: (y, x), on pixels of any size that cover the same field.
        truth: (y, x) in the same unit.
    """
    if image.shape != truth.shape:
        size = (int(truth.shape[-2]), int(truth.shape[-1]))
        # Pixel areas: the corners of the fields coincide.
        image = torch.nn.functional.interpolate(image[None, None], size, mode="bicubic", align_corners=False)[0, 0]
    rim = max(1, min(truth.shape) // BORDER)
    found, wanted = image[rim:-rim, rim:-rim], truth[rim:-rim, rim:-rim]
    spread = float(wanted.std(correction=0))
    return float((found - wanted).square().mean().sqrt()) / max(spread, 1e-9)
