"""Three beams in space: one along the axis, two at the angle of the stripes.

    I(r, z) = 1 + m_1 cos(2 pi k . r + phi) cos(2 pi kz z - theta) + m_2 cos(2 (2 pi k . r + phi) + c_2)

k is the lateral frequency of a side beam, kz the difference of its axial frequency to the middle one's, and z is
counted from the plane in focus: the pattern moves with the objective's focus (Gustafsson et al. 2008).
"""

import math

from rdl_live.errors import ConfigError
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.nominal import USED_APERTURE, WITHIN_OTF, nominal_patterns
from rdl_live.optics.pattern import PatternSet


def axial_frequency(period_um: float, excitation_um: float, index: float) -> float:
    """Return kz = n / lambda (1 - cos beta), sin beta = lambda / (n period) [cycles/um].

    Args:
        period_um: of the first harmonic, middle beam with side beam [um].
        excitation_um: wavelength in vacuum [um].
        index: refractive index.

    Raises:
        ConfigError: no beam in this medium makes so fine a first harmonic.
    """
    sine = excitation_um / (index * period_um)
    if sine >= 1:
        raise ConfigError(
            f"a first harmonic of {1e3 * period_um:.0f} nm cannot be made by {1e3 * excitation_um:.0f} nm in a medium "
            f"of index {index:g}: in 3D-SIM the first harmonic is the coarser one, with twice the period of the finest "
            "stripes; correct pattern.period_um of the channel, excitation_nm or immersion_index"
        )
    return index / excitation_um * (1 - math.sqrt(1 - sine * sine))


def widefield_reach(scope: Microscope, channel: Channel) -> float:
    """Return the largest |kz| that the widefield's OTF passes, (n - sqrt(n^2 - NA^2)) / emission [cycles/um]."""
    index, na = scope.optics.immersion_index, scope.optics.na
    return (index - math.sqrt(max(index * index - na * na, 0.0))) / (channel.emission_nm * 1e-3)


def nominal_three_beams(
    scope: Microscope, channel: Channel, *, seed: int, modulation: tuple[float, ...], phase_jitter_deg: float = 0.0
) -> PatternSet:
    """Return the stripes of the microscope file, or those of side beams at the edge of the aperture."""
    if channel.pattern.period_um is None:
        # The two side beams make the second harmonic; it is what must fit.
        aperture = scope.optics.excitation_na or USED_APERTURE * scope.optics.na
        second = min(2 * aperture / (channel.excitation_nm * 1e-3), WITHIN_OTF * scope.cutoff(channel))
        channel = channel.replace(pattern=channel.pattern.replace(period_um=2 / second).model_dump())
    return nominal_patterns(scope, channel, seed=seed, modulation=modulation, phase_jitter_deg=phase_jitter_deg)
