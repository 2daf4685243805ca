"""From the complex amplitudes of the frames to phases, modulation and brightness of one orientation.

Deviations are read in the phase DFT: with z_j = c exp(i theta_j) (1 + i delta_j) and theta_j the equal steps, order
1 - q of z holds i c times delta's order q, and order 1 + q i c times its conjugate. Inside the overlap the opposite
sideband H S(k + k0) is unknown; it follows exp(-i phi_j) and so spoils order -1 alone (degrees of error, if
frames were read one by one), and of each pair the other order tells the same.
"""

import cmath
import math
from dataclasses import dataclass

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.phases import Modulation

_NO_STEP = 2.0
_NO_FLICKER = 3.0
"""Scatter below so many times what noise explains is taken for none (and above shrunk by as much)."""

_NOMINAL_BELOW, _INDIVIDUAL_ABOVE = 10.0, 20.0
"""Amplitude over its standard error between which frames gain a phase and a brightness of their own: there an error
of 6 to 3 degrees is left to each, as much as real steps are off."""


@dataclass(frozen=True)
class Steps:
    """The frames of one orientation."""

    phases_rad: tuple[float, ...]
    """At the image corner."""
    phase_rad: float
    """That of the first step, were all steps equal: the mean of all."""
    modulation: float
    intensity: tuple[float, ...]
    """Brightness relative to the mean of the series."""
    levels: list[float]
    """Mean of every frame as measured, relative to the series."""
    errors_deg: list[float]
    """Deviation of every frame as measured, without regard to leaks and noise."""
    strengths: list[float]
    """Modulation of every frame by itself."""
    leak: float
    """Modulation in the phase DFT's orders that equal steps leave empty, the largest."""
    sigma: float
    """Standard error of a strength."""
    scale_sigma: float
    """Relative standard error that all strengths and the modulation have in common."""


def fit_steps(bands: Bands, orientation: int, found: Modulation) -> Steps:
    """Fit global phase, individual phases and flicker (as far as noise allows) and modulation."""
    count = bands.phases
    nominal = [2 * math.pi * step / count for step in range(count)]
    means = [float(value) for value in bands.intensity[orientation]]
    mean = sum(means) / count
    if not math.isfinite(found.sigma) or mean <= 0:
        return Steps(tuple(nominal), 0.0, 0.0, (1.0,) * count, means, [0.0] * count, [0.0] * count, 0.0, 0.0, 0.0)
    dirty = _dirty_orders(bands)
    relative = [value / mean for value in means]
    strength = abs(sum(complex(z) * cmath.exp(-1j * step) for z, step in zip(found.amplitudes, nominal, strict=True)))
    certainty = strength / (count * found.sigma) if found.sigma > 0 else math.inf
    individual = min(max((certainty - _NOMINAL_BELOW) / (_INDIVIDUAL_ABOVE - _NOMINAL_BELOW), 0.0), 1.0)
    flicker = [individual * value for value in _flicker(relative, found, dirty)]
    # The frames were brought to equal means; what the light did not do, the specimen did: undo that part.
    amplitudes = [
        complex(z) * own / (1 + light) for z, own, light in zip(found.amplitudes, relative, flicker, strict=True)
    ]
    centre = _dft(amplitudes, 1)
    sigma_phase = 2 * found.sigma / (math.sqrt(count) * max(abs(centre), 1e-12))
    errors = [individual * value for value in _shrunk(_step_errors(amplitudes, dirty), sigma_phase, _NO_STEP)]
    first = cmath.phase(centre)
    phases = tuple(
        math.remainder(first + step + error, 2 * math.pi) for step, error in zip(nominal, errors, strict=True)
    )
    raw = [
        math.degrees(cmath.phase(z * cmath.exp(-1j * step) * centre.conjugate())) if z and centre else 0.0
        for z, step in zip(amplitudes, nominal, strict=True)
    ]
    return Steps(
        phases_rad=phases,
        phase_rad=first,
        modulation=_depth(amplitudes, phases),
        intensity=tuple(mean * (1 + value) for value in flicker),
        levels=means,
        errors_deg=raw,
        strengths=[2 * abs(z) for z in amplitudes],
        leak=max((2 * abs(_dft(amplitudes, order)) for order in range(count) if order not in {1, *dirty}), default=0.0),
        sigma=2 * found.sigma,
        scale_sigma=found.scale_sigma,
    )


def _depth(amplitudes: list[complex], phases_rad: tuple[float, ...]) -> float:
    """Return the modulation depth: twice the amplitudes' mean along the known phases."""
    along = [(z * cmath.exp(-1j * phase)).real for z, phase in zip(amplitudes, phases_rad, strict=True)]
    return 2 * sum(along) / len(along)


def _dirty_orders(bands: Bands) -> set[int]:
    """Orders of the phase DFT that unknown bands leak into.

    With one orientation the frames' mean serves as widefield, so that order 0 vanishes whatever the steps are.
    """
    orders = {order % bands.phases for order in (*range(-bands.harmonics, 0), *range(2, bands.harmonics + 1))}
    return orders | ({0} if bands.angles == 1 else set())


def _dft(values: list[complex], order: int) -> complex:
    """Mean of values x exp(-2 pi i order j / P)."""
    turn = -2j * math.pi * order / len(values)
    return sum(value * cmath.exp(turn * step) for step, value in enumerate(values)) / len(values)


def _real_series(count: int, orders: dict[int, complex]) -> list[float]:
    """Real, mean-free values with the given DFT at orders 1 ... P // 2."""
    values = [0.0] * count
    for order, coefficient in orders.items():
        weight = 1 if 2 * order == count else 2
        for step in range(count):
            values[step] += weight * (coefficient * cmath.exp(2j * math.pi * order * step / count)).real
    return values


def _clean_mean(estimates: dict[int, complex], dirty: set[int]) -> complex:
    """Mean of the estimates whose order is not dirty; 0 where all are, for they would tell of the specimen."""
    clean = [value for order, value in estimates.items() if order not in dirty]
    return sum(clean) / len(clean) if clean else 0j


def _shrunk(deviations: list[float], sigma: float, least: float) -> list[float]:
    """Shrink towards 0 by the share of the scatter that noise explains (James-Stein, positive part)."""
    scatter = sum(value**2 for value in deviations)
    explained = least * (len(deviations) - 1) * sigma**2
    keep = max(0.0, 1 - explained / scatter) if scatter else 0.0
    return [keep * value for value in deviations]


def _step_errors(amplitudes: list[complex], dirty: set[int]) -> list[float]:
    """Return how far each phase is off the equal spacing [rad], mean 0."""
    count = len(amplitudes)
    scale = 1j * _dft(amplitudes, 1)
    if scale == 0:
        return [0.0] * count
    orders = {}
    for q in range(1, count // 2 + 1):
        below, above = (1 - q) % count, (1 + q) % count
        estimates = {
            below: (_dft(amplitudes, below) / scale).conjugate(),
            above: _dft(amplitudes, above) / scale,
        }
        orders[q] = _clean_mean(estimates, dirty)
    return _real_series(count, orders)


def _flicker(relative: list[float], found: Modulation, dirty: set[int]) -> list[float]:
    """Return the light's deviation from its mean in every frame.

    Args:
        relative: mean of every frame / mean of all; holds the light and what the pattern does to the specimen's mean.
        found: brightness of the equalised frames in their overlap, free of the latter.
        dirty: orders not to use.
    """
    count = len(relative)
    brightness = [complex(u) for u in found.brightness]
    level = _dft(brightness, 0).real
    if level <= 0:
        return [0.0] * count
    orders = {
        q: _clean_mean({q: _dft(brightness, q), -q % count: _dft(brightness, -q).conjugate()}, dirty - {0})
        for q in range(1, count // 2 + 1)
    }
    factor = [1 + value / level for value in _real_series(count, orders)]
    light = [own * scale for own, scale in zip(relative, factor, strict=True)]
    centre = sum(light) / count
    sigma = 2 * found.brightness_sigma / (level * math.sqrt(count))
    return _shrunk([value / centre - 1 for value in light], sigma, _NO_FLICKER)
