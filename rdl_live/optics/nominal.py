"""The patterns that a microscope would be set to: within what its objective passes, never quite regular."""

import math

import numpy as np

from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.pattern import Pattern, PatternSet

USED_APERTURE = 0.95
"""Share of the aperture at which the beams enter where the microscope file does not say."""
WITHIN_OTF = 0.9
"""Largest |k0| relative to the detection cut-off, so that the pattern itself is seen by the camera."""


def nominal_patterns(
    microscope: Microscope,
    channel: Channel | None = None,
    *,
    seed: int = 0,
    modulation: float | tuple[float, ...] = 0.8,
    phase_jitter_deg: float = 0.0,
) -> PatternSet:
    """Return patterns for a channel: its expected period and angles, or else the finest that it can do.

    Args:
        microscope: gives apertures, number of orientations, phases and harmonics.
        channel: colour; the first one by default.
        seed: of the first angle, the phases and their errors.
        modulation: depth of the first harmonic, each further one half of that before; or the depth of each.
        phase_jitter_deg: standard deviation of every phase step's error [degrees].
    """
    channel = channel or microscope.channels[0]
    geometry, guess = microscope.pattern, channel.pattern
    rng = np.random.default_rng([seed, 0x5EED])
    period = guess.period_um or _finest_period(microscope, channel)
    first = float(rng.uniform(0.0, 180.0))
    angles = guess.angles_deg or tuple(first + 180.0 * i / geometry.angles for i in range(geometry.angles))
    if isinstance(modulation, float | int):
        modulation = tuple(float(modulation) * 0.5**harmonic for harmonic in range(geometry.harmonics))
    patterns = []
    for angle in angles:
        steps = rng.uniform(0.0, 2 * math.pi) + 2 * math.pi * np.arange(geometry.phases) / geometry.phases
        steps = steps + math.radians(phase_jitter_deg) * rng.standard_normal(geometry.phases)
        patterns.append(
            Pattern(
                kx=math.cos(math.radians(angle)) / period,
                ky=math.sin(math.radians(angle)) / period,
                phases_rad=tuple(float(step) for step in steps),
                modulation=modulation,
            ).canonical()
        )
    return PatternSet(patterns=tuple(patterns))


def _finest_period(microscope: Microscope, channel: Channel) -> float:
    """Return the period [um] of two beams at the edge of the aperture, or coarser if the OTF ends before."""
    lit = channel.illumination
    if lit is not None and lit.incidence_na is not None:
        return channel.excitation_nm * 1e-3 / (2 * lit.incidence_na)  # TIRF is finer than the camera could see
    beams = 2 * (microscope.optics.excitation_na or USED_APERTURE * microscope.optics.na)
    return 1 / min(beams / (channel.excitation_nm * 1e-3), WITHIN_OTF * microscope.cutoff(channel))
