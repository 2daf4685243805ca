"""Specimens for `benchmarks.real_light`: grown by other rules than those that the denoisers are trained on."""

import numpy as np

from benchmarks.grids import Real
from benchmarks.phasors import Points

STEP_UM = 0.02
"""Distance of the points along a line."""


def strands(side_um: float, rng: np.random.Generator) -> Points:
    """Return wavy lines, crowded as microtubules around a nucleus: cubic curves through random ways."""
    lines = []
    for _ in range(max(4, round(0.28 * (side_um + 4) ** 2))):
        start, turn = rng.uniform(-2, side_um + 2, 2), rng.uniform(0, 2 * np.pi)
        length = rng.uniform(4, 14)
        t = np.arange(0, length, STEP_UM)
        bend = rng.normal(0, 0.08) + rng.normal(0, 0.02) * t
        wave = rng.uniform(0, 0.25) * np.sin(2 * np.pi * t / rng.uniform(2.0, 6.0) + rng.uniform(0, 6))
        way = turn + np.cumsum(bend * STEP_UM) + wave
        line = start + np.cumsum(np.stack([np.sin(way), np.cos(way)], axis=1) * STEP_UM, axis=0)
        lines.append((line, np.full(len(line), rng.uniform(0.5, 1.5))))
    return _joined(lines, rng)


def mesh(side_um: float, rng: np.random.Generator) -> Points:
    """Return the edges of the cells around random seeds, as sheets of membrane meet."""
    from scipy.spatial import Voronoi

    seeds = rng.uniform(-3, side_um + 3, (max(8, round(0.9 * (side_um + 6) ** 2)), 2))
    net, lines = Voronoi(seeds), []
    for first, second in net.ridge_vertices:
        if first < 0 or second < 0:
            continue
        ends = net.vertices[[first, second]]
        count = int(np.linalg.norm(ends[1] - ends[0]) / STEP_UM)
        if 0 < count < 500:
            t = np.linspace(0, 1, count)[:, None]
            lines.append((ends[0] + t * (ends[1] - ends[0]), np.ones(count)))
    return _joined(lines, rng)


def islands(side_um: float, rng: np.random.Generator) -> Points:
    """Return spindle-shaped patches with grainy insides, as focal adhesions."""
    patches = []
    direction = rng.uniform(0, np.pi)
    for _ in range(max(4, round(0.5 * side_um**2))):
        long, wide = rng.uniform(0.4, 1.6), rng.uniform(0.08, 0.3)
        turn = direction + rng.normal(0, 0.35)
        u = rng.uniform(-1, 1, (int(900 * long * wide) + 40, 2))
        u = u[np.abs(u[:, 1]) < 1 - u[:, 0] ** 2] * (long, wide)
        place = np.stack(
            [u[:, 0] * np.sin(turn) + u[:, 1] * np.cos(turn), u[:, 0] * np.cos(turn) - u[:, 1] * np.sin(turn)]
        )
        patches.append((rng.uniform(0, side_um, 2) + place.T, np.full(len(u), rng.uniform(0.4, 1.6))))
    return _joined(patches, rng)


def dots(side_um: float, rng: np.random.Generator) -> Points:
    """Return single points of uneven light, as vesicles: nothing lies between them."""
    count = round(3.0 * side_um**2)
    return Points(rng.uniform(0, side_um, (count, 2)), rng.gamma(6, 1 / 6, count))


KINDS = {"strands": strands, "mesh": mesh, "islands": islands, "dots": dots}


def _joined(parts: list[tuple[Real, Real]], rng: np.random.Generator) -> Points:
    """Return all parts, their points lit unevenly as labels are."""
    place = np.concatenate([one for one, _ in parts])
    light = np.concatenate([one for _, one in parts])
    return Points(place, light * rng.gamma(2.0, 0.5, len(light)))
