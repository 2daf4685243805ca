"""Which sums of the phase steps give the bands, and how noisy those are.

A frame of one orientation is a_j (b_0 + sum_h (b_h exp(i (h phi_j + c_h)) + conj.)); with unequal steps or flicker the
phase DFT no longer separates it, the pseudo-inverse of that matrix does (Gustafsson 2000; Wicker 2013,
10.1364/OE.21.002032).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics.pattern import Pattern, PatternSet

_WORST_CONDITION = 50.0
_DARKEST = 0.02
"""Orientations without any light count as this bright, relative to the series."""


@dataclass(frozen=True)
class Separation:
    """Linear unmixing of one orientation."""

    coefficients: Tensor
    """(1 + 2 harmonics, P) float64: rows b_0, Re b_1, Im b_1, Re b_2, ..."""
    variance: tuple[float, ...]
    """Noise variance of b_0, b_1, ... for frames of unit variance at mean brightness."""


def separation(pattern: Pattern) -> Separation:
    """Return the unmixing of one orientation's phase steps; the mean of the frames alone if it is not trusted.

    Raises:
        ConfigError: the phases are too much alike to be separated.
    """
    phases = torch.tensor(pattern.phases_rad, dtype=torch.float64)
    gains = torch.tensor(pattern.gains, dtype=torch.float64)
    harmonics = len(pattern.modulation)
    if not pattern.trusted:
        return _mean_only(float(gains.sum()), len(gains), harmonics)
    columns = [torch.ones_like(phases)]
    for harmonic in range(1, harmonics + 1):
        turns = harmonic * phases + pattern.shift_rad(harmonic)
        columns += [2 * torch.cos(turns), -2 * torch.sin(turns)]
    mixing = gains[:, None] * torch.stack(columns, dim=1)
    if bool((gains <= 0).any()) or float(torch.linalg.cond(mixing)) > _WORST_CONDITION:
        degrees = ", ".join(f"{math.degrees(phase):.0f}" for phase in pattern.phases_rad)
        raise ConfigError(
            f"phases of {degrees} degrees (brightness {', '.join(f'{gain:.2f}' for gain in pattern.gains)}) cannot be "
            "separated: the steps must differ and every frame must hold light; check the pattern display"
        )
    unmixing = torch.linalg.pinv(mixing)
    # Photon noise grows with the light: frame j has the variance a_j.
    covariance = unmixing @ torch.diag(gains) @ unmixing.T
    variance = [float(covariance[0, 0])]
    for harmonic in range(1, harmonics + 1):
        real, imag = 2 * harmonic - 1, 2 * harmonic
        variance.append(float(covariance[real, real] + covariance[imag, imag]))
    return Separation(unmixing, tuple(variance))


def shared_separation(patterns: PatternSet) -> Separation:
    """Return the unmixing of frames that hold all patterns at once, the first harmonic of each.

    Its bands are b_0 and one for every pattern, in their order; of those not trusted nothing is taken.

    Raises:
        ConfigError: the phases are too much alike to be separated.
    """
    used = [number for number, pattern in enumerate(patterns) if pattern.trusted]
    gains = torch.tensor([pattern.gains for pattern in patterns], dtype=torch.float64)
    light = gains[used].mean(dim=0) if used else gains.mean(dim=0)
    count = len(patterns)
    if not used:
        return _mean_only(float(light.sum()), len(light), count)
    columns = [torch.ones_like(light)]
    for number in used:
        phases = torch.tensor(patterns[number].phases_rad, dtype=torch.float64)
        columns += [2 * torch.cos(phases), -2 * torch.sin(phases)]
    mixing = light[:, None] * torch.stack(columns, dim=1)
    if bool((light <= 0).any()) or float(torch.linalg.cond(mixing)) > _WORST_CONDITION:
        raise ConfigError(
            "the frames cannot be taken apart into the carriers of the lattice: it must move by a seventh of its "
            "period from frame to frame, and every frame must hold light; check the steps of the pattern"
        )
    found = torch.linalg.pinv(mixing)
    covariance = found @ torch.diag(light) @ found.T
    unmixing = torch.zeros(1 + 2 * count, len(light), dtype=torch.float64)
    unmixing[0] = found[0]
    variance = [float(covariance[0, 0]), *[math.inf] * count]
    for place, number in enumerate(used):
        real = 1 + 2 * place
        unmixing[1 + 2 * number : 3 + 2 * number] = found[real : real + 2]
        variance[1 + number] = float(covariance[real, real] + covariance[real + 1, real + 1])
    return Separation(unmixing, tuple(variance))


def _mean_only(light: float, frames: int, harmonics: int) -> Separation:
    """Steps that are not trusted cannot be taken apart, but their mean is a widefield image whatever they are."""
    light = max(light, _DARKEST * frames)
    coefficients = torch.zeros(1 + 2 * harmonics, frames, dtype=torch.float64)
    coefficients[0] = 1 / light
    return Separation(coefficients, (1 / light, *[math.inf] * harmonics))
