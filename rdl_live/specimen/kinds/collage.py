"""No cell at all: flat discs and bars, one over the other, from large to small.

Pictures of the world are made of edges at all scales, which cells are not: the dead-leaves model (Lee, Mumford, Huang
2001, 10.1023/A:1011109015675). A denoiser that has seen only cells would make cells of whatever it is shown.
"""

import numpy as np

from rdl_live.specimen.cloud import Cloud, Floats, Motion
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

SPACING_UM = 0.03
"""Distance of the fluorophores, finer than what SIM resolves [um]."""
SMALLEST_UM, LARGEST_UM = 0.08, 2.5
"""Radii and half widths [um]."""
PER_AREA = 3.0
"""Typical number of shapes per area [1 / um^2]."""
SLENDER = 0.5
"""Share of bars among the shapes."""
EMPTY = 0.35
"""Share of shapes that are nearly dark."""


@kind("collage")
def collage(domain: Domain) -> list[Cloud]:
    """Grow shapes over the domain; each is one member that moves as a whole."""
    rng, (height, width) = domain.rng, domain.size_um
    rows, columns = max(1, round(height / SPACING_UM)), max(1, round(width / SPACING_UM))
    y, x = np.meshgrid(
        (np.arange(rows) + 0.5) * height / rows, (np.arange(columns) + 0.5) * width / columns, indexing="ij"
    )
    count = domain.count(PER_AREA)
    # Few large shapes below, many small ones above: sizes are distributed as 1 / r^3, the same at every scale.
    share = rng.random(count)
    radius = 1 / np.sqrt(share / SMALLEST_UM**2 + (1 - share) / LARGEST_UM**2)
    owner = np.zeros((rows, columns), dtype=np.int64)
    centre = domain.places(count)
    for number, index in enumerate(np.argsort(-radius), start=1):
        _cover(owner, number, (x, y), centre[index], float(radius[index]), rng)
    brightness = np.where(rng.random(count + 1) < EMPTY, 0.02, rng.gamma(2.0, 0.5, count + 1))
    position = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-0.5, 0.5, (rows * columns, 2)) * SPACING_UM
    return [Cloud(position, brightness[owner.ravel()], owner.ravel(), Motion(drift=0.9, flow=0.4))]


def _cover(
    owner: np.ndarray, number: int, grid: tuple[Floats, Floats], centre: Floats, radius: float, rng: np.random.Generator
) -> None:
    """Give the places under one shape, which may reach over the edges of the torus, to `number`."""
    rows, columns = owner.shape
    half_length = radius * (rng.uniform(2.0, 8.0) if rng.random() < SLENDER else 1.0)
    step_y, step_x = grid[1][0, 0] * 2, grid[0][0, 0] * 2
    reach = half_length + radius
    i = np.arange(int((centre[1] - reach) / step_y), int((centre[1] + reach) / step_y) + 1)[:rows]
    j = np.arange(int((centre[0] - reach) / step_x), int((centre[0] + reach) / step_x) + 1)[:columns]
    dy, dx = (i + 0.5)[:, None] * step_y - centre[1], (j + 0.5)[None, :] * step_x - centre[0]
    if half_length > radius:
        turn = rng.uniform(0.0, np.pi)
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        inside = (np.abs(along) < half_length) & (np.abs(across) < radius)
    else:
        inside = dx**2 + dy**2 < radius**2
    block = owner[np.ix_(i % rows, j % columns)]
    block[inside] = number
    owner[np.ix_(i % rows, j % columns)] = block
