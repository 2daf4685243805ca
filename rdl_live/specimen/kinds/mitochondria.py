"""Mitochondria: bent tubes with a bright outline, lamellar cristae across."""

import math

import numpy as np

from rdl_live.specimen.cloud import Cloud, Floats, Motion, join
from rdl_live.specimen.curves import Sites, sites, worm_like_chains
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

PER_AREA = 0.11
"""Typical number per area [1 / um^2]."""
SHELL_PER_UM = 700.0
CRISTAE_PER_UM = 600.0
MATRIX_PER_UM = 250.0
"""Fluorophores per length of tube in outer membrane, cristae and matrix [1 / um]."""
CRISTA_SPACING_UM = 0.13
"""Typical distance from one crista to the next [um]."""
CRISTA_SHAPES = 4093
"""Different cristae; more of them are repeats."""


@kind("mitochondria")
def mitochondria(domain: Domain) -> list[Cloud]:
    """Grow mitochondria over the domain; how the dye is shared among their parts differs by seed."""
    rng = domain.rng
    count = domain.count(PER_AREA)
    length = np.clip(rng.lognormal(1.1, 0.6, count), 0.6, 14.0)
    heading = rng.uniform(0.0, 2 * math.pi, count)
    start = domain.places(count, clumping=0.85)
    tubes = worm_like_chains(start, heading, length, 4.5, rng, step_um=0.05)
    radius = np.clip(rng.normal(0.2, 0.035, count), 0.12, 0.3)
    motion = Motion(drift=0.7, flow=0.7, wavelength_um=(3.0, 8.0))
    stained = rng.lognormal(0.0, 0.25, count)
    parts = []
    for place, per_um, share in zip(
        (_on_shell, _on_cristae, _in_matrix),
        (SHELL_PER_UM, CRISTAE_PER_UM, MATRIX_PER_UM),
        rng.dirichlet([4.0, 4.0, 1.5]),
        strict=True,
    ):
        labels = sites(tubes, 1 / per_um)
        position = place(labels, _profile(labels, radius, rng), rng)
        parts.append(Cloud(position, share / per_um * stained[labels.curve], labels.curve, motion))
    return [join(parts, same_members=True)]


def _profile(labels: Sites, radius_um: Floats, rng: np.random.Generator) -> Floats:
    """Return the tube's radius at every label [um]: slightly beaded, round at the ends."""
    phase = rng.uniform(0.0, 2 * math.pi, len(radius_um))[labels.curve]
    radius = radius_um[labels.curve] * (1 + 0.1 * np.sin(2 * math.pi * labels.arc_um / 1.4 + phase))
    end = np.minimum(labels.arc_um, labels.length_um - labels.arc_um)
    inside = np.clip(1 - end / radius, 0.0, 1.0)
    return np.asarray(radius * np.sqrt(1 - inside**2))


def _on_shell(labels: Sites, radius_um: Floats, rng: np.random.Generator) -> Floats:
    """Return places on the outer membrane: a round tube seen from the side is brightest at its outline."""
    return labels.offset(radius_um * np.cos(rng.uniform(0.0, math.pi, len(radius_um))))


def _in_matrix(labels: Sites, radius_um: Floats, rng: np.random.Generator) -> Floats:
    """Return places all through the tube."""
    around = np.cos(rng.uniform(0.0, math.pi, len(radius_um)))
    return labels.offset(radius_um * np.sqrt(rng.random(len(radius_um))) * around)


def _on_cristae(labels: Sites, radius_um: Floats, rng: np.random.Generator) -> Floats:
    """Return places on lamellae across the tube, uneven in distance, slant and reach."""
    number = np.floor(labels.arc_um / CRISTA_SPACING_UM)
    each = (labels.curve * 7919 + number.astype(np.int64) * 31) % CRISTA_SHAPES
    shift = rng.normal(0.0, 0.25, CRISTA_SHAPES)[each]
    slant = rng.normal(0.0, 0.3, CRISTA_SHAPES)[each]
    low = np.where(rng.random(CRISTA_SHAPES) < 0.4, rng.uniform(-0.8, 0.2, CRISTA_SHAPES), -0.9)[each]
    side = rng.choice([-1.0, 1.0], CRISTA_SHAPES)[each]
    across = side * (low + (0.9 - low) * rng.random(len(radius_um))) * radius_um
    centre = (number + 0.5 + shift) * CRISTA_SPACING_UM
    along = centre - labels.arc_um + slant * across + rng.normal(0.0, 0.012, len(radius_um))
    return labels.offset(across, along)
