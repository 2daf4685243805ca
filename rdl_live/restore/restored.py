"""What a restoration gives: the image, the same without the network, how sure it is, and what the guards say."""

from dataclasses import dataclass

from torch import Tensor

from rdl_live.optics.pattern import PatternSet
from rdl_live.restore.guards import ResidualCheck
from rdl_live.restore.stripes import StripeCheck


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
    """A restored image."""

    sr: Tensor
    """(2y, 2x) float32, photons per raw pixel area."""
    sim: Tensor | None = None
    """The same series without the network (classical SIM), shaped and scaled as `sr`; None if not asked for."""
    sigma: Tensor | None = None
    """Standard error expected of `sr`, in its shape and unit; None where the weights cannot tell."""
    guards: Guards | None = None
    """None where they were not asked. In a live run some are of a series a few seconds older."""
