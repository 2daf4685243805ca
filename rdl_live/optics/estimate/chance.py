"""How large an amplitude chance gives where there are no stripes: the specimen's own likeness to itself, moved.

The mean of an orientation's frames holds no stripes, whatever the phase steps are, at any wave vector but its own. What
the regression finds there at other directions of the same length is error: noise, and what an OTF that is not quite
right leaves of the widefield. The phases' deviations from equal steps are read in that mean, so they err by as much.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands, power
from rdl_live.optics.estimate.refine import Overlap

_DIRECTIONS = 2
_LEAST_APART_DEG = 12.0
"""Directions closer than this to a pattern's are not tried."""
_GRID_DEG = 5


def chance_amplitudes(bands: Bands, k0: Sequence[tuple[float, float]]) -> list[float]:
    """Return the root mean square |z| found in the mean of every orientation's frames where there are no stripes.

    Args:
        bands: separated bands.
        k0: the patterns' wave vectors [cycles/um]; of one orientation or more.
    """
    length = sorted(math.hypot(*one) for one in k0)[len(k0) // 2]
    squares = [0.0] * bands.angles
    directions = _directions(k0)
    for direction in directions:
        away = math.radians(direction)
        here = _amplitudes(bands, (length * math.cos(away), length * math.sin(away)))
        squares = [total + abs(z) ** 2 for total, z in zip(squares, here, strict=True)]
    found = [math.sqrt(total / max(len(directions), 1)) for total in squares]
    # Few directions may have been lucky ones.
    usual = math.sqrt(sum(one**2 for one in found) / len(found))
    return [max(one, usual) for one in found]


def _directions(k0: Sequence[tuple[float, float]]) -> list[float]:
    """Return directions [degrees] between the patterns', evenly spread."""
    taken = [math.degrees(math.atan2(y, x)) for x, y in k0]
    free = [
        angle
        for angle in range(0, 180, _GRID_DEG)
        if all(abs((angle - one + 90) % 180 - 90) >= _LEAST_APART_DEG for one in taken)
    ]
    return [float(free[index * len(free) // _DIRECTIONS]) for index in range(min(_DIRECTIONS, len(free)))]


def _amplitudes(bands: Bands, k: tuple[float, float]) -> list[complex]:
    """Return what `regress` would find of every orientation's mean at a wave vector."""
    overlap = Overlap(bands, k)
    here, there = overlap.weighted_here, overlap.weighted_there
    shifted = overlap.moved(bands.widefield, k).mul_(here)
    widefield = overlap.cut_half(bands.wide_spectrum).mul_(there)
    floor = bands.wide_floor * bands.times
    moved_power = _sum(power(shifted)) - floor * _sum(power(here))
    still_power = _sum(power(widefield)) - floor * _sum(power(there))
    mixed = complex(torch.vdot(widefield.flatten(), shifted.flatten()))
    determinant = moved_power * still_power - abs(mixed) ** 2
    if not (moved_power > 0 and still_power > 0 and determinant > 0):
        return [0j] * bands.angles
    moved, still = (shifted * there).flatten(), (widefield * there).flatten()
    found = []
    for orientation in range(bands.angles):
        mean = overlap.cut_half(bands.spectra[0][:, orientation]).flatten()
        on_moved, on_still = complex(torch.vdot(moved, mean)), complex(torch.vdot(still, mean))
        on_still -= _shared(bands, orientation) * _sum(power(there))
        found.append((on_moved * still_power - on_still * mixed.conjugate()) / determinant)
    return found


def _shared(bands: Bands, orientation: int) -> float:
    """Noise that an orientation's mean and the widefield have in common, per Fourier sample of all time points."""
    return (float(bands.floor[orientation]) / bands.frame_count + bands.fixed) * bands.times


def _sum(values: Tensor) -> float:
    return float(values.sum())
