"""`estimate_patterns`: from raw series to the illumination that made them."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.arrays import as_tensor
from rdl_live.optics.estimate import verdict
from rdl_live.optics.estimate.agree import Fit, agreeing
from rdl_live.optics.estimate.bands import Bands, Exposure, separate
from rdl_live.optics.estimate.chance import chance_amplitudes
from rdl_live.optics.estimate.correlate import find_summits
from rdl_live.optics.estimate.grid import FINE, PLAIN
from rdl_live.optics.estimate.harmonics import Seen, with_harmonics
from rdl_live.optics.estimate.local import local_shares
from rdl_live.optics.estimate.phases import Modulation, regress
from rdl_live.optics.estimate.refine import Overlap, refine_k0
from rdl_live.optics.estimate.search import Peak, choose_peaks
from rdl_live.optics.estimate.sparse import few_spots
from rdl_live.optics.estimate.steps import Steps, fit_steps
from rdl_live.optics.estimate.transfer import Profile, profile, structure_beyond
from rdl_live.optics.microscope import Channel, Microscope, PatternGuess
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import Pattern, PatternSet
from rdl_live.optics.threads import shares_cores

_LOWEST = 0.3
"""The search starts at this share of the finest pattern that the objective can make."""
_BEYOND_NA = 1.12
"""Illumination may enter at a larger NA than the detection's (TIRF): up to this factor where nothing is said."""
_STRONG = 20.0
"""Score of a peak on the plain map of shifts from which the fine map would tell nothing more."""
_AT_LIMIT = 0.985
"""Share of the finest pattern searched from which the real one may be finer."""
_DARK = 0.02
"""Orientations without any light are taken to be this bright, relative to the series."""


def as_series(series: np.ndarray | Tensor, scope: Microscope) -> Tensor:
    """Return (T, A, P, y, x) of a series (A, P, y, x) or several; on its device, dtype kept.

    Raises:
        DataError: other axes than the microscope file says.
    """
    tensor = as_tensor(series)
    if tensor.ndim == 4:
        tensor = tensor[None]
    wanted = (scope.pattern.angles, scope.pattern.phases)
    if tensor.ndim != 5 or tuple(tensor.shape[1:3]) != wanted or min(tensor.shape) < 1:
        raise DataError(
            f"a series must have the axes (angle, phase, y, x) = {(*wanted, 'y', 'x')}, with time in front if any; "
            f"got {tuple(tensor.shape)}: reshape it, or correct pattern.angles and pattern.phases"
        )
    if tensor.shape[-1] < 16 or tensor.shape[-2] < 16:
        raise DataError(f"frames of {tuple(tensor.shape[-2:])} pixels are too small for SIM; use at least 16 x 16")
    return tensor


@shares_cores
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
    bands = bands_of(series, scope, channel, maps, device)
    lowest, highest = search_range(scope, channel)
    peaks = _peaks(bands, lowest, highest, channel.pattern)
    seen = [peak for peak in peaks if peak is not None]
    expected = channel.pattern.period_um is not None and channel.pattern.angles_deg is not None
    confirmed = verdict.confirmed([peak.z for peak in seen], [peak.predicted for peak in seen])
    confirmed = confirmed or (expected and all(peak.predicted for peak in seen))
    options = [[] if peak is None else _fits(bands, number, peak, highest) for number, peak in enumerate(peaks)]
    fits = agreeing(options)
    deepest = max((abs(fit.found.mean_amplitude) for fit in fits if fit is not None), default=0.0)
    steps = _all_steps(bands, fits)
    patterns, profiles = [], []
    spots = None if confirmed else few_spots(bands)
    for orientation, (peak, fit) in enumerate(zip(peaks, fits, strict=True)):
        if peak is None or fit is None:
            patterns.append(_nothing(bands, orientation, lowest, highest, spots))
            continue
        pattern, strips = _pattern(bands, orientation, peak, fit, steps[orientation], confirmed, deepest, spots)
        patterns.append(pattern)
        profiles += [strips] if pattern.trusted else []
    seen_at = {number: Seen(fit.k0, steps[number].phase_rad) for number, fit in enumerate(fits) if fit is not None}
    patterns = with_harmonics(bands, patterns, seen_at)
    limits = [math.hypot(pattern.kx, pattern.ky) > _AT_LIMIT * highest for pattern in patterns if pattern.trusted]
    optics = verdict.doubt_of_optics(
        profiles,
        beyond=structure_beyond(bands),
        at_limit=2 * sum(limits) > len(limits),
        cutoff=bands.otf.cutoff,
        damped=any(bands.otf.damping),
    )
    if optics:
        patterns = [pattern.replace(trusted=False, doubt=optics) for pattern in patterns]
    for judge in (verdict.doubt_of_neighbours, verdict.doubt_of_period, verdict.doubt_of_isolation):
        doubts = judge(patterns)
        patterns = [
            pattern.replace(trusted=False, doubt=doubt) if doubt and pattern.trusted else pattern
            for pattern, doubt in zip(patterns, doubts, strict=True)
        ]
    return PatternSet(patterns=tuple(patterns))


def bands_of(
    series: np.ndarray | Tensor,
    scope: Microscope,
    channel: Channel | None,
    maps: CameraMaps | None,
    device: torch.device | str,
) -> Bands:
    """Return the separated bands of series of raw ADU; see `estimate_patterns`.

    Raises:
        DataError: wrong axes, or values that are not finite.
    """
    raw = as_series(series, scope).to(device)
    exposure = Exposure.of(raw, scope.camera, maps)
    # A mean shows what any of its terms is, in a fraction of the time.
    if not bool(torch.isfinite(exposure.levels).all()):
        raise DataError("the series holds values that are not finite (NaN or infinite); exclude those frames")
    geometry = scope.pattern
    return separate(exposure, Otf.of(scope, channel), geometry.harmonics, scope.camera.read_noise_e, geometry.repeats)


def _peaks(bands: Bands, lowest: float, highest: float, guess: PatternGuess) -> list[Peak | None]:
    """Choose the peaks; strong ones show on the plain map of shifts, at half the cost of the fine one."""
    peaks = choose_peaks(find_summits(bands, lowest, highest, PLAIN), guess)
    if all(peak is not None and peak.z >= _STRONG for peak in peaks):
        return peaks
    return choose_peaks(find_summits(bands, lowest, highest, FINE), guess)


def search_range(scope: Microscope, channel: Channel) -> tuple[float, float]:
    """Return the smallest and largest |k0| [cycles/um] worth searching."""
    optics = scope.optics
    reach = scope.largest_na(channel) or min(optics.immersion_index, _BEYOND_NA * optics.na)
    highest = 1.02 * 2 * reach / (channel.excitation_nm * 1e-3)
    lowest = _LOWEST * highest
    if channel.pattern.period_um is not None:
        guess = 1 / channel.pattern.period_um
        lowest, highest = min(lowest, 0.85 * guess), max(highest, 1.15 * guess)
    return lowest, min(highest, 1.9 * scope.cutoff(channel))


def _nothing(bands: Bands, orientation: int, lowest: float, highest: float, spots: int | None) -> Pattern:
    """A placeholder for an orientation without any evidence: nominal steps, no modulation, not trusted."""
    # Its brightness counts all the same: a dark orientation must not darken the image.
    brightness = max(float(bands.intensity[orientation].mean()), _DARK)
    steps = tuple(2 * math.pi * step / bands.phases for step in range(bands.phases))
    return Pattern(
        kx=math.sqrt(lowest * highest),
        ky=0.0,
        phases_rad=steps,
        modulation=(0.0,) * bands.harmonics,
        intensity=(brightness,) * bands.phases,
        trusted=False,
        doubt=verdict.doubt_of_peak(0.0, 0.0, confirmed=False, spots=spots),
    )


def _fits(bands: Bands, orientation: int, peak: Peak, highest: float) -> list[Fit]:
    """Return the wave vectors of an orientation's peak and of those beside it, that of the largest coherence first."""
    k0, found = max(
        (fitted(bands, orientation, start) for start in _aliases((peak.kx, peak.ky), bands.otf.pixel_um, highest)),
        key=lambda fit: fit[1].coherence,
    )
    best = Fit(k0, found)
    others = [Fit(*fitted(bands, orientation, (one.kx, one.ky))) for one in peak.near]
    pixel = 1 / (min(bands.shape) * bands.otf.pixel_um)
    return [best, *(one for one in others if math.dist(one.k0, k0) > pixel)]


def _all_steps(bands: Bands, fits: Sequence[Fit | None]) -> dict[int, Steps]:
    """Return the frames of every orientation that has stripes.

    Where some look uneven, they are taken for uneven only as far as chance does not explain it.
    """
    seen = {number: fit for number, fit in enumerate(fits) if fit is not None}
    if bands.repeats > 1:
        return {number: fit_steps(bands, number, fit.found, _of_others(fit.found)) for number, fit in seen.items()}
    steps = {number: fit_steps(bands, number, fit.found) for number, fit in seen.items()}
    if bands.groups == 1 or all(one.even for one in steps.values()):
        return steps
    chance = chance_amplitudes(bands, [fit.k0 for fit in seen.values()])
    return {number: fit_steps(bands, number, fit.found, chance[number]) for number, fit in seen.items()}


def _of_others(found: Modulation) -> float:
    """Return the amplitude that the other carriers in the same frames leave by chance, from the orders they are in."""
    orders = torch.fft.fft(found.amplitudes, norm="forward")[2:-1]
    return 2 * float(orders.abs().square().mean().sqrt())


def _pattern(
    bands: Bands,
    orientation: int,
    peak: Peak,
    fit: Fit,
    steps: Steps,
    confirmed: bool,
    deepest: float,
    spots: int | None,
) -> tuple[Pattern, Profile]:
    """Return the pattern of a fitted peak and its contrast strip by strip.

    `deepest` is the largest |z| of all orientations, `spots` as `few_spots` says.
    """
    k0, found = fit.k0, fit.found
    doubt = verdict.doubt_of_peak(peak.z, found.coherence, confirmed=confirmed, spots=spots)
    if not (doubt or confirmed or peak.rival is None):
        _, other = fitted(bands, orientation, (peak.rival.kx, peak.rival.ky))
        doubt = verdict.doubt_of_rival(found.coherence, other.coherence)
    doubt = doubt or verdict.doubt_of_steps(steps)
    # A quotient by a power that is known to a relative error r is too large by about r^2.
    depth = steps.modulation / (1 + steps.scale_sigma**2)
    if fit.split:
        own = abs(found.mean_amplitude)
        depth *= max(min(own + fit.split, deepest), own) / own
    overlap = Overlap(bands, k0)
    relative = steps.modulation / depth if fit.split else 1.0
    pattern = Pattern(
        kx=k0[0],
        ky=k0[1],
        phases_rad=steps.phases_rad,
        modulation=(min(max(depth, 0.0), 1.0),),
        intensity=steps.intensity,
        local=() if doubt else local_shares(bands, orientation, overlap, min(relative, 1.0)),
        score=peak.z,
        trusted=not doubt,
        doubt=doubt,
    ).canonical()
    return pattern, profile(bands, orientation, k0, overlap, overlap.cut(bands.spectra[1][:, orientation]))


def fitted(bands: Bands, orientation: int, start: tuple[float, float]) -> tuple[tuple[float, float], Modulation]:
    """Return k0 refined from a start within half an FFT pixel [cycles/um], and the amplitudes there."""
    overlap = Overlap(bands, start)
    sideband = overlap.cut(bands.spectra[1][:, orientation])
    k0 = refine_k0(bands, overlap, sideband)
    return k0, regress(bands, orientation, k0, overlap, sideband)


def _aliases(k0: tuple[float, float], pixel_um: float, highest: float) -> list[tuple[float, float]]:
    """Return every wave vector up to `highest` that looks like k0 at the pixels' centres: coarse pixels alias it."""
    turns = [(x / pixel_um, y / pixel_um) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    others = [(k0[0] + x, k0[1] + y) for x, y in turns]
    return [k0, *(other for other in others if math.hypot(*other) <= highest)]
