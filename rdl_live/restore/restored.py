"""What a stage gives: named images, and what the guards say of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from rdl_live.optics.pattern import PatternSet
from rdl_live.restore.guards import ResidualCheck
from rdl_live.restore.stripes import StripeCheck

WIDEFIELD, SIM, DENOISED, SR, SIGMA, WORTH = "widefield", "sim", "denoised", "sr", "sigma", "worth"
"""Usual names of images: the mean of the raw frames; classical SIM; the same denoised; super-resolved by a network
alone; the standard error that is expected of the main one; the number of series that each of its pixels is worth. A
stage or a modality may give others."""


@dataclass(frozen=True)
class Guards:
    """Can this image be believed? Computed for some images of a live run, not for each."""

    residual: ResidualCheck
    """What denoising took away; see there."""
    stripes: StripeCheck
    """Whether each frame's stripes are those assumed; see there."""
    patterns: PatternSet | None = None
    """The patterns found in the denoised frames; they must be those of the raw frames. None if not estimated."""
    shift_nm: float | None = None
    """Largest change of a period from raw to denoised frames [nm]."""
    doubts: tuple[str, ...] = ()
    """What is wrong, in the user's words; empty where nothing is."""


@dataclass(frozen=True)
class Restored:
    """The images of one unit."""

    images: Mapping[str, Tensor]
    """By name, each (y, x) float32; light in photons per raw pixel area."""
    main: str
    """The name of the one that is shown first and recorded."""
    guards: Guards | None = None
    """None where they were not asked. In a live run some are of a series a few seconds older."""

    def __post_init__(self) -> None:
        if self.main not in self.images:
            raise ValueError(f"the main image {self.main!r} is not among those given: {', '.join(self.images)}")

    @classmethod
    def plain(cls, image: Tensor, name: str = SIM) -> "Restored":
        """Return the image of the physics alone, under the name that its modality gives it."""
        return cls({name: image}, name)

    @property
    def sr(self) -> Tensor:
        """The main image."""
        return self.images[self.main]

    @property
    def sim(self) -> Tensor | None:
        """The same unit by the physics alone; None if not asked for."""
        return self.images.get(SIM)

    @property
    def sigma(self) -> Tensor | None:
        """Standard error expected of the main image, in its shape and unit; None where it is not known."""
        return self.images.get(SIGMA)

    @property
    def worth(self) -> Tensor | None:
        """Number of series of a time-lapse that each pixel of the main image is worth; None without a memory."""
        return self.images.get(WORTH)
