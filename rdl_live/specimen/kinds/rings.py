"""Clathrin-coated pits: rings of 60 to 150 nm radius that wander, and younger, smaller spots."""

import numpy as np

from rdl_live.specimen.cloud import Cloud, Motion
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

PER_AREA = 0.9
"""Typical number per area [1 / um^2]."""
LABELS = 96
"""Fluorophores a ring."""
YOUNG = 0.3
"""Share of those that are still too small to show a hole."""
COAT_UM = 0.012
"""Thickness of the coat with its labels (standard deviation) [um]."""


@kind("rings")
def rings(domain: Domain) -> list[Cloud]:
    """Grow rings over the domain: domes seen from above, bright at the rim."""
    rng = domain.rng
    count = domain.count(PER_AREA)
    young = rng.random(count) < YOUNG
    radius = np.where(young, rng.uniform(0.02, 0.06, count), np.clip(rng.normal(0.095, 0.02, count), 0.06, 0.15))
    angle = rng.uniform(0.0, 2 * np.pi, (count, LABELS))
    # On a dome a part of the coat is seen from above, inside the rim.
    reach = np.where(rng.random((count, LABELS)) < 0.2, np.sqrt(rng.random((count, LABELS))), 1.0)
    reach = radius[:, None] * reach + rng.normal(0.0, COAT_UM, (count, LABELS))
    flattening = rng.uniform(0.75, 1.0, count)[:, None]
    tilt = rng.uniform(0.0, np.pi, count)[:, None]
    u, v = reach * np.cos(angle), flattening * reach * np.sin(angle)
    x = u * np.cos(tilt) - v * np.sin(tilt)
    y = u * np.sin(tilt) + v * np.cos(tilt)
    position = domain.places(count, clumping=0.3)[:, None] + np.stack([x, y], axis=2)
    coat = rng.lognormal(0.0, 0.3, count) * radius / 0.095
    brightness = coat[:, None] * rng.gamma(2.0, 0.5, (count, LABELS))
    member = np.repeat(np.arange(count), LABELS)
    return [Cloud(position.reshape(-1, 2), brightness.ravel(), member, Motion(drift=0.98, flow=0.2))]
