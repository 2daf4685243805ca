"""Bright clumps: precipitated dye, lysosomes, over-expressing spots. A few of them hold much of a field's light."""

import numpy as np

from rdl_live.specimen.cloud import Cloud, Motion
from rdl_live.specimen.domain import Domain

PER_AREA = 0.03
"""Typical number per area [1 / um^2]."""
LABELS = 400
"""Fluorophores of a clump: it is bright, not detailed."""
SMALLEST_UM, LARGEST_UM = 0.06, 0.6
"""Radii [um]."""


def aggregates(domain: Domain) -> Cloud:
    """Grow clumps over the domain: lumpy balls, few of them large."""
    rng = domain.rng
    count = max(1, int(rng.poisson(PER_AREA * domain.density * domain.area_um2)))
    radius = SMALLEST_UM * (LARGEST_UM / SMALLEST_UM) ** (rng.random(count) ** 2)
    lumps = rng.normal(0.0, 0.45, (count, 5, 2))
    which = rng.integers(5, size=(count, LABELS))
    offset = np.take_along_axis(lumps, which[:, :, None], axis=1) + rng.normal(0.0, 0.35, (count, LABELS, 2))
    position = domain.places(count)[:, None] + offset * radius[:, None, None]
    light = rng.lognormal(0.0, 0.6, count) * radius**2
    member = np.repeat(np.arange(count), LABELS)
    return Cloud(position.reshape(-1, 2), np.repeat(light / LABELS, LABELS), member, Motion(drift=0.8, flow=0.4))
