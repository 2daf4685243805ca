"""How far the real OTF lies below (or above) the assumed one, from the overlap of widefield and sidebands.

With H exp(-a |k| - b |k|^2) for an assumed H, the sideband holds H(k) S(k - k0) and the widefield, moved to it,
H(k - k0) S(k - k0). Brought to equal assumed transfer, their quotient is

    q(k) = c exp(a (|k - k0| - |k|) + b (|k - k0|^2 - |k|^2)),     c = m / 2 exp(i phi),

whatever the specimen S is. One of the two is fitted to all orientations together, the one that fits better, on sums
over cells of equal |k - k0| and |k|; the scatter of these about the fit gives the error. Where light is dim, the
widefield's power in a cell is as uncertain as the product: least squares would then find ever smaller quotients towards
high |k - k0|, an OTF that passes more than it does. So cells are weighed by the power that is usual at their |k - k0|,
which their own noise has no part in (an instrument: Reiersol 1945). a stands for
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
from rdl_live.optics.estimate.estimator import bands_of
from rdl_live.optics.estimate.refine import Overlap
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import Pattern, PatternSet

_STRIPS, _RINGS = 24, 6
"""Cells by (|k - k0| - |k|) / cut-off between -_REACH and _REACH, and by (|k - k0| + |k|) / cut-off up to 2."""
_REACH = 0.9
_SIGMAS = 4.0
"""By how many standard errors a recording must differ from what was measured before to overrule it."""
_IDEAL, _USUAL, _USUAL_SIGMA = 0.8, 0.25, 0.35
"""What is known beforehand of -ln of the factor at the cut-off: none at all with this chance, else a normal
distribution. What a recording says is weighed against it, so that a dim one corrects as far as it can tell and noise
seldom does: a loss that is not there costs as much as one that is overlooked."""
_LEAST = 0.03
"""And a factor this near to 1 at the cut-off changes no image."""
_BOUNDS = (-0.4, 1.5)
"""Of -ln of the factor at the cut-off. A pixel that does not integrate gives -0.25 at the camera's usual sampling; a
strongly aberrated objective 1.2."""
_SEARCHED = 3.0
_STEPS, _LONGEST, _CLOSE = 40, 0.5, 1e-5
"""Of the search: at most so many, so long, until so short; of the same."""
_LEAST_SAMPLES = 8
"""Of the spectrum, in a cell: the power of fewer says too little of their own error."""
_BETTER = 0.6
"""Both terms must lower chi^2 to this share of the better one's: where one is right they lower it to 0.83 at least, for
windows and leaks scatter more than noise in bright light; where both are there, to 0.4."""
_CLEAR = 0.12
"""Error of the same from which both terms cannot be told apart."""
_LINEAR, _SQUARE, _BOTH = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)
_MOST_ERROR = 0.3
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
    usual: Array
    """What that is in the mean of all directions."""
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


def estimate_damping(bands: Bands, patterns: PatternSet, *, settled: bool = False) -> Damping:
    """Fit one damping to all trusted orientations.

    Args:
        bands: separated bands, under the assumed OTF.
        patterns: the illumination found in them.
        settled: the assumed OTF was measured; only what is certain corrects it.
    """
    cells = [_cells(bands, number, _of_order_1(one)) for number, one in enumerate(patterns) if one.trusted]
    cells = [one for one in cells if len(one.first) > 4 and one.usual.any()]
    if not cells:
        return UNKNOWN
    cutoff = bands.otf.cutoff
    linear, square = _fit(cells, _LINEAR), _fit(cells, _SQUARE)
    best = min(linear, square, key=lambda fit: fit.misfit)
    both = _fit(cells, _BOTH) if best.error < _CLEAR else None
    if both is not None and both.misfit < _BETTER * best.misfit and both.error < _CLEAR:
        best = both
    slope, sigma = linear.loss / cutoff, linear.error / cutoff
    if max(best.error, linear.error) > _MOST_ERROR:
        return UNKNOWN
    loss = (best.loss if abs(best.loss) > _SIGMAS * best.error else 0.0) if settled else _believed(best)
    if abs(loss) < _LEAST:
        return Damping(0.0, 0.0, slope, sigma)
    share = min(max(loss, _BOUNDS[0]), _BOUNDS[1]) / best.loss
    return Damping(share * best.values[0] / cutoff, share * best.values[1] / cutoff**2, slope, sigma)


def _of_order_1(pattern: Pattern) -> tuple[float, float]:
    """Return k0 as it lies in the separated order 1: patterns that step backwards have it on the other side."""
    steps = zip(pattern.phases_rad[:-1], pattern.phases_rad[1:], strict=True)
    sign = 1 if sum(math.sin(after - before) for before, after in steps) >= 0 else -1
    return sign * pattern.kx, sign * pattern.ky


def _believed(fit: _Fit) -> float:
    """Return the mean of what the loss is after a fit, given what is known beforehand."""
    total = math.hypot(_USUAL_SIGMA, fit.error)
    ideal = _IDEAL * _normal(fit.loss, max(fit.error, 1e-9))
    damped = (1 - _IDEAL) * _normal(fit.loss - _USUAL, total)
    mean = (_USUAL * fit.error**2 + fit.loss * _USUAL_SIGMA**2) / total**2
    # Far from both, both vanish: it is then what was measured.
    return mean if ideal + damped == 0 else mean * damped / (ideal + damped)


def _normal(x: float, sigma: float) -> float:
    return math.exp(-0.5 * (x / sigma) ** 2) / sigma


def damped_channel(
    series: np.ndarray | torch.Tensor,
    scope: Microscope,
    patterns: PatternSet,
    channel: Channel,
    *,
    maps: CameraMaps | None = None,
    device: torch.device | str = "cpu",
    settled: bool = False,
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
        settled: the channel's OTF was measured, as one that has a damping was; only what is certain corrects it.

    Raises:
        DataError: wrong axes, or values that are not finite.
    """
    if not any(one.trusted for one in patterns):
        return channel, UNKNOWN
    bands = bands_of(series, scope, channel, maps, device)
    found = estimate_damping(
        bands, patterns, settled=settled or any(channel.otf_damping) or bands.otf.measured is not None
    )
    if not found.told:
        return channel, found
    a, b = channel.otf_damping
    return channel.replace(otf_damping=(a + found.a_um, b + found.b_um2)), found


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
    expected = _radial(bands, away) * power(here) * bands.times
    spread = (expected + noise) * power(there) * (float(bands.floor[orientation]) / bands.phases)
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
    known = summed(noise * (2 * expected + noise))[full]
    return _Cells(
        summed(side)[full] / count,
        summed(side * total)[full] / count,
        strength,
        summed(expected)[full],
        turned,
        np.sqrt(summed(spread)[full] / 2 + depth**2 * known) + 1e-30,
    )


def _radial(bands: Bands, away: torch.Tensor) -> torch.Tensor:
    """Return the power of the widefield's structure at |k| = `away` in the mean of all directions, one time point's."""
    grid = bands.grid
    half = bands.wide_spectrum.shape[-1]
    rings = grid.rings[:, :half].flatten()
    sizes = torch.bincount(rings, minlength=len(grid.sizes)).clamp(min=1)
    found = over_time(power(bands.wide_spectrum)).flatten() / bands.times
    profile = torch.bincount(rings, found.double(), len(sizes)) / sizes - bands.wide_floor
    step = max(bands.shape) * bands.otf.pixel_um
    smooth = torch.nn.functional.avg_pool1d(profile[None], 5, 1, 2, count_include_pad=False)[0].clamp(min=0)
    return smooth[(away * step).round().long().clamp(max=len(smooth) - 1)].float()


def _fit(cells: Sequence[_Cells], terms: tuple[float, float]) -> _Fit:
    """Fit product = c exp(a first + b second) strength: c of each orientation, a and b, where asked for, for all."""

    count, mask = len(cells), np.array(terms) > 0
    free = int(mask.sum())
    sides = [np.stack([one.first, one.second])[mask] for one in cells]
    values = np.array([*(max(_slope(one), 1e-3) for one in cells), *[0.0] * free])
    for _ in range(_STEPS):
        residual, slopes = _weighed(values, cells, sides)
        step = np.linalg.lstsq(slopes, residual, rcond=None)[0]
        # Towards a far minimum the exponential would overshoot.
        step *= min(1.0, _LONGEST / max(float(np.abs(step[count:]).max()), 1e-12))
        values += step
        values[count:] = values[count:].clip(-_SEARCHED, _SEARCHED)
        if np.abs(step[count:]).max() < _CLOSE:
            break
    residual, slopes = _weighed(values, cells, sides)
    misfit = float(residual @ residual)
    spread = np.linalg.pinv(slopes.T @ slopes) * max(misfit / _freedom(cells), 1.0)
    found = np.zeros(2)
    found[mask] = values[count:]
    error = math.sqrt(max(float(spread[count:, count:].sum()), 0.0))
    return _Fit((float(found[0]), float(found[1])), error, misfit)


def _weighed(values: Array, cells: Sequence[_Cells], sides: Sequence[Array]) -> tuple[Array, Array]:
    """Return what is left of all products (n,), and their slopes (n, values) for the usual power."""
    count = len(cells)
    left, slopes = [], []
    for number, (one, side) in enumerate(zip(cells, sides, strict=True)):
        factor = np.exp(values[count:] @ side)
        scale = values[number]
        left.append((one.product - scale * factor * one.strength) / one.sigma)
        own = np.zeros((len(factor), len(values)))
        own[:, number] = factor * one.usual / one.sigma
        own[:, count:] = (scale * factor * one.usual / one.sigma * side).T
        slopes.append(own)
    return np.concatenate(left), np.concatenate(slopes)


def _slope(one: _Cells) -> float:
    """Return the depth of an orientation's stripes, were the OTF as assumed."""
    weight = one.usual / one.sigma**2
    return float((one.product * weight).sum() / max(float((one.strength * weight).sum()), 1e-30))
