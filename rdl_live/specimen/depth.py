"""Structures in depth: how far each fluorophore lies above the coverslip, and how much light arrives there."""

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from rdl_live.specimen.cloud import Cloud
    from rdl_live.specimen.domain import Domain

Falls = Callable[[Tensor], Tensor]
"""Depths [um] -> the share of the light at the coverslip that arrives there, of the same shape."""

EDGES_UM = (0.0, 0.2, 0.5, 1.0, 1.7, 2.6, 4.0, 7.0, math.inf)
"""Slabs that are drawn apart; each is out of focus as its middle is [um]."""
SLOPE_UM = 25.0
"""Way over which a structure rises from the coverslip to the top and comes back [um]."""


def slabs(depth_um: float) -> list[tuple[float, float]]:
    """Return lower and upper edge of the slabs of a specimen of some depth [um]."""
    return [(low, min(high, depth_um)) for low, high in itertools.pairwise(EDGES_UM) if low < max(depth_um, 1e-9)]


def heights(cloud: "Cloud", domain: "Domain", depth_um: float, rng: np.random.Generator) -> Tensor:
    """Return how far every fluorophore lies above the coverslip, (n,) float32 [um], evenly spread over the depth.

    Members begin anywhere and rise and fall slowly along one direction of the torus, so that a long one crosses the
    light's depth of penetration.
    """
    members = int(cloud.member.max(initial=0)) + 1
    angle = rng.uniform(0, 2 * math.pi)
    y, x = domain.size_um
    waves = np.rint(np.array([x * math.cos(angle), y * math.sin(angle)]) / SLOPE_UM)
    turns = cloud.position_um @ (waves / np.array([x, y])) + rng.random(members)[cloud.member]
    return torch.as_tensor(depth_um * 2 * np.abs(turns - np.rint(turns))).to(torch.float32)


def mean_share(falls: Falls | None, depth_um: float) -> float:
    """Return the share of the light in the mean over a depth [um]."""
    if falls is None:
        return 1.0
    return float(falls((torch.arange(256) + 0.5) * (depth_um / 256)).mean())
