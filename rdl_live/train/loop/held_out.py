"""What trainings from recordings share: time points that are held out, neighbours that are compared, what counts."""

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rdl_live.optics import Channel, Microscope
from rdl_models import Span

HELD_OUT = 0.15
"""Share of the time points that are held out, at the end of each recording."""
MOST_NEIGHBOURS = 10
"""Averaged in a target: its noise then hardly counts beside that of what is shown."""
CERTAIN = 2.5
"""Standard errors by which the gain must exceed nothing."""
WORTH = 0.985
"""Error relative to that of the weights started from, above which a change is not worth a new file."""
_NEAR = 0.05
"""Weights are valid for optics that differ by so much from those of the recordings."""
_LIGHT = 3.0
"""... and for light that differs by this factor."""


def held_count(times: int, least: int = 1) -> int:
    """Return how many of the last time points are held out."""
    return max(least, math.ceil(HELD_OUT * times))


def neighbours(time: int, times: Sequence[int], reach: int) -> list[int]:
    """Return the time points of the other parity within `reach`, at most `MOST_NEIGHBOURS` and the nearest of them.

    There are as many before as after, in which steady motion cancels; where one side has no more of them, only those
    are taken that are within a third of the reach.
    """
    known = set(times)
    found = []
    for step in range(1, reach + 1, 2):
        sides = [one for one in (time - step, time + step) if one in known]
        if len(sides) == 2 or step <= max(1, reach // 3):
            found += sides
    return sorted(found[:MOST_NEIGHBOURS])


def fingerprint(series: npt.NDArray[np.generic]) -> str:
    """Return what distinguishes one recording from another: a hash of its first series or stack."""
    return hashlib.sha256(np.ascontiguousarray(series).tobytes()).hexdigest()[:16]


def valid_near(scope: Microscope, channel: Channel, photons: Sequence[float]) -> Mapping[str, Span]:
    """Return what weights are made for that have learnt from recordings of one microscope.

    Args:
        scope: the microscope.
        channel: the colour.
        photons: mean light of each recording [photons a pixel].
    """
    centre = {
        "na": scope.optics.na,
        "pixel_size_um": scope.optics.pixel_size_um,
        "emission_nm": channel.emission_nm,
    }
    near = {key: Span(low=(1 - _NEAR) * value, high=(1 + _NEAR) * value) for key, value in centre.items()}
    return near | {"photons": Span(low=min(photons) / _LIGHT, high=max(photons) * _LIGHT)}
