"""Periodic Voronoi nets: the pattern of meshes that meet in threes."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rdl_live.specimen.cloud import Floats, Indices

NEIGHBOURS = 28
"""Nearest centres that may share a corner with a mesh; a mesh has 6 on average, but they may be far."""
BLOCK = 512
"""Centres whose distances to all others are held in memory at a time."""


@dataclass(frozen=True)
class Net:
    """The edges of the meshes round given centres."""

    centre_um: Floats
    """(meshes, 2), x and y [um]."""
    edge_um: Floats
    """(edges, 2 ends, 2), x and y [um]; an edge across the seam of the torus runs on beyond it."""
    mesh: Indices
    """(edges, 2), the two meshes that each edge parts."""
    middle_um: Floats
    """(edges, 2, 2), the centres of those two meshes, on the edge's side of the seam [um]."""


def voronoi(centre_um: Floats, size_um: tuple[float, float]) -> Net:
    """Return the Voronoi net of centres (meshes, 2) x, y [um] on a torus of `size_um` (y, x).

    Every corner is the middle of a circle through three centres with none inside; all triples among the
    nearest neighbours are tried at once. (About one edge in 5000 has a mesh beyond those and is not found.)
    """
    near, reach = neighbours(centre_um, size_um, NEIGHBOURS)
    first, second = (np.array(index) for index in zip(*combinations(range(near.shape[1]), 2), strict=True))
    corner = _circumcentres(reach[:, first], reach[:, second])  # (meshes, pairs, 2)
    radius2 = (corner**2).sum(2)
    empty = np.ones(radius2.shape, dtype=bool)
    for other in range(near.shape[1]):
        inside = ((corner - reach[:, other][:, None]) ** 2).sum(2) < radius2 * (1 - 1e-9)
        empty &= ~inside | (first == other) | (second == other)
    mesh, pair = np.nonzero(empty & np.isfinite(radius2))
    # Each corner of a mesh lies on its edges to two neighbours; an edge is a neighbour met at two corners.
    slot = np.concatenate([first[pair], second[pair]])
    owner, at = np.concatenate([mesh, mesh]), np.concatenate([corner[mesh, pair]] * 2)
    order = np.lexsort((slot, owner))
    owner, slot, at = owner[order], slot[order], at[order]
    same = (owner[1:] == owner[:-1]) & (slot[1:] == slot[:-1])
    start = np.flatnonzero(same)
    start = start[owner[start] < near[owner[start], slot[start]]]  # both meshes see the edge; once is enough
    one, other_slot = owner[start], slot[start]
    home = centre_um[one]
    return Net(
        centre_um=centre_um,
        edge_um=home[:, None] + np.stack([at[start], at[start + 1]], axis=1),
        mesh=np.stack([one, near[one, other_slot]], axis=1),
        middle_um=np.stack([home, home + reach[one, other_slot]], axis=1),
    )


def neighbours(centre_um: Floats, size_um: tuple[float, float], count: int) -> tuple[Indices, Floats]:
    """Return the `count` nearest others of every centre on the torus (all, if there are fewer), unordered.

    Returns:
        Their indices (centres, count), and the ways to them (centres, count, 2), x and y [um].
    """
    count = min(count, len(centre_um) - 1)
    period = np.array(size_um[::-1])
    near = np.empty((len(centre_um), count), np.int64)
    reach = np.empty((len(centre_um), count, 2))
    for first in range(0, len(centre_um), BLOCK):
        block = slice(first, first + BLOCK)
        apart = centre_um[None] - centre_um[block, None]
        apart -= period * np.rint(apart / period)  # (block, centres, 2), the nearest image
        distance2 = (apart**2).sum(2)
        own = np.arange(len(distance2))
        distance2[own, first + own] = np.inf
        near[block] = np.argpartition(distance2, count - 1, axis=1)[:, :count]
        reach[block] = np.take_along_axis(apart, near[block][..., None], axis=1)
    return near, reach


def _circumcentres(a: Floats, b: Floats) -> Floats:
    """Return the centres (..., 2) of the circles through 0, a and b; infinite where they are in line."""
    cross = 2 * (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        a2, b2 = (a**2).sum(-1) / cross, (b**2).sum(-1) / cross
        x = b[..., 1] * a2 - a[..., 1] * b2
        y = a[..., 0] * b2 - b[..., 0] * a2
    return np.stack([x, y], axis=-1)
