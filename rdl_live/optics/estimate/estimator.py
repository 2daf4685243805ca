"""`estimate_patterns`: from raw series to the illumination that made them."""

import cmath
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.estimate import verdict
from rdl_live.optics.estimate.bands import Bands, separate
from rdl_live.optics.estimate.correlate import significance
from rdl_live.optics.estimate.phases import Modulation, regress
from rdl_live.optics.estimate.refine import refine_k0
from rdl_live.optics.estimate.search import Peak, choose_peaks
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps, to_photons
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import Pattern, PatternSet

_LOWEST = 0.3
"""The search starts at this share of the finest pattern that the objective can make."""
_BEYOND_NA = 1.12
"""Illumination may enter at a larger NA than the detection's (TIRF): up to this factor where nothing is said."""
_QUIET_FLICKER = 0.005
"""Brightness steps between phases below this are the specimen's own (its transform at k0), not the laser's."""


def as_series(series: np.ndarray | Tensor, scope: Microscope) -> Tensor:
    """Return (T, A, P, y, x) of a series (A, P, y, x) or several; on its device, dtype kept.

    Raises:
        DataError: other axes than the microscope file says.
    """
    tensor = torch.as_tensor(np.ascontiguousarray(series) if isinstance(series, np.ndarray) else series)
    if tensor.ndim == 4:
        tensor = tensor[None]
    wanted = (scope.pattern.angles, scope.pattern.phases)
    if tensor.ndim != 5 or tuple(tensor.shape[1:3]) != wanted or min(tensor.shape) < 1:
        raise DataError(
            f"a series must have the axes (angle, phase, y, x) = {(*wanted, 'y', 'x')}, with time in front if any; "
            f"got {tuple(tensor.shape)}: reshape it, or correct pattern.angles and pattern.phases"
        )
    if tensor.shape[-1] < 16 or tensor.shape[-2] < 16:
        raise DataError(
            f"frames of {tuple(tensor.shape[-2:])} pixels are too small for SIM; use at least 16 x 16"
        )
    return tensor


def estimate_patterns(
    series: np.ndarray | Tensor,
    scope: Microscope,
    *,
    channel: Channel | None = None,
    maps: CameraMaps | None = None,
    device: torch.device | str = "cpu",
) -> PatternSet:
    """Find period, direction, phases and modulation of every orientation, and say which to trust.

    Blind unless the channel holds first guesses. Several time points are averaged where it is robust against
    motion: in the cross-correlation of the bands, not in the images.

    Args:
        series: raw ADU (angle, phase, y, x) or (time, angle, phase, y, x).
        scope: microscope; its `pattern` gives the counts of angles and phases.
        channel: colour; the first where left out.
        maps: per-pixel camera calibration.
        device: where to compute.

    Raises:
        DataError: wrong axes, or values that are not finite.
    """
    channel = channel or scope.channels[0]
    raw = as_series(series, scope).to(device)
    photons = to_photons(raw, scope.camera, maps)
    if not bool(torch.isfinite(photons).all()):
        raise DataError("the series holds values that are not finite (NaN or infinite); exclude those frames")
    otf = Otf.of(scope, channel)
    bands = separate(photons, otf, scope.pattern.harmonics, scope.camera.read_noise_e)
    lowest, highest = search_range(scope, channel)
    peaks = choose_peaks(significance(bands, lowest, highest), channel.pattern)
    anchored = any(peak is not None and peak.z >= verdict.ALONE for peak in peaks)
    guided = channel.pattern.period_um is not None and channel.pattern.angles_deg is not None
    patterns = [
        _nothing(bands, orientation, lowest, highest)
        if peak is None
        else _pattern(bands, orientation, peak, anchored or guided)
        for orientation, peak in enumerate(peaks)
    ]
    doubts = verdict.doubt_of_neighbours(patterns)
    judged = [
        pattern if not doubt or not pattern.trusted else pattern.replace(trusted=False, doubt=doubt)
        for pattern, doubt in zip(patterns, doubts, strict=True)
    ]
    return PatternSet(patterns=tuple(judged))


def search_range(scope: Microscope, channel: Channel) -> tuple[float, float]:
    """Return the smallest and largest |k0| [cycles/um] worth searching."""
    optics = scope.optics
    reach = optics.excitation_na or min(optics.immersion_index, _BEYOND_NA * optics.na)
    highest = 1.02 * 2 * reach / (channel.excitation_nm * 1e-3)
    lowest = _LOWEST * highest
    if channel.pattern.period_um is not None:
        guess = 1 / channel.pattern.period_um
        lowest, highest = min(lowest, 0.85 * guess), max(highest, 1.15 * guess)
    return lowest, min(highest, 1.9 * scope.cutoff(channel))


def _nothing(bands: Bands, orientation: int, lowest: float, highest: float) -> Pattern:
    """A placeholder for an orientation without any evidence: nominal steps, no modulation, not trusted."""
    steps = tuple(2 * math.pi * step / bands.phases for step in range(bands.phases))
    return Pattern(
        kx=math.sqrt(lowest * highest),
        ky=0.0,
        phases_rad=steps,
        modulation=(0.0,) * bands.sidebands.shape[0],
        intensity=_gains(bands, orientation),
        trusted=False,
        doubt=verdict.doubt_of_peak(0.0, False, False),
    )


@dataclass(frozen=True)
class _Steps:
    """Phases of one orientation at the image corner."""

    phases_rad: tuple[float, ...]
    modulation: float
    errors_deg: list[float]
    strengths: list[float]
    sigma: float


def _pattern(bands: Bands, orientation: int, peak: Peak, anchored: bool) -> Pattern:
    k0 = refine_k0(bands, orientation, (peak.kx, peak.ky))
    steps = _steps(regress(bands, orientation, k0), _dirty_orders(bands))
    doubt = verdict.doubt_of_peak(peak.z, peak.predicted, anchored) or verdict.doubt_of_frames(
        steps.errors_deg, steps.strengths, steps.sigma, steps.modulation
    )
    depths = [steps.modulation]
    for harmonic in range(2, bands.sidebands.shape[0] + 1):
        depths.append(_depth(regress(bands, orientation, k0, harmonic=harmonic), steps.phases_rad, harmonic))
    return Pattern(
        kx=k0[0],
        ky=k0[1],
        phases_rad=steps.phases_rad,
        modulation=tuple(min(max(depth, 0.0), 2.0) for depth in depths),
        intensity=_gains(bands, orientation),
        score=peak.z,
        trusted=not doubt,
        doubt=doubt,
    ).canonical()


def _dirty_orders(bands: Bands) -> set[int]:
    """Orders of the phase DFT of the amplitudes that other bands leak into.

    Inside the overlap H S(k + h k0) and the higher bands are unknown and would add degrees of error. With one
    orientation the frames' mean serves as widefield, so that order 0 vanishes whatever the steps are.
    """
    harmonics = bands.sidebands.shape[0]
    orders = {order % bands.phases for order in (*range(-harmonics, 0), *range(2, harmonics + 1))}
    return orders | ({0} if bands.angles == 1 else set())


def _steps(found: Modulation, dirty: set[int]) -> _Steps:
    """Fit global phase, individual phases (as far as the noise allows) and modulation to the amplitudes."""
    count = len(found.amplitudes)
    nominal = [2 * math.pi * step / count for step in range(count)]
    if not math.isfinite(found.sigma):
        return _Steps(tuple(nominal), 0.0, [0.0] * count, [0.0] * count, 0.0)
    amplitudes = [complex(z) for z in found.amplitudes]
    mean = _dft(amplitudes, 1)
    first = cmath.phase(mean)
    errors = _step_errors(amplitudes, dirty)
    sigma_phase = 2 * found.sigma / (math.sqrt(count) * max(abs(mean), 1e-12))
    # Shrink towards equal steps by the share of the scatter that noise explains (James-Stein, positive part).
    scatter = sum(error**2 for error in errors)
    keep = max(0.0, 1 - 2 * (count - 1) * sigma_phase**2 / scatter) if scatter else 0.0
    phases = tuple(
        math.remainder(first + step + keep * error, 2 * math.pi)
        for step, error in zip(nominal, errors, strict=True)
    )
    raw = [
        math.degrees(cmath.phase(z * cmath.exp(-1j * step) * mean.conjugate())) if z and mean else 0.0
        for z, step in zip(amplitudes, nominal, strict=True)
    ]
    strengths = [2 * abs(z) for z in amplitudes]
    return _Steps(phases, _depth(found, phases, 1), raw, strengths, 2 * found.sigma)


def _dft(values: list[complex], order: int) -> complex:
    """Mean of values x exp(-2 pi i order j / P)."""
    turn = -2j * math.pi * order / len(values)
    return sum(value * cmath.exp(turn * step) for step, value in enumerate(values)) / len(values)


def _step_errors(amplitudes: list[complex], dirty: set[int]) -> list[float]:
    """Return how far each phase is off the equal spacing [rad], mean 0.

    z_j = c exp(i theta_j) (1 + i delta_j): the DFT of z at order 1 - q is i c times delta's at q, and at 1 + q i c
    times its conjugate. Of the two, a dirty order is left out where the other one is clean.
    """
    count = len(amplitudes)
    scale = 1j * _dft(amplitudes, 1)
    if scale == 0:
        return [0.0] * count
    errors = [0.0] * count
    for q in range(1, count // 2 + 1):
        below, above = (1 - q) % count, (1 + q) % count
        estimates = {
            below: _dft(amplitudes, below) / scale,
            above: (_dft(amplitudes, above) / scale).conjugate(),
        }
        clean = [value for order, value in estimates.items() if order not in dirty]
        chosen = clean or list(estimates.values())
        delta = sum(chosen) / len(chosen)
        weight = 1 if 2 * q == count else 2
        for step in range(count):
            errors[step] += weight * (delta * cmath.exp(-2j * math.pi * q * step / count)).real
    return errors


def _depth(found: Modulation, phases_rad: tuple[float, ...], harmonic: int) -> float:
    """Return the modulation depth: twice the amplitudes' mean along the known phases."""
    if not math.isfinite(found.sigma):
        return 0.0
    along = [
        (complex(z) * cmath.exp(-1j * harmonic * phase)).real
        for z, phase in zip(found.amplitudes, phases_rad, strict=True)
    ]
    return 2 * sum(along) / len(along)


def _gains(bands: Bands, orientation: int) -> tuple[float, ...]:
    """Relative brightness of one orientation's frames, without what is only the specimen's own structure."""
    frames = bands.intensity[orientation]
    mean = float(frames.mean())
    if mean <= 0:
        return (1.0,) * bands.phases
    flicker = [float(value) / mean - 1 for value in frames]
    power = sum(value**2 for value in flicker) / len(flicker)
    keep = power / (power + _QUIET_FLICKER**2)
    return tuple(mean * (1 + keep * value) for value in flicker)
