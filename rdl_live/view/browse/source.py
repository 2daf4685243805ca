"""What is to be browsed, as the window sees it: raw series, the images recorded beside them, what is known of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdl_live._names import NO_DENOISER
from rdl_live.errors import DataError
from rdl_live.files.raw import find_position
from rdl_live.files.recorder.layout import ImageAddress
from rdl_live.optics.microscope import Microscope


class Where(NamedTuple):
    """Which series is looked at."""

    time: int = 0
    position: int = 0
    channel: int = 0
    z: int = 0

    @property
    def image(self) -> ImageAddress:
        """Its image."""
        return ImageAddress(self.position, self.channel, self.z)


@dataclass(frozen=True)
class Sizes:
    """How much there is to be browsed."""

    times: int
    positions: int
    channels: tuple[str, ...]
    z_planes: int
    angles: int
    phases: int
    frame: tuple[int, int]
    """(y, x)."""
    pixel_um: float | None
    """Of the raw frames; None where neither file nor microscope say."""
    corner: tuple[int, int] | None = None
    """(y, x) of their first pixel on the camera's chip, if that is known."""
    position_names: tuple[str, ...] = ()
    """Of the stage positions, where the file names them."""

    def beginning(self, position: str | None = None, channel: str | None = None) -> Where:
        """Return the first series of a stage position and colour, each by name or number from 0.

        Raises:
            DataError: there is none of that name or number; says which there are.
        """
        place = 0 if position is None else find_position(self.position_names, self.positions, position)[0]
        colour = 0
        if channel is not None and channel in self.channels:
            colour = self.channels.index(channel)
        elif channel is not None and channel.isdecimal() and int(channel) < len(self.channels):
            colour = int(channel)
        elif channel is not None:
            raise DataError(f"has no channel {channel!r}; it has {', '.join(self.channels)}")
        return Where(position=place, channel=colour)


@dataclass(frozen=True, eq=False)
class Stored:
    """A super-resolved image that was recorded."""

    pixels: npt.NDArray[np.float32]
    made: Mapping[str, Any]
    """How: patterns, denoiser, quality."""

    @property
    def denoiser(self) -> str:
        """`NO_DENOISER`, or the weights."""
        return str(self.made.get("denoiser", NO_DENOISER))


class Source(Protocol):
    """Something to browse. All methods may raise DataError; `series` and `stored` are called by one thread."""

    path: Path
    sizes: Sizes
    microscope: Microscope | None
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]

    def series(self, where: Where) -> npt.NDArray[Any]:
        """Return raw ADU (angle, phase, y, x)."""

    def stored(self, where: Where) -> Stored | None:
        """Return the super-resolved image that was recorded, if there is one."""

    def flags(self, image: ImageAddress) -> npt.NDArray[np.int64]:
        """Return the `FrameFlag`s of all frames, (T, angle, phase); MISSING where there is no frame."""

    def has_stored(self, image: ImageAddress) -> npt.NDArray[np.bool_]:
        """Return which time points have a super-resolved image, (T,)."""

    def about(self, where: Where) -> Mapping[str, Any]:
        """Return what is known of one series: time stamps, exposure, power, stage."""

    def close(self) -> None:
        """Let go of the files."""
