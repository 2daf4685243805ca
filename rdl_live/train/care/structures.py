"""What simulated pairs show: tubes and granules in a box, drawn as labels and never as pixels of a picture.

Tubes are worm-like chains whose labels lie on the surface of a cylinder; granules are balls of labels. After Weigert et
al. 2018, 10.1038/s41592-018-0216-7, Supplementary Note 2 (tubular and granular structures, uneven background).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Rng = np.random.Generator

STEP_UM = 0.04
"""From one label of a tube to the next, along it."""
TUBE_UM = (0.03, 0.12)
"""Radii of tubes."""
PERSISTENCE_UM = (3.0, 20.0)
TUBES_PER_UM2 = (0.05, 0.5)
"""In the projection of the box."""
GRANULE_UM = (0.05, 0.4)
"""Radii of granules."""
GRANULES_PER_UM3 = (0.02, 0.3)
LABELS_PER_GRANULE = 32
OCTAVES = 3
"""Of the uneven background."""


@dataclass(frozen=True)
class Box:
    """A box of voxels."""

    shape: tuple[int, int, int]
    """(z, y, x)."""
    step_um: float
    """From plane to plane."""
    pixel_um: float
    """In the plane."""

    @property
    def sides_um(self) -> Floats:
        """(z, y, x)."""
        return np.array(self.shape) * (self.step_um, self.pixel_um, self.pixel_um)


def tubes(rng: Rng, box: Box) -> tuple[Floats, Floats]:
    """Return labels (n, 3) in z, y, x [um] and their brightness (n,)."""
    sides = box.sides_um
    count = max(1, rng.poisson(_between(rng, TUBES_PER_UM2) * sides[1] * sides[2]))
    persistence, flat = _between(rng, PERSISTENCE_UM), rng.uniform(0.2, 1.0)
    radius, reach = _between(rng, TUBE_UM), float(sides[1:].max())
    places, bright = [], []
    for _ in range(count):
        steps = max(8, round(rng.uniform(0.3, 1.2) * reach / STEP_UM))
        turns = rng.normal(0.0, np.sqrt(STEP_UM / persistence), (steps, 3)).cumsum(axis=0)
        heading = rng.normal(0.0, 1.0, 3) * (flat, 1.0, 1.0)
        course = heading / np.linalg.norm(heading) + turns * (flat, 1.0, 1.0)
        course /= np.linalg.norm(course, axis=1, keepdims=True)
        middle = rng.uniform(-0.1, 1.1, 3) * sides
        axis = STEP_UM * course.cumsum(axis=0)
        across = rng.normal(0.0, 1.0, (steps, 3))
        across -= (across * course).sum(axis=1, keepdims=True) * course
        across *= radius / np.linalg.norm(across, axis=1, keepdims=True)
        places.append(middle + axis - axis[steps // 2] + across)
        bright.append(np.full(steps, rng.gamma(4.0, 0.25)))
    return np.concatenate(places), np.concatenate(bright)


def granules(rng: Rng, box: Box) -> tuple[Floats, Floats]:
    """Return labels (n, 3) in z, y, x [um] and their brightness (n,)."""
    sides = box.sides_um
    count = max(1, rng.poisson(_between(rng, GRANULES_PER_UM3) * float(sides.prod())))
    middle = rng.random((count, 3)) * sides
    radius = rng.uniform(*GRANULE_UM, count)
    within = rng.normal(0.0, 1.0, (count, LABELS_PER_GRANULE, 3))
    within /= np.linalg.norm(within, axis=2, keepdims=True)
    within *= (radius[:, None] * rng.random((count, LABELS_PER_GRANULE)) ** (1 / 3))[..., None]
    bright = rng.lognormal(0.0, 0.5, count)
    return (middle[:, None] + within).reshape(-1, 3), np.repeat(bright, LABELS_PER_GRANULE)


STRUCTURES: Mapping[str, Callable[[Rng, Box], tuple[Floats, Floats]]] = {"tubes": tubes, "granules": granules}
"""By name."""


def drawn(places_um: Floats, bright: Floats, box: Box) -> Tensor:
    """Return labels (n, 3) in z, y, x as light in voxels (z, y, x) float32; what lies outside of the box is cut off.

    Each label is shared among the eight nearest voxels, whose centres lie half a voxel inside.
    """
    place = places_um / (box.step_um, box.pixel_um, box.pixel_um) - 0.5
    low = np.floor(place).astype(np.int64)
    share = place - low
    total = np.zeros(int(np.prod(box.shape)))
    for corner in np.ndindex(2, 2, 2):
        at = low + corner
        weight = bright * np.prod(np.where(corner, share, 1 - share), axis=1)
        inside = ((at >= 0) & (at < box.shape)).all(axis=1)
        index = np.ravel_multi_index(tuple(at[inside].T), box.shape)
        total += np.bincount(index, weights=weight[inside], minlength=total.size)
    return torch.from_numpy(total.reshape(box.shape).astype(np.float32))


def uneven(rng: Rng, shape: tuple[int, int], octaves: int = OCTAVES) -> Tensor:
    """Return Perlin noise (y, x), mean 1 and never below 0: the glow of what is out of focus.

    Gradient noise with the fade 6 t^5 - 15 t^4 + 10 t^3 (Perlin 2002, 10.1145/566570.566636), each octave twice as
    fine and half as strong.
    """
    total = np.zeros(shape)
    for octave in range(octaves):
        total += 0.5**octave * _perlin(rng, shape, 2 << octave)
    light = np.clip(1 + 1.5 * total, 0, None)
    return torch.from_numpy((light / max(float(light.mean()), 1e-6)).astype(np.float32))


def _perlin(rng: Rng, shape: tuple[int, int], cells: int) -> Floats:
    turn = rng.uniform(0, 2 * np.pi, (cells + 2, cells + 2))
    y, x = (np.arange(length) * cells / length + rng.random() for length in shape)
    low_y, low_x = np.floor(y).astype(int), np.floor(x).astype(int)
    part_y, part_x = y - low_y, x - low_x
    found = np.zeros(shape)
    for side_y, side_x in np.ndindex(2, 2):
        corner = turn[np.ix_(low_y + side_y, low_x + side_x)]
        slope = np.sin(corner) * (part_y - side_y)[:, None] + np.cos(corner) * (part_x - side_x)[None]
        fade_y, fade_x = _fade(part_y if side_y else 1 - part_y), _fade(part_x if side_x else 1 - part_x)
        found += slope * fade_y[:, None] * fade_x[None]
    return found


def _fade(t: Floats) -> Floats:
    faded: Floats = t**3 * (t * (6 * t - 15) + 10)
    return faded


def _between(rng: Rng, bounds: tuple[float, float]) -> float:
    """Draw evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))
