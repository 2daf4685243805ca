"""Microtubule-like filaments: long, gently bent, many of them from one organising centre."""

import math

import numpy as np

from rdl_live.specimen.cloud import Cloud, Floats, Motion
from rdl_live.specimen.curves import sites, worm_like_chains
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

LENGTH_PER_AREA = 1.3
"""Typical length of microtubules per area at a cell's periphery [um / um^2]."""
PERSISTENCE_UM = 25.0
"""Apparent persistence length in cells, where forces bend them (in a dish it is millimetres) [um]."""
SPACING_UM = 0.008
"""Rise of a tubulin dimer: one place for a label [um]."""


@kind("filaments")
def filaments(domain: Domain) -> list[Cloud]:
    """Grow filaments over the domain."""
    rng = domain.rng
    length = rng.gamma(3.0, 5.0, domain.count(LENGTH_PER_AREA / 15.0)) + 2.0
    start = domain.places(len(length), clumping=0.4)
    chains = worm_like_chains(start, _headings(start, domain), length, PERSISTENCE_UM, rng)
    labels = sites(chains, SPACING_UM)
    staining = rng.lognormal(0.0, 0.15, len(length))[labels.curve]
    brightness = staining * rng.gamma(2.0, 0.5, len(labels.curve))
    return [Cloud(labels.position_um, brightness, labels.curve, Motion(drift=0.5, flow=0.85))]


def _headings(start_um: Floats, domain: Domain) -> Floats:
    """Return directions [rad]: most away from an organising centre in or out of view, the others anywhere."""
    rng, (height, width) = domain.rng, domain.size_um
    centre = np.array([width, height]) * rng.uniform(-0.5, 1.5, 2)
    away = start_um - centre
    radial = np.arctan2(away[:, 1], away[:, 0]) + rng.normal(0.0, 0.5, len(start_um))
    anywhere = rng.uniform(0.0, 2 * math.pi, len(start_um))
    return np.asarray(np.where(rng.random(len(start_um)) < 0.65, radial, anywhere))
