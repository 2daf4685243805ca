"""Drawing a microscope, a specimen and what an estimation would make of its patterns."""

import math

import numpy as np

from rdl_live.optics import Camera, Channel, Microscope, Optics, Pattern, PatternGeometry, PatternSet
from rdl_live.specimen import SpecimenSettings
from rdl_live.train.simulated.settings import SceneSettings
from rdl_models import Span

STOKES_NM = 28.0
FINEST, COARSEST = 0.7, 0.93
"""Pattern frequency relative to the detection cut-off."""
WITHIN_NYQUIST = 0.97
"""Cut-off relative to the camera's Nyquist frequency; cameras that alias are not trained on."""


DIM_SHARE = 0.75
"""Share of exposures that are dim."""
LEAST_MISTAKE, LARGEST_MISTAKE = 0.05, 1.5
"""How wrong patterns are, relative to what is typical of a hard scene."""


def draw_microscope(rng: np.random.Generator, scenes: SceneSettings) -> Microscope:
    """Return a microscope within the settings whose pixels can resolve what its objective passes."""
    na, emission_nm = _uniform(rng, scenes.na), _uniform(rng, scenes.emission_nm)
    cutoff = 2 * na / (emission_nm * 1e-3)
    coarsest = WITHIN_NYQUIST * 0.5 / cutoff
    pixel = min(_uniform(rng, scenes.pixel_size_um), max(coarsest, scenes.pixel_size_um.low))
    geometry = PatternGeometry(angles=int(rng.choice(scenes.angles)), phases=int(rng.choice(scenes.phases)))
    k0 = cutoff * rng.uniform(FINEST, COARSEST)
    first = rng.uniform(0, 180)
    angles = tuple(float(first + 180 * i / geometry.angles + rng.normal(0, 1.0)) for i in range(geometry.angles))
    return Microscope(
        name="drawn",
        optics=Optics(na=na, pixel_size_um=pixel),
        channels=(
            Channel.model_validate(
                {
                    "name": "drawn",
                    "excitation_nm": emission_nm - STOKES_NM,
                    "emission_nm": emission_nm,
                    "pattern": {"period_um": 1 / k0, "angles_deg": angles},
                }
            ),
        ),
        pattern=geometry,
        camera=Camera(
            offset_adu=100.0,
            gain_e_per_adu=float(rng.uniform(0.2, 0.6)),
            read_noise_e=_uniform(rng, scenes.read_noise_e),
        ),
    )


def draw_specimen(rng: np.random.Generator, scenes: SceneSettings) -> SpecimenSettings:
    """Return a specimen; half of them lie on a dark ground, where noise is on the structures only."""
    dark = rng.random() < 0.5
    return SpecimenSettings(
        kind=str(rng.choice(scenes.chosen_kinds)),
        seed=int(rng.integers(2**31)),
        density=float(np.exp(rng.uniform(math.log(scenes.density.low), math.log(scenes.density.high)))),
        haze=_uniform(rng, scenes.haze) * float(not dark and rng.random() < 2 / 3),
        background=_uniform(rng, scenes.background) * float(not dark and rng.random() < 2 / 3),
    )


def draw_photons(rng: np.random.Generator, scenes: SceneSettings) -> float:
    """Return a light level [photons a pixel and frame]."""
    low, high = scenes.photons.low, scenes.photons.high
    if rng.random() < DIM_SHARE:
        high = min(high, max(scenes.dim, low))
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def estimated(patterns: PatternSet, rng: np.random.Generator, field_um: float) -> PatternSet:
    """Return what an estimation would make of true patterns: errors of the size that it makes.

    Of k0 some hundredths of 1 / field, of phases degrees, of modulation and brightness some per cent in a scene that
    is hard; a tenth of that is usual.
    """
    size = float(np.exp(rng.uniform(math.log(LEAST_MISTAKE), math.log(LARGEST_MISTAKE))))
    return PatternSet(patterns=tuple(_mistaken(pattern, rng, size, field_um) for pattern in patterns))


def _mistaken(pattern: Pattern, rng: np.random.Generator, size: float, field_um: float) -> Pattern:
    dx, dy = size * 0.02 / field_um * rng.standard_normal(2)
    middle = field_um / 2
    phases = [
        # An error of k0 is met by one of the phase, so that the pattern fits in the middle of the field.
        phase - 2 * math.pi * (dx + dy) * middle + size * math.radians(1.5) * rng.standard_normal()
        for phase in pattern.phases_rad
    ]
    depths = [float(np.clip(m * (1 + 0.04 * size * rng.standard_normal()), 0.05, 1.0)) for m in pattern.modulation]
    gains = [max(0.1, gain * (1 + 0.004 * size * rng.standard_normal())) for gain in pattern.gains]
    return pattern.replace(
        kx=pattern.kx + dx,
        ky=pattern.ky + dy,
        phases_rad=tuple(phases),
        modulation=tuple(depths),
        intensity=tuple(gains),
    )


def _uniform(rng: np.random.Generator, span: Span) -> float:
    return float(rng.uniform(span.low, span.high))
