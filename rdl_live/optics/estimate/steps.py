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

_NO_FLICKER = 3.0
"""Scatter below so many times what noise explains is taken for none (and above shrunk by as much)."""
_NO_STEP = 4.0
"""Squared deviation of the phases from equal steps, relative to that which chance explains, up to which it is none:
instruments set their steps well more often than not."""

_NEWTON = 12
_EVEN_RAD = math.radians(2.0)
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

    @property
    def even(self) -> bool:
        """Whether the phases step by nearly equal angles."""
        count = len(self.phases_rad)
        offs = [
            math.remainder(phase - self.phase_rad - 2 * math.pi * step / count, 2 * math.pi)
            for step, phase in enumerate(self.phases_rad)
        ]
        return max(abs(one) for one in offs) < _EVEN_RAD


def fit_steps(bands: Bands, orientation: int, found: Modulation, chance: float = 0.0) -> Steps:
    """Fit global phase, individual phases and flicker (as far as noise allows) and modulation.

    Args:
        bands: separated bands.
        orientation: which.
        found: amplitudes at its k0.
        chance: amplitude that the frames' mean shows where there are no stripes; see `chance_amplitudes`.
    """
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
    noise = math.sqrt(2 / count) * found.sigma / max(abs(centre), 1e-12)
    # Deviations are read in the frames' mean (order 0), with more phases in another order as well.
    leak = chance / max(abs(centre), 1e-12) / (1 if count == 3 else 2)
    deviations = _step_errors(amplitudes, dirty, max(noise, leak))
    errors = [individual * value for value in deviations]
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
    return orders | ({0} if bands.groups == 1 else set())


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


def _step_errors(amplitudes: list[complex], dirty: set[int], sigma: float) -> list[float]:
    """Return how far each phase is off the equal spacing [rad], mean 0; `sigma` is the error of an order, |.| rms."""
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
    if count == 3 and 0 not in dirty:
        orders[1] = _three_uneven(_dft(amplitudes, 0) / _dft(amplitudes, 1), orders[1])
    return _real_series(count, {q: _believed(order, sigma) * order for q, order in orders.items()})


def _believed(order: complex, sigma: float) -> float:
    """Return the share of a measured deviation that is believed (James-Stein, positive part)."""
    return max(0.0, 1 - _NO_STEP * sigma**2 / abs(order) ** 2) if order else 0.0


def _three_uneven(ratio: complex, start: complex) -> complex:
    """Return the order 1 of three phases' deviations whose mean has `ratio` to their order 1: Newton, for large ones.

    The linear reading of the module's head is off by 8 degrees where steps are off by 40.
    """

    def leaves(order: complex) -> complex:
        turned = [cmath.exp(1j * value) for value in _real_series(3, {1: order})]
        return sum(z * cmath.exp(2j * math.pi * step / 3) for step, z in enumerate(turned)) / sum(turned) - ratio

    order, step = start, 1e-4
    for _ in range(_NEWTON):
        here = leaves(order)
        along, across = (leaves(order + step) - here) / step, (leaves(order + 1j * step) - here) / step
        determinant = along.real * across.imag - along.imag * across.real
        if abs(determinant) < 1e-9 or abs(order) > 1:
            return start
        change = complex(
            (here.real * across.imag - here.imag * across.real) / determinant,
            (along.real * here.imag - along.imag * here.real) / determinant,
        )
        order -= change
        if abs(change) < 1e-6:
            break
    return order if abs(order) <= 1 else start


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
