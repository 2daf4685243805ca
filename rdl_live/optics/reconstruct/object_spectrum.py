"""The specimen's own power spectrum, read off rings of a series' bands by their likelihood.

A ring of n samples holds the mean power P, of expectation mu = N g + S g2 (noise N g, object S through the transfer
g2), and P / mu has a gamma distribution of n degrees (Whittle 1953). ln S is taken to be a quadratic in ln k and found
by Fisher scoring. All rings count, those without a signal too: choosing those that stand out of the noise would select
the luckiest ones, and damp the dimmest series too little.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_STEPS = 40
_LARGEST_STEP = 1.0
"""Of ln S, in one step of the scoring."""
_SLOPE, _SLOPE_SIGMA = -3.0, 2.0
"""What is known of d ln S / d ln k beforehand: between the -1 of a filament and the -6 of a smooth body."""
_BEND_SIGMA = 1.0
"""And of half its change."""
_LEVEL_SIGMA = 10.0
_SHOWN = 1.0
"""Standard deviations that the fitted signal of a ring must reach to be seen; beyond the last such ring ln S falls
along its tangent."""
_STEEPNESS = -1.0
"""Least steep such tangent."""
_TINY = 1e-300


@dataclass(frozen=True)
class Rings:
    """The rings of a half-plane, each (n,) float64."""

    k: Tensor
    """Relative to the detection cut-off."""
    sizes: Tensor
    """Samples, each of which has two in the half-plane's other half or is real."""
    power: Tensor
    """Mean power P."""
    noise: Tensor
    """N g."""
    transfer: Tensor
    """g2."""
    inside: Tensor
    """Which to use, bool."""


def fitted_spectrum(rings: Rings) -> Tensor:
    """Return S of every ring, (n,) float64, above 0; next to nothing where there is only noise."""
    inside = rings.inside
    lowest = rings.k[inside].min() if bool(inside.any()) else rings.k[1:].min()
    x = rings.k.clamp(min=float(lowest)).log()
    if int(inside.sum()) < 4:
        return torch.full_like(x, _TINY)
    basis = torch.stack([torch.ones_like(x), x, x * x], dim=1)
    columns = (rings.power, rings.noise, rings.transfer, rings.sizes)
    found = _scored(basis[inside], *(one[inside] for one in columns))
    c0, c1, c2 = found.tolist()
    signal = (c0 + c1 * x + c2 * x * x).exp() * rings.transfer
    shown = inside & (signal * rings.sizes.sqrt() > _SHOWN * (rings.noise + signal))
    low, high = (float(x[shown].min()), float(x[shown].max())) if bool(shown.any()) else (float(lowest.log()),) * 2
    within = x.clamp(low, high)
    value = c0 + c1 * within + c2 * within**2
    value += torch.where(x > high, min(c1 + 2 * c2 * high, _STEEPNESS) * (x - high), 0.0)
    spectrum: Tensor = value.exp().clamp(min=_TINY)
    return spectrum


def _scored(basis: Tensor, power: Tensor, noise: Tensor, transfer: Tensor, sizes: Tensor) -> Tensor:
    """Return the coefficients (3,) of the likeliest ln S over the rings (n,)."""
    excess = ((power - noise) * sizes).sum() / (transfer * sizes).sum()
    sigma = (noise * sizes.sqrt()).norm() / (transfer * sizes).sum()
    start = torch.maximum(excess, sigma).clamp(min=_TINY).log()
    prior = torch.stack([start, start.new_tensor(_SLOPE), start.new_tensor(0.0)])
    stiffness = start.new_tensor([_LEVEL_SIGMA, _SLOPE_SIGMA, _BEND_SIGMA]) ** -2
    found = prior.clone()
    for _ in range(_STEPS):
        signal = (basis @ found).exp() * transfer
        expected = noise + signal
        share = signal / expected
        gradient = basis.T @ (sizes * share * (power - expected) / expected) - stiffness * (found - prior)
        curvature = basis.T @ (basis * (sizes * share**2)[:, None]) + torch.diag(stiffness)
        step = torch.linalg.solve(curvature, gradient)
        change = float((basis @ step).abs().max())
        found = found + step * min(1.0, _LARGEST_STEP / max(change, 1e-12))
        if change < 1e-3:
            break
    return found
