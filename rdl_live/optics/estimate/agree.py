"""Where several wave vectors fit one orientation, the other orientations decide: the periods of one instrument agree.

Stripes whose phase bends over the field (or a specimen with few structures along them) split their peak in two of
nearly the same height. Evidence cannot tell them apart then, a common period can. Split stripes are as deep as their
peaks together, though not deeper than those of the other orientations.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from rdl_live.optics.estimate.phases import Modulation

COMPETES = 0.8
"""Coherence relative to the best from which a wave vector competes with it."""
_PERIOD_SIGMA = 0.007
"""Spread of the periods of one instrument's orientations that are displayed alike."""
_BETTER = 4.0
"""By how much the squared deviations must fall for another than the best peak to be taken."""


@dataclass(frozen=True)
class Fit:
    """A wave vector of one orientation."""

    k0: tuple[float, float]
    """[cycles/um]."""
    found: Modulation
    split: float = 0.0
    """Amplitude of a competing peak, |z|; 0 where there is none."""


def agreeing(options: Sequence[Sequence[Fit]]) -> list[Fit | None]:
    """Return one fit of each orientation.

    Args:
        options: of every orientation, the best first; empty where nothing was found.
    """
    kept = [[one for one in own if one.found.coherence >= COMPETES * own[0].found.coherence] for own in options]
    places = [index for index, own in enumerate(kept) if own]
    chosen: list[Fit | None] = [own[0] if own else None for own in kept]
    if len(places) < 3 or all(len(kept[index]) < 2 for index in places):
        return chosen
    first = [kept[index][0] for index in places]
    best = min(itertools.product(*(kept[index] for index in places)), key=_disagreement)
    if _disagreement(first) - _disagreement(best) > _BETTER:
        for index, one in zip(places, best, strict=True):
            chosen[index] = _with_rival(one, kept[index])
    return chosen


def _with_rival(one: Fit, competing: Sequence[Fit]) -> Fit:
    """Note the strongest of the peaks that are not chosen."""
    others = [abs(other.found.mean_amplitude) for other in competing if other is not one]
    return replace(one, split=max(others, default=0.0))


def _disagreement(fits: Sequence[Fit]) -> float:
    """Return the squared deviations of the periods from their median, in standard deviations."""
    lengths = [math.hypot(*one.k0) for one in fits]
    middle = median(lengths)
    return sum(((length / middle - 1) / _PERIOD_SIGMA) ** 2 for length in lengths)
