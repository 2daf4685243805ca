"""Was everything steady during the series: light, bleaching, specimen, phase steps.

The checks of SIMcheck (Ball et al., Sci. Rep. 5, 15915, 2015) on raw data, in photons.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.microscope import SeriesOrder
from rdl_live.optics.pattern import Pattern
from rdl_live.optics.quality.shift import Shift, shifts_from_first

_SURE = 3.0
"""Standard errors from which the light bleaches."""


@dataclass(frozen=True)
class Flicker:
    """Brightness of the frames, relative; 0.01 is one per cent."""

    within_orientations: float
    """Root-mean-square variation between the frames of one orientation, bleaching taken out."""
    between_orientations: float
    """(Brightest - darkest) / brightest orientation, bleaching taken out; the mean over the series."""
    shot_noise: float
    """Variation of one frame's brightness that photon noise alone would cause."""
    bleaching_per_series: float
    """Share of the light lost from one series to the next; negative if it grows."""
    bleaching_error: float
    """Standard error of the bleaching."""


def flicker(photons: Tensor, *, order: SeriesOrder = SeriesOrder.ANGLE_PHASE) -> Flicker:
    """Measure how steady the light was, and how fast the specimen bleaches.

    The frames' means are fitted by level(orientation) * exp(-rate * time), frames being equally spaced in
    time and series following one another. A sparse specimen in a small field changes its mean with the phase
    of the pattern; this cannot be distinguished from flicker. From one series alone, bleaching is known only
    within its error.

    Args:
        photons: (angle, phase, y, x) or (time, angle, phase, y, x).
        order: in which order the frames of a series were taken.

    Raises:
        ValueError: other axes, or fewer than two phases.
    """
    if photons.ndim not in (4, 5) or photons.shape[-3] < 2:
        raise ValueError(f"needs ([time,] angle, phase, y, x) with 2 phases or more, got {tuple(photons.shape)}")
    pixels = photons.shape[-1] * photons.shape[-2]
    means = photons.to(torch.float32).mean(dim=(-2, -1)).double().cpu().clamp(min=0)
    means = means.reshape(-1, *means.shape[-2:])  # (time, angle, phase)
    average = float(means.mean())
    if not average > 0:
        return Flicker(0.0, 0.0, 0.0, 0.0, 0.0)
    when = _frame_times(means.shape, order)
    rate, error = _bleaching_rate(means / average, when)
    # What stripes do to the means of a sparse specimen looks like bleaching, too; it is taken out where it is certain.
    sure = rate if abs(rate) > _SURE * error else 0.0
    steady = means * torch.exp(sure * (when - when.mean()))
    levels = steady.mean(dim=2)
    within = (steady.var(dim=2) / levels.square().clamp(min=1e-12 * average**2)).mean().sqrt()
    brightest = levels.amax(dim=1).clamp(min=1e-12 * average)
    between = ((brightest - levels.amin(dim=1)) / brightest).mean()
    shot = 1 / math.sqrt(average * pixels)
    return Flicker(float(within), float(between), shot, -math.expm1(-rate), error * math.exp(-rate))


def _frame_times(shape: torch.Size, order: SeriesOrder) -> Tensor:
    """Return when each frame was taken, (time, angle, phase), in series."""
    series, angles, phases = shape
    steps = torch.arange(angles * phases, dtype=torch.float64) / (angles * phases)
    within = steps.reshape(angles, phases) if order is SeriesOrder.ANGLE_PHASE else steps.reshape(phases, angles).T
    return torch.arange(series, dtype=torch.float64)[:, None, None] + within


def _bleaching_rate(means: Tensor, when: Tensor) -> tuple[float, float]:
    """Return rate and standard error of an exponential decay, per series; every orientation has its level.

    Least squares on the logarithm, weighted by the squared brightness, so that it is least squares on the
    brightness itself to first order and a frame that was left dark has no say.
    """
    weight = means.square()
    logarithm = means.clamp(min=1e-6).log()
    total = weight.sum(dim=(0, 2), keepdim=True).clamp(min=1e-12)
    time = when - (weight * when).sum(dim=(0, 2), keepdim=True) / total
    value = logarithm - (weight * logarithm).sum(dim=(0, 2), keepdim=True) / total
    spread = float((weight * time.square()).sum())
    if not spread > 0:
        return 0.0, 0.0
    rate = -float((weight * time * value).sum()) / spread
    free = means.numel() - means.shape[1] - 1
    residue = float((weight * (value + rate * time).square()).sum()) / max(free, 1)
    return min(max(rate, -5.0), 5.0), math.sqrt(residue / spread)


@dataclass(frozen=True)
class Motion:
    """Where the specimen was during each orientation."""

    shifts: tuple[Shift, ...]
    """Displacement of each orientation after the first from the first one."""

    @property
    def largest_um(self) -> float:
        """Largest displacement [um] among the reliable ones; 0 if there is none."""
        return max((shift.distance_um for shift in self.shifts if shift.reliable), default=0.0)

    @property
    def reliable(self) -> bool:
        """Whether every orientation could be compared."""
        return all(shift.reliable for shift in self.shifts)


def motion_between_orientations(photons: Tensor, pixel_um: float, *, max_shift_um: float | None = None) -> Motion:
    """Measure how far the specimen moved from orientation to orientation.

    The mean over the phases of an orientation is a widefield image; those of the other orientations are
    compared with the first one's.

    Args:
        photons: series (angle, phase, y, x); its noise must be white, as raw frames' is.
        pixel_um: raw pixel [um].
        max_shift_um: how far to look [um]; a quarter of the field where left out.

    Raises:
        ValueError: other axes.
    """
    if photons.ndim != 4:
        raise ValueError(f"needs a series (angle, phase, y, x), got {tuple(photons.shape)}")
    widefield = photons.to(torch.float32).mean(dim=1)
    return Motion(shifts_from_first(widefield, pixel_um, max_shift_um=max_shift_um))


def phase_step_error_deg(patterns: Iterable[Pattern]) -> float:
    """Return the root-mean-square deviation of the phases from equal steps of 360 / P degrees [degrees].

    A global phase per orientation is free, and so is the direction of the steps. Divided by P - 1, so that
    independent jitter of s degrees a frame reads s on average.

    Args:
        patterns: a `PatternSet`, or any number of patterns.

    Raises:
        ValueError: no pattern.
    """
    squares = [_step_variance(pattern.phases_rad) for pattern in patterns]
    if not squares:
        raise ValueError("needs at least one pattern")
    return math.degrees(math.sqrt(sum(squares) / len(squares)))


def _step_variance(phases_rad: tuple[float, ...]) -> float:
    """Return the variance of the phases around equal steps in the better of the two directions [rad^2]."""
    phases = torch.tensor(phases_rad, dtype=torch.float64)
    step = 2 * math.pi / len(phases_rad) * torch.arange(len(phases_rad), dtype=torch.float64)
    variances = []
    for direction in (1, -1):
        rest = phases - direction * step
        centre = torch.atan2(rest.sin().sum(), rest.cos().sum())
        deviation = torch.remainder(rest - centre + math.pi, 2 * math.pi) - math.pi
        variances.append(float((deviation - deviation.mean()).square().sum()) / (len(phases_rad) - 1))
    return min(variances)
