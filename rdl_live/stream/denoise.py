"""The denoising stage: two contracts, and nothing behind them where the stage is empty."""

from typing import Protocol

from torch import Tensor

from rdl_live.optics.microscope import Channel
from rdl_live.optics.pattern import PatternSet
from rdl_live.restore import Restored


class Denoiser(Protocol):
    """Called by the pipeline's host, one series at a time; whatever it raises skips that series."""

    @property
    def name(self) -> str:
        """What reports and recordings say."""

    def __call__(self, photons: Tensor, patterns: PatternSet) -> Tensor:
        """Return a series (angle, phase, y, x) of photons, float32, from another; intensities are kept.

        Args:
            photons: noisy; must not be changed.
            patterns: its illumination.
        """


class Restoration(Protocol):
    """Denoises and reconstructs in one; called like a `Denoiser`."""

    @property
    def name(self) -> str:
        """What reports and recordings say."""

    def restore(
        self, photons: Tensor, patterns: PatternSet, channel: Channel, place: tuple[int, int] = (0, 0)
    ) -> Restored:
        """Return the SR image, with what is known of it, of a series (angle, phase, y, x).

        Args:
            photons: noisy; must not be changed.
            patterns: its illumination.
            channel: its colour.
            place: (position, plane); series of one place and colour come in the order of time.
        """

    @property
    def behind(self) -> bool:
        """Whether something was put off until an image is out."""

    def catch_up(self) -> None:
        """Do it."""
