"""Fluorescent beads far below the resolution: the point sources of a calibration slide."""

import numpy as np

from rdl_live.specimen.cloud import Cloud, Motion
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

PER_AREA = 0.35
"""Typical number per area [1 / um^2]."""
RADIUS_UM = 0.02
LABELS = 24
"""Fluorophores a bead."""


@kind("beads")
def beads(domain: Domain) -> list[Cloud]:
    """Strew beads over the domain: balls seen from above, nearly equal, now and then two at one place."""
    rng = domain.rng
    count = domain.count(PER_AREA)
    place = domain.places(count)
    pairs = rng.random(count) < 0.06
    place[pairs] += rng.normal(0.0, 0.06, (int(pairs.sum()), 2))
    direction = rng.normal(0.0, 1.0, (count, LABELS, 3))
    direction /= np.linalg.norm(direction, axis=2, keepdims=True)
    ball = direction[:, :, :2] * (RADIUS_UM * np.cbrt(rng.random((count, LABELS, 1))))
    size = np.repeat(rng.normal(1.0, 0.08, count).clip(0.5, 1.5), LABELS) * np.repeat(1.0 + pairs, LABELS)
    member = np.repeat(np.arange(count), LABELS)
    return [Cloud((place[:, None] + ball).reshape(-1, 2), size, member, Motion(drift=1.0, flow=0.0))]
