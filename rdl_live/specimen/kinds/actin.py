"""Actin: a dense mesh of fine filaments, crossed by straight bundles (stress fibres) in a few directions."""

import math

import numpy as np

from rdl_live.specimen.cloud import Cloud, Motion, join
from rdl_live.specimen.curves import sites, worm_like_chains
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

MESH_PER_AREA = 7.0
"""Typical length of the mesh's filaments per area [um / um^2]."""
FIBRES_PER_AREA = 0.35
"""Typical length of stress fibres per area [um / um^2]."""
MESH_SPACING_UM = 0.02
FIBRE_SPACING_UM = 0.002
FIBRE_BRIGHTNESS = 0.5
"""Light of a label site of a fibre relative to the mesh: a fibre is a bundle of some ten filaments."""


@kind("actin")
def actin(domain: Domain) -> list[Cloud]:
    """Grow mesh and fibres over the domain; they sway together."""
    return [join([_mesh(domain), _fibres(domain)])]


def _mesh(domain: Domain) -> Cloud:
    rng = domain.rng
    length = rng.gamma(2.0, 1.2, domain.count(MESH_PER_AREA / 2.8)) + 0.4
    heading = rng.uniform(0.0, 2 * math.pi, len(length))
    start = domain.places(len(length), clumping=0.35)
    labels = sites(worm_like_chains(start, heading, length, 14.0, rng), MESH_SPACING_UM)
    brightness = rng.gamma(2.0, 0.5, len(labels.curve)) * rng.lognormal(0.0, 0.3, len(length))[labels.curve]
    # The mesh is one gel: it sways, its filaments do not slide.
    return Cloud(labels.position_um, brightness, np.zeros(len(brightness), np.int64), Motion(0.3, 0.95, (5.0, 16.0)))


def _fibres(domain: Domain) -> Cloud:
    rng = domain.rng
    length = rng.gamma(4.0, 5.0, domain.count(FIBRES_PER_AREA / 24.0)) + 4.0
    count = len(length)
    ways = rng.uniform(0.0, math.pi) + np.array([0.0, rng.uniform(0.5, 1.6)])
    heading = ways[(rng.random(count) < 0.3).astype(np.int64)] + rng.normal(0.0, 0.1, count)
    labels = sites(worm_like_chains(domain.places(count), heading, length, 600.0, rng), FIBRE_SPACING_UM)
    n = len(labels.curve)
    # Fibres taper to their ends, and their cross-linkers sit about every micrometre.
    ends = np.minimum(labels.arc_um, labels.length_um - labels.arc_um)
    taper = np.clip(ends / 2.0, 0.15, 1.0)
    period = rng.uniform(0.8, 1.3, count)[labels.curve]
    beat = 1 + 0.25 * np.cos(2 * math.pi * labels.arc_um / period + rng.uniform(0.0, 6.0, count)[labels.curve])
    width = rng.uniform(0.025, 0.08, count)[labels.curve] * np.sqrt(taper)
    brightness = FIBRE_BRIGHTNESS * taper * beat * rng.lognormal(0.0, 0.4, count)[labels.curve]
    return Cloud(labels.offset(rng.normal(0.0, 1.0, n) * width), brightness, labels.curve)
