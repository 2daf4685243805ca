"""Contrast and phase of the harmonics beyond the first, at its multiples: how deep, and whether there are any.

Band h and band h - 1 lie k0 apart and are compared in their overlap (`relative_depth`), which gives the complex
contrast a_h = m_h exp(i c_h) with its standard error. A dye's answer to light has an even profile, so that a_h is real,
and it is the same dye in all orientations, so that its sign is the same, too. Where the data agree with that, it is
used: half of the noise is left out, and the orientations support each other. Where they do not (three beams, whose
first harmonic shifts with the focus), each orientation stands for itself.
"""

import cmath
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rdl_live.optics.estimate.bands import Bands
from rdl_live.optics.estimate.phases import relative_depth
from rdl_live.optics.pattern import Pattern

_SCATTER = 2.5
"""Errors as they were seen on series without a second harmonic, in standard errors of their noise."""
_LEAST = 0.002
"""Error that light without noise leaves, of windows and OTF."""
_SURE = 3.5
"""Standard errors from which a harmonic is there."""
_ABSENT = 0.015
"""Contrast of a second harmonic which no series is worth taking for: one that surely has less has none."""
_REAL = 9.0
"""Mean square of the imaginary parts, in squared standard errors, up to which all are taken for real."""
_TINY = 1e-9
_SPREAD = 0.2
"""Of the contrasts of one dye's harmonic, orientation by orientation, relative."""


NO_SECOND = (
    "the stripes have no second harmonic, though pattern.harmonics in the microscope file asks for one, so the image "
    "has the resolution of linear SIM: set it to 1 for linear SIM, or check that the dye is saturated or switched "
    "(light, exposure), or that three beams interfere"
)
"""`doubt` of trusted stripes whose first harmonic is used alone."""


@dataclass(frozen=True)
class Seen:
    """One orientation, as its first harmonic was found."""

    k0: tuple[float, float]
    """[cycles/um], in the sense in which the phases step."""
    phase_rad: float
    """Of the first step."""


@dataclass(frozen=True)
class _Contrast:
    value: complex
    """m exp(i c), c in the sense of the canonical pattern."""
    sigma: float


def with_harmonics(bands: Bands, patterns: Sequence[Pattern], seen: Mapping[int, Seen]) -> list[Pattern]:
    """Return the patterns with the contrast of all their harmonics; 0 for a second one that is not there.

    Args:
        bands: separated bands.
        patterns: with the contrast of the first harmonic, canonical.
        seen: by orientation; of those that have stripes.
    """
    found = list(patterns)
    trusted = [number for number, pattern in enumerate(found) if pattern.trusted and number in seen]
    for harmonic in range(2, bands.harmonics + 1):
        contrasts = {number: _contrast(bands, number, found[number], seen[number], harmonic) for number in trusted}
        believed = _believed(contrasts)
        absent = harmonic == 2 and _is_absent(contrasts.values())
        for number, contrast in believed.items():
            found[number] = _added(found[number], contrast, absent=absent)
    return [_filled(pattern, bands.harmonics) for pattern in found]


def _filled(pattern: Pattern, harmonics: int) -> Pattern:
    """Return a pattern with so many harmonics, those of which nothing is known without contrast."""
    lacking = harmonics - len(pattern.modulation)
    if not lacking:
        return pattern
    shifts = pattern.shifts_rad and (*pattern.shifts_rad, *(0.0,) * lacking)
    return pattern.replace(modulation=(*pattern.modulation, *(0.0,) * lacking), shifts_rad=shifts)


def _contrast(bands: Bands, number: int, pattern: Pattern, seen: Seen, harmonic: int) -> _Contrast:
    depth = pattern.modulation[harmonic - 2]
    if depth <= 0:
        return _Contrast(0j, math.inf)
    ratio, error = relative_depth(bands, number, seen.k0, harmonic)
    value = ratio * cmath.exp(-1j * seen.phase_rad)
    # A canonical pattern may run the other way, in which every phase changes its sign.
    backwards = pattern.kx * seen.k0[0] + pattern.ky * seen.k0[1] < 0
    value = (value.conjugate() if backwards else value) * cmath.exp(1j * pattern.shift_rad(harmonic - 1))
    return _Contrast(depth * value, math.hypot(_SCATTER * depth * error, _LEAST))


def _believed(contrasts: Mapping[int, _Contrast]) -> dict[int, complex]:
    """Return what is believed of every orientation's contrast: 0 where it may be none."""
    known = {number: one for number, one in contrasts.items() if math.isfinite(one.sigma)}
    nothing = dict.fromkeys(contrasts, 0j)
    if not known:
        return nothing
    off = sum((one.value.imag / one.sigma) ** 2 for one in known.values()) / len(known)
    signs = {math.copysign(1, one.value.real) for one in known.values() if abs(one.value) > _SURE * one.sigma}
    if off > _REAL or len(signs) > 1:
        each = {number: one.value for number, one in known.items() if abs(one.value) > _SURE * one.sigma}
        return nothing | each
    mean, sigma = _mean([one.value.real for one in known.values()], [one.sigma for one in known.values()])
    if abs(mean) <= _SURE * sigma:
        return nothing
    width = _SPREAD * abs(mean)
    return nothing | {
        number: complex((one.value.real / one.sigma**2 + mean / width**2) / (one.sigma**-2 + width**-2))
        for number, one in known.items()
    }


def _is_absent(contrasts: Iterable[_Contrast]) -> bool:
    """Whether the orientations together surely have no harmonic that is worth anything."""
    known = [one for one in contrasts if math.isfinite(one.sigma)]
    if not known or any(abs(one.value) > _SURE * one.sigma for one in known):
        return False
    mean, sigma = _mean([one.value.real for one in known], [one.sigma for one in known])
    return abs(mean) + 2 * sigma < _ABSENT


def _mean(values: Sequence[float], sigmas: Sequence[float]) -> tuple[float, float]:
    """Return the weighted mean and its standard error."""
    weights = [sigma**-2 for sigma in sigmas]
    total = sum(weights)
    return sum(w * v for w, v in zip(weights, values, strict=True)) / total, total**-0.5


def _added(pattern: Pattern, contrast: complex, *, absent: bool) -> Pattern:
    """Return a pattern with one more harmonic."""
    before = len(pattern.modulation)
    shifts = pattern.shifts_rad or (0.0,) * before
    real = abs(contrast.imag) < _TINY
    turn = (0.0 if contrast.real >= 0 else math.pi) if real else cmath.phase(contrast)
    return pattern.replace(
        modulation=(*pattern.modulation, min(abs(contrast), 1.0)),
        shifts_rad=(*shifts, turn),
        doubt=NO_SECOND if absent else pattern.doubt,
    )
