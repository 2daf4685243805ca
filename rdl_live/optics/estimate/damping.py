"""How far the real OTF lies below (or above) the assumed one, from the overlap of widefield and sidebands.

With H exp(-a |k| - b |k|^2) for an assumed H, the sideband holds H(k) S(k - k0) and the widefield, moved to it,
H(k - k0) S(k - k0). Brought to equal assumed transfer, their quotient is

    q(k) = c exp(a (|k - k0| - |k|) + b (|k - k0|^2 - |k|^2)),     c = m / 2 exp(i phi),

whatever the specimen S is. One of the two is fitted to all orientations together, the one that fits better, by least
squares on sums over cells of equal |k - k0| and |k|; the scatter of these about the fit gives the error. a stands for
scatter, vibration and aberrations; b for a pixel's MTF that is not there (b = -(pi pixel)^2 / 6) or a Gaussian blur.
Both at once run away in dim light and follow small errors in bright light: they are taken only where neither will do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.optics.estimate.bands import Bands, over_time, power
from rdl_live.optics.estimate.estimator import bands_of, estimate_patterns
from rdl_live.optics.estimate.refine import Overlap
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import PatternSet

_STRIPS, _RINGS = 24, 6
"""Cells by (|k - k0| - |k|) / cut-off between -_REACH and _REACH, and by (|k - k0| + |k|) / cut-off up to 2."""
_REACH = 0.9
_SIGMAS = 4.0
"""What is smaller than so many standard errors is none."""
_LEAST = 0.03
"""And a factor this near to 1 at the cut-off changes no image."""
_BOUNDS = (-0.4, 1.5)
"""Of -ln of the factor at the cut-off. A pixel that does not integrate gives -0.25 at the camera's usual sampling; a
strongly aberrated objective 1.2."""
_SEARCHED = 3.0
_LEAST_SAMPLES = 8
"""Of the spectrum, in a cell: the power of fewer says too little of their own error."""
_BETTER = 0.6
"""Both terms must lower chi^2 to this share of the better one's: where one is right they lower it to 0.83 at least, for
windows and leaks scatter more than noise in bright light; where both are there, to 0.4."""
_LINEAR, _SQUARE, _BOTH = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)
_MOST_ERROR = 0.12
"""Of the same: a recording with a larger error says nothing."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Damping:
    """What a recording says of the factor exp(-a |k| - b |k|^2) on its OTF, relative to the OTF that was assumed."""

    a_um: float
    """[um]; negative where the real OTF passes more."""
    b_um2: float
    """[um^2]."""
    slope_um: float
    """a of exp(-a |k|) alone [um]."""
    sigma_um: float
    """Its standard error [um]; infinite where nothing can be said."""

    @property
    def told(self) -> bool:
        """Whether there is anything to be corrected."""
        return bool(self.a_um or self.b_um2)


UNKNOWN = Damping(0.0, 0.0, 0.0, math.inf)


@dataclass(frozen=True)
class _Cells:
    """Sums over the cells of one orientation: (cells,) each."""

    first: Array
    """Mean of (|k - k0| - |k|) / cut-off."""
    second: Array
    """Mean of (|k - k0|^2 - |k|^2) / cut-off^2."""
    strength: Array
    """Power of the widefield's structure."""
    product: Array
    """Real part of sideband x conj(widefield), its phase taken off."""
    sigma: Array
    """Standard error of `product`, given the widefield."""


@dataclass(frozen=True)
class _Fit:
    """A fit of a or b."""

    values: tuple[float, float]
    """a and b, in units of the cut-off."""
    error: float
    """Standard error of their sum."""
    misfit: float
    """chi^2."""

    @property
    def loss(self) -> float:
        """-ln of the factor at the cut-off."""
        return sum(self.values)


def estimate_damping(bands: Bands, patterns: PatternSet) -> Damping:
    """Fit one damping to all trusted orientations.

    Args:
        bands: separated bands, under the assumed OTF.
        patterns: the illumination found in them.
    """
    cells = [_cells(bands, number, (one.kx, one.ky)) for number, one in enumerate(patterns) if one.trusted]
    cells = [one for one in cells if len(one.first) > 4]
    if not cells:
        return UNKNOWN
    cutoff = bands.otf.cutoff
    linear, square, both = (_fit(cells, mask) for mask in (_LINEAR, _SQUARE, _BOTH))
    best = min(linear, square, key=lambda fit: fit.misfit)
    if both.misfit < _BETTER * best.misfit and both.error < _MOST_ERROR:
        best = both
    slope, sigma = linear.loss / cutoff, linear.error / cutoff
    if max(best.error, linear.error) > _MOST_ERROR:
        return UNKNOWN
    if abs(best.loss) < max(_LEAST, _SIGMAS * best.error):
        return Damping(0.0, 0.0, slope, sigma)
    share = min(max(best.loss, _BOUNDS[0]), _BOUNDS[1]) / best.loss
    return Damping(share * best.values[0] / cutoff, share * best.values[1] / cutoff**2, slope, sigma)


def damped_channel(
    series: np.ndarray | torch.Tensor,
    scope: Microscope,
    patterns: PatternSet,
    channel: Channel,
    *,
    maps: CameraMaps | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Channel, Damping]:
    """Return the channel with the OTF that series show it to have, and what they say.

    The channel is the given one where nothing has to be corrected. The patterns' contrast depends on the OTF: estimate
    them again if it is another.

    Args:
        series: raw ADU (angle, phase, y, x) or (time, angle, phase, y, x).
        scope: microscope.
        patterns: found in the series under the channel's OTF.
        channel: colour.
        maps: per-pixel camera calibration.
        device: where to compute.

    Raises:
        DataError: wrong axes, or values that are not finite.
    """
    if not any(one.trusted for one in patterns):
        return channel, UNKNOWN
    found = estimate_damping(bands_of(series, scope, channel, maps, device), patterns)
    if not found.told:
        return channel, found
    a, b = channel.otf_damping
    return channel.replace(otf_damping=(a + found.a_um, b + found.b_um2)), found


def estimate_with_otf(
    series: np.ndarray | torch.Tensor,
    scope: Microscope,
    channel: Channel,
    *,
    maps: CameraMaps | None = None,
    device: torch.device | str = "cpu",
) -> tuple[PatternSet, Channel]:
    """Estimate patterns, and again where the series show another OTF than the channel's: contrast depends on it.

    Args:
        series: raw ADU (angle, phase, y, x) or (time, angle, phase, y, x).
        scope: microscope.
        channel: colour.
        maps: per-pixel camera calibration.
        device: where to compute.

    Returns:
        The patterns, and the channel with the OTF that goes with them.

    Raises:
        DataError: wrong axes, or values that are not finite.
    """
    patterns = estimate_patterns(series, scope, channel=channel, maps=maps, device=device)
    shown, found = damped_channel(series, scope, patterns, channel, maps=maps, device=device)
    if found.told:
        patterns = estimate_patterns(series, scope, channel=shown, maps=maps, device=device)
    return patterns, shown


def _freedom(cells: Sequence[_Cells]) -> int:
    return max(sum(len(one.first) - 1 for one in cells) - 1, 1)


def _cells(bands: Bands, orientation: int, k0: tuple[float, float]) -> _Cells:
    """Sum sideband and widefield of an orientation cell by cell."""
    overlap, cutoff = Overlap(bands, k0), bands.otf.cutoff
    away, near = overlap.distances()
    here, there = overlap.weighted_here, overlap.weighted_there
    moved = overlap.moved(bands.widefield, k0).mul_(here)
    product = over_time(overlap.cut(bands.spectra[1][:, orientation]) * there * moved.conj())
    floor = bands.wide_floor * bands.times
    noise = floor * power(here)
    filtered = over_time(power(moved))
    # A sample that is small by chance is not known better for it.
    spread = torch.maximum(filtered, noise) * power(there) * (float(bands.floor[orientation]) / bands.phases)
    side, total = (away - near) / cutoff, (away + near) / cutoff
    lowest = math.hypot(*k0) / cutoff
    strip = ((side / _REACH + 1) * (_STRIPS / 2)).floor()
    ring = ((total - lowest) * (_RINGS / (2 - lowest))).floor().clamp_(0, _RINGS - 1)
    inside = (overlap.weight > 0) & (strip >= 0) & (strip < _STRIPS)
    index = (strip * _RINGS + ring)[inside].long()

    def summed(values: torch.Tensor) -> Array:
        return np.asarray(torch.bincount(index, values[inside].double(), _STRIPS * _RINGS).numpy())

    count = summed(torch.ones_like(side))
    full = count >= _LEAST_SAMPLES
    count = count[full]
    cross = (summed(product.real) + 1j * summed(product.imag))[full]
    phase = cross.sum()
    turned = (cross * (phase.conjugate() / abs(phase))).real if phase else cross.real
    strength = summed(filtered - noise)[full]
    # What is not known of the widefield, times the depth, is an error of the product, too.
    depth = float(turned.sum() / strength.sum()) if strength.sum() > 0 else 0.0
    known = summed(noise * (2 * filtered - noise).clamp(min=noise))[full]
    return _Cells(
        summed(side)[full] / count,
        summed(side * total)[full] / count,
        strength,
        turned,
        np.sqrt(summed(spread)[full] / 2 + depth**2 * known) + 1e-30,
    )


def _fit(cells: Sequence[_Cells], terms: tuple[float, float]) -> _Fit:
    """Fit product = c exp(a first + b second) strength: c of each orientation, a and b, where asked for, for all."""
    from scipy.optimize import least_squares  # half a second: a window and a recorder start without it

    count, mask = len(cells), np.array(terms) > 0
    sides = [np.stack([one.first, one.second])[mask] for one in cells]
    start = [max(_slope(one), 1e-3) for one in cells]

    def residual(values: Array) -> Array:
        parts = zip(values, cells, sides, strict=False)
        return np.concatenate(
            [
                (scale * np.exp(values[count:] @ side) * one.strength - one.product) / one.sigma
                for scale, one, side in parts
            ]
        )

    free = int(mask.sum())
    limits = np.array([np.inf] * count + [_SEARCHED] * free)
    found = least_squares(residual, [*start, *[0.0] * free], bounds=(-limits, limits), x_scale="jac")
    misfit = 2 * float(found.cost)
    spread = np.linalg.pinv(found.jac.T @ found.jac) * max(misfit / _freedom(cells), 1.0)
    values = np.zeros(2)
    values[mask] = found.x[count:]
    error = math.sqrt(max(float(spread[count:, count:].sum()), 0.0))
    return _Fit((float(values[0]), float(values[1])), error, misfit)


def _slope(one: _Cells) -> float:
    """Return the depth of an orientation's stripes, were the OTF as assumed."""
    weight = one.strength / one.sigma**2
    return float((one.product * weight).sum() / (one.strength * weight).sum())
