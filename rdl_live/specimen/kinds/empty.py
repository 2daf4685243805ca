"""Next to nothing: a few grains of dye on the glass, as where a field holds no cell."""

import numpy as np

from rdl_live.specimen.cloud import Cloud, Motion
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import kind

PER_AREA = 0.004
"""Typical number of grains per area [1 / um^2]: less than one in most fields."""


@kind("empty")
def empty(domain: Domain) -> list[Cloud]:
    """Grow a few grains, often none."""
    rng = domain.rng
    count = int(rng.poisson(PER_AREA * domain.density * domain.area_um2))
    place = domain.places(count)
    return [Cloud(place, rng.gamma(2.0, 0.5, count), np.arange(count), Motion(drift=1.0, flow=0.0))]
