"""Patterns that are known already, fitted to a series that may be too dim to show them by itself.

The instrument says where the stripes are, how deep they are and by how much they step (the prior: patterns of a
brighter series, of other levels, of beads). Wave vector and depth stay; what moves from series to series is the common
phase of an orientation, by a shift d. With z_j the amplitudes of the frames at the known k0 and phi_j the known phases,

    c = mean_j z_j exp(-i phi_j) = m / 2 exp(i d) + noise of variance sigma^2 / P a component,

so the series says p(c | d) ~ exp(kappa cos(d - arg c)), kappa = (m / 2) |c| P / sigma^2: a von Mises distribution, like
the prior, and so is their product (Mardia & Jupp, Directional Statistics, 2000). Drift may have made the known phase
worthless: the prior is a mixture of that one and of a uniform one, and the series decides between the two.
"""

import cmath
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.estimator import bands_of, estimate_patterns, fitted
from rdl_live.optics.estimate.phases import Modulation, regress
from rdl_live.optics.estimate.refine import Overlap
from rdl_live.optics.estimate.steps import fit_steps
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.pattern import Pattern, PatternSet

PHASE_SIGMA_DEG = 12.0
"""Spread of the common phase where nothing has drifted since the patterns were found."""
_STAYED = 0.8
"""Chance that nothing has drifted by more."""
_LEAST_KAPPA = 3.0
"""Concentration of the phase from which stripes are used: an error of 33 degrees."""
_STRONG = 60.0
"""Amplitude over its standard error from which a series' own phases and brightness are better than those known."""
_REFINED = 10.0
"""Coherence from which the series corrects k0."""
_K0_SIGMA_PX, _K0_ERROR_PX = 0.03, 0.5
"""Spread of k0 from one recording to the next, and its error in a series times the coherence [1 / field]."""
_MISSING = 0.35
_EXPECTED = 6.0
"""Stripes of less than this share of what was expected are not those known, where so many standard deviations of them
were expected."""


@dataclass(frozen=True)
class JointFit:
    """How an orientation's patterns were found; angles in degrees."""

    prior_period_um: float
    prior_modulation: float
    prior_phase_sigma_deg: float
    likelihood_phase_shift_deg: float
    """By how much the series alone would shift the known phases."""
    likelihood_phase_sigma_deg: float | None
    """The error of that; None where the series says nothing."""
    stripes_over_noise: float
    """Amplitude found in the series over its standard error."""
    stripes_expected: float
    """The same if contrast and wave vector are those known."""
    phase_shift_deg: float
    """The shift that was taken."""
    phase_sigma_deg: float
    phases_from: str
    """`known`, `series` or `both`."""

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        return asdict(self)


@dataclass(frozen=True)
class Refitted:
    """Known patterns in a series."""

    patterns: PatternSet
    fits: tuple[JointFit | None, ...]
    """By orientation; None where the known pattern was not trusted, or is not in this series: it was then estimated
    without it."""
    warnings: tuple[str, ...] = ()


def refit_patterns(
    series: np.ndarray | Tensor,
    scope: Microscope,
    known: PatternSet,
    *,
    channel: Channel | None = None,
    maps: CameraMaps | None = None,
    device: torch.device | str = "cpu",
) -> Refitted:
    """Fit known patterns to a series: wave vector and depth stay, phases move as far as the data carry them.

    Args:
        series: raw ADU (angle, phase, y, x) or (time, angle, phase, y, x).
        scope: microscope.
        known: patterns found elsewhere, at the same image corner; those not trusted are estimated.
        channel: colour; the first where left out.
        maps: per-pixel camera calibration.
        device: where to compute.

    Raises:
        DataError: wrong axes, or values that are not finite.
        ConfigError: the known patterns have another number of orientations or phases.
    """
    known.check(scope.pattern.angles, scope.pattern.phases)
    known = PatternSet(patterns=tuple(_of_order_1(pattern) for pattern in known))
    bands = bands_of(series, scope, channel, maps, device)
    found = [_joint(bands, number, pattern) if pattern.trusted else None for number, pattern in enumerate(known)]
    blind: PatternSet | None = None
    patterns: list[Pattern] = []
    fits: list[JointFit | None] = []
    warnings = []
    for number, (pattern, own) in enumerate(zip(known, found, strict=True), start=1):
        if own is not None:
            patterns.append(own[0])
            fits.append(own[1])
            continue
        blind = blind or estimate_patterns(series, scope, channel=channel, maps=maps, device=device)
        patterns.append(blind[number - 1])
        fits.append(None)
        if pattern.trusted:
            warnings.append(
                f"orientation {number}: the given pattern ({1e3 * pattern.period_um:.0f} nm, {pattern.angle_deg:.0f} "
                "degrees) is not in this recording, so its own was estimated: check that --patterns is of the same "
                "microscope, channel and camera region"
            )
    return Refitted(PatternSet(patterns=tuple(patterns)), tuple(fits), tuple(warnings))


def _of_order_1(pattern: Pattern) -> Pattern:
    """Return the same light with k0 where the separated order 1 has it: there phases step forwards."""
    steps = zip(pattern.phases_rad[:-1], pattern.phases_rad[1:], strict=True)
    return pattern if sum(math.sin(after - before) for before, after in steps) >= 0 else pattern.reversed()


def _joint(bands: Bands, orientation: int, known: Pattern) -> tuple[Pattern, JointFit] | None:
    """Fit one orientation; None where its stripes should be seen and are not."""
    known, measured = _at_known(bands, orientation, known)
    k0 = (known.kx, known.ky)
    depth = known.modulation[0]
    if not math.isfinite(measured.sigma) or measured.sigma <= 0:
        return _from_known(bands, orientation, known, k0, 0j, 0.0)
    sigma = measured.sigma / math.sqrt(bands.phases)
    amplitude = _along(measured, known.phases_rad)
    if depth / 2 > _EXPECTED * sigma and abs(amplitude) < _MISSING * depth / 2:
        return None
    return _from_known(bands, orientation, known, k0, amplitude, sigma, measured)


def _along(measured: Modulation, phases_rad: tuple[float, ...]) -> complex:
    """Return c, the frames' mean amplitude along the known phases."""
    turned = [complex(z) * cmath.exp(-1j * phase) for z, phase in zip(measured.amplitudes, phases_rad, strict=True)]
    return sum(turned) / len(turned)


def _at_known(bands: Bands, orientation: int, known: Pattern) -> tuple[Pattern, Modulation]:
    """Return the known pattern, its k0 corrected as far as the series knows better, and the amplitudes there."""
    refined, strong = fitted(bands, orientation, (known.kx, known.ky))
    if strong.coherence >= _REFINED:
        error = _K0_ERROR_PX / strong.coherence
        weight = _K0_SIGMA_PX**2 / (_K0_SIGMA_PX**2 + error**2)
        known = _moved(bands, known, weight * (refined[0] - known.kx), weight * (refined[1] - known.ky))
    overlap = Overlap(bands, (known.kx, known.ky))
    side = overlap.cut(bands.spectra[1][:, orientation])
    return known, regress(bands, orientation, (known.kx, known.ky), overlap, side)


def _moved(bands: Bands, known: Pattern, x: float, y: float) -> Pattern:
    """Move k0; the phases stay in the middle of the image, where they are known best."""
    height, width = (size * bands.otf.pixel_um for size in bands.shape)
    turn = math.pi * (x * width + y * height)
    phases = tuple(phase - turn for phase in known.phases_rad)
    return known.replace(kx=known.kx + x, ky=known.ky + y, phases_rad=phases)


def _from_known(
    bands: Bands,
    orientation: int,
    known: Pattern,
    k0: tuple[float, float],
    amplitude: complex,
    sigma: float,
    measured: Modulation | None = None,
) -> tuple[Pattern, JointFit]:
    depth, prior = known.modulation[0], math.radians(PHASE_SIGMA_DEG) ** -2
    found = abs(amplitude) / sigma if sigma > 0 else 0.0
    expected = depth / 2 / sigma if sigma > 0 else 0.0
    # Where the widefield is hardly known, so is the scale of both.
    own = found * min(found, expected)
    both = prior + own * cmath.exp(1j * cmath.phase(amplitude))
    stays = _log_bessel(abs(both)) - _log_bessel(prior) + math.log(_STAYED / (1 - _STAYED)) >= _log_bessel(own)
    shift, kappa = (cmath.phase(both), abs(both)) if stays else (cmath.phase(amplitude), own)
    phases = tuple(math.remainder(phase + shift, 2 * math.pi) for phase in known.phases_rad)
    relative = bands.intensity[orientation]
    pattern = known.replace(
        kx=k0[0],
        ky=k0[1],
        # Seen where that specimen had structure; this one may lie elsewhere.
        local=(),
        phases_rad=phases,
        modulation=tuple(value * _resultant(kappa) for value in known.modulation),
        intensity=(float(relative.mean()),) * bands.phases,
        score=0.0 if measured is None else measured.coherence,
        trusted=kappa >= _LEAST_KAPPA,
        doubt="" if kappa >= _LEAST_KAPPA else "the series is too dim to say where the given pattern lies",
    )
    origin = "both" if stays and own > 0.1 * prior else "known" if stays else "series"
    if measured is not None and found >= _STRONG and expected >= _STRONG:
        steps = fit_steps(bands, orientation, measured)
        pattern = pattern.replace(phases_rad=steps.phases_rad, intensity=steps.intensity)
        origin = "series"
    fit = JointFit(
        prior_period_um=known.period_um,
        prior_modulation=depth,
        prior_phase_sigma_deg=PHASE_SIGMA_DEG,
        likelihood_phase_shift_deg=math.degrees(cmath.phase(amplitude)),
        likelihood_phase_sigma_deg=math.degrees(own**-0.5) if own > 0.1 else None,
        stripes_over_noise=found,
        stripes_expected=expected,
        phase_shift_deg=math.degrees(shift),
        phase_sigma_deg=math.degrees(max(kappa, 1e-3) ** -0.5),
        phases_from=origin,
    )
    return pattern.canonical(), fit


def _log_bessel(kappa: float) -> float:
    """Return ln I0(kappa)."""
    value = torch.tensor(kappa, dtype=torch.float64)
    return float(torch.special.i0e(value).log()) + kappa


def _resultant(kappa: float) -> float:
    """Return I1 / I0, by which an uncertain phase weakens what is known of a sideband."""
    value = torch.tensor(kappa, dtype=torch.float64)
    return float(torch.special.i1e(value) / torch.special.i0e(value))
