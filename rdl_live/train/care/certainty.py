"""How sure CARE's networks are on what is held out: the calibration of their scale, and what counts as unusual."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_models.laplace import INTERVAL_90

USUAL = 0.99
"""Share of the held-out voxels that are surer than what is called low confidence."""
_MOST_VOXELS = 2_000_000
_FACTORS = (0.25, 4.0)


@dataclass(frozen=True)
class Certainty:
    """Measured on held-out patches."""

    coverage: float
    """Share of the targets within the nominal 90 % interval, before the calibration."""
    factor: float
    """By which the scale is to be multiplied, so that it is 90 %."""
    sigma_limit: float
    """Calibrated scale, relative to the span of the targets, that `USUAL` of the voxels do not exceed."""
    disagreement_limit: float | None
    """Disagreement that `USUAL` of the voxels do not exceed; None of a single network."""

    @property
    def scores(self) -> dict[str, float]:
        """For the card."""
        found = {
            "coverage_90_uncalibrated": round(self.coverage, 4),
            "sigma_limit": self.sigma_limit,
        }
        return found if self.disagreement_limit is None else {**found, "disagreement_limit": self.disagreement_limit}


def measured(said: Iterable[tuple[Tensor, Tensor]]) -> Certainty:
    """Measure.

    Args:
        said: what the networks say of each held-out patch (parts, ...), at least mean and scale; and its target (...);
            all but the disagreement in units of the span of the targets.
    """
    quotients, scales, disagreements = [], [], []
    for parts, target in said:
        quotients.append(((target - parts[0]).abs() / parts[1]).flatten())
        scales.append(parts[1].flatten())
        if len(parts) > 2:
            disagreements.append(parts[2].flatten())
    quotient = _thinned(quotients)
    factor = float(quotient.quantile(0.9)) / INTERVAL_90
    factor = min(max(factor, _FACTORS[0]), _FACTORS[1])
    return Certainty(
        coverage=float((quotient <= INTERVAL_90).float().mean()),
        factor=factor,
        sigma_limit=factor * float(_thinned(scales).quantile(USUAL)),
        disagreement_limit=float(_thinned(disagreements).quantile(USUAL)) if disagreements else None,
    )


def _thinned(parts: list[Tensor]) -> Tensor:
    """Return at most so many of the values, evenly taken; quantiles of more take long."""
    values = torch.cat(parts)
    return values[:: max(1, len(values) // _MOST_VOXELS)]
