"""Patterns must not move by denoising: found again in the denoised frames, they are compared with those assumed."""

import math
from dataclasses import dataclass

from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.microscope import Camera, Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.optics.pattern import Pattern, PatternSet

MOST_FFT_PX = 0.2
"""By how much of 1 / field k0 may move; more than what estimation errs by in the dimmest series that it trusts."""


@dataclass(frozen=True)
class PatternShift:
    """What became of the patterns."""

    patterns: PatternSet | None
    """Found in the denoised frames; None if nothing can be found in them."""
    shift_nm: float | None
    """Largest change of a period [nm], over the orientations that are trusted."""
    doubts: tuple[str, ...]
    """In the user's words."""


def check_patterns(
    denoised: Tensor, scope: Microscope, patterns: PatternSet, channel: Channel | None = None
) -> PatternShift:
    """Find the patterns in denoised frames and compare.

    Args:
        denoised: (angle, phase, y, x), photons.
        scope: the microscope.
        patterns: what was assumed in denoising; orientations that are not trusted are not compared.
        channel: colour; the first where left out.
    """
    unit = scope.replace(camera=Camera().model_dump())
    try:
        found = modality_of(unit).estimate(denoised, unit, channel=channel)
    except DataError as error:
        return PatternShift(None, None, (f"no pattern is found in the denoised frames: {error}",))
    field_um = min(denoised.shape[-2:]) * scope.optics.pixel_size_um
    shifts, doubts = [0.0], []
    for number, (before, after) in enumerate(zip(patterns, found, strict=True), start=1):
        if not before.trusted:
            continue
        shifts.append(1e3 * abs(after.period_um - before.period_um))
        if _distance(before, after) * field_um > MOST_FFT_PX:
            doubts.append(
                f"denoising moved the pattern of orientation {number}: period {1e3 * before.period_um:.1f} -> "
                f"{1e3 * after.period_um:.1f} nm; do not trust this image, compare with the image that is not denoised"
            )
    return PatternShift(found, max(shifts), tuple(doubts))


def _distance(one: Pattern, other: Pattern) -> float:
    """Return |k0 - k0'| [cycles/um]; k0 and -k0 are the same stripes."""
    return min(math.hypot(one.kx - sign * other.kx, one.ky - sign * other.ky) for sign in (1, -1))
