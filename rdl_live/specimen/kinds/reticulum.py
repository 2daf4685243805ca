"""Endoplasmic reticulum: a net of thin tubules that meet in threes, with sheets in some of its meshes."""

import math

import numpy as np

from rdl_live.specimen.cloud import Cloud, Floats, Indices, Motion, join
from rdl_live.specimen.curves import Curves, sites
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind
from rdl_live.specimen.voronoi import Net, neighbours, voronoi

MESHES_PER_AREA = 0.75
"""Typical number of meshes per area at a cell's periphery [1 / um^2]."""
TUBULE_UM = 0.03
"""Radius of a tubule [um]."""
SPACING_UM = 0.006
MISSING = 0.12
"""Share of tubules that are not there, or end blindly."""
SHEETS = 0.05
"""Share of meshes that are filled by a sheet."""
SHEET_LABELS = 4
"""Labels of a sheet for one of a tubule, each as much fainter: a sheet is evenly stained."""
NODES = 12
"""Nodes on the way from one junction to the next."""


@kind("reticulum")
def reticulum(domain: Domain) -> list[Cloud]:
    """Grow a net over the domain; all of it sways as one."""
    net = voronoi(_centres(domain), domain.size_um)
    return [join([_tubules(net, domain.rng), _sheets(net, domain.rng)])]


def _centres(domain: Domain) -> Floats:
    """Return the middles of the meshes: random, yet none of them squeezed to nothing."""
    rng, count = domain.rng, max(12, domain.count(MESHES_PER_AREA))
    typical = 1 / math.sqrt(MESHES_PER_AREA * domain.density)
    centres = domain.places(count, clumping=0.6)
    for _ in range(2):
        _, reach = neighbours(centres, domain.size_um, 1)
        distance = np.linalg.norm(reach[:, 0], axis=1, keepdims=True)
        push = np.where(distance < 0.45 * typical, 0.3 * typical, 0.0)
        centres = centres - push * reach[:, 0] / np.maximum(distance, 1e-6)
    return np.asarray(centres + rng.normal(0.0, 0.01, centres.shape))


def _tubules(net: Net, rng: np.random.Generator) -> Cloud:
    there = rng.random(len(net.edge_um)) >= MISSING
    begin, end = net.edge_um[there, 0], net.edge_um[there, 1]
    blind = rng.random(len(begin)) < 0.5 * MISSING
    end = np.where(blind[:, None], begin + 0.5 * (end - begin), end)
    along = np.linspace(0.0, 1.0, NODES)
    link = end - begin
    normal = np.stack([-link[:, 1], link[:, 0]], axis=1)
    # Bows that vanish at the junctions, in proportion to the length of the tubule.
    bow = rng.normal(0.0, 0.08, (len(begin), 1)) * np.sin(math.pi * along)
    bow = bow + rng.normal(0.0, 0.05, (len(begin), 1)) * np.sin(2 * math.pi * along)
    nodes = begin[:, None] + along[:, None] * link[:, None] + bow[..., None] * normal[:, None]
    labels = sites(Curves(nodes.reshape(-1, 2), np.repeat(np.arange(len(begin)), NODES)), SPACING_UM)
    n = len(labels.curve)
    around = TUBULE_UM * np.cos(rng.uniform(0.0, math.pi, n))
    calibre = rng.lognormal(0.0, 0.2, len(begin))[labels.curve]
    return _still_together(labels.offset(around), calibre * rng.gamma(2.0, 0.5, n))


def _sheets(net: Net, rng: np.random.Generator) -> Cloud:
    """Return sheets: meshes filled evenly, as triangles from the middle to each edge."""
    meshes = rng.permutation(len(net.centre_um))[: round(SHEETS * len(net.centre_um))]
    edge, side = np.nonzero(np.isin(net.mesh, meshes))
    corner = net.middle_um[edge, side]
    u, v = net.edge_um[edge, 0] - corner, net.edge_um[edge, 1] - corner
    area = 0.5 * np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    # A tubule is a membrane 2 pi r wide, a sheet two of them: 2 / (2 pi r) tubules per width.
    per_um2 = 1 / (SPACING_UM * math.pi * TUBULE_UM)
    triangle = np.repeat(np.arange(len(area)), rng.poisson(SHEET_LABELS * 0.5 * area * per_um2))
    a, b = rng.random((2, len(triangle), 1))
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    return _still_together(
        corner[triangle] + a * u[triangle] + b * v[triangle], np.full(len(triangle), 1 / SHEET_LABELS)
    )


def _still_together(position_um: Floats, brightness: Floats) -> Cloud:
    """Return a cloud of a single member."""
    member: Indices = np.zeros(len(position_um), np.int64)
    return Cloud(position_um, brightness, member, Motion(drift=0.15, flow=1.0, wavelength_um=(1.5, 6.0)))
