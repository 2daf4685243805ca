"""Drawing a microscope, a specimen and what an estimation would make of its patterns."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdl_live.optics import Camera, Channel, Microscope, Optics, Pattern, PatternGeometry, PatternSet
from rdl_live.optics.aberration import AberrationSettings
from rdl_live.optics.sensor import SensorSettings
from rdl_live.specimen import SpecimenSettings
from rdl_live.specimen.light import LightSettings
from rdl_live.train.simulated.settings import SceneSettings
from rdl_models import Span

STOKES_NM = 28.0
FINEST, COARSEST = 0.7, 0.93
"""Pattern frequency relative to the detection cut-off."""
WITHIN_NYQUIST = 0.97
"""Cut-off relative to the camera's Nyquist frequency; cameras that alias are not trained on."""
_NONLINEAR_SAMPLING = 0.66
"""The same with two harmonics, whose image must fit the grid that is twice as fine as the camera's."""
_IMMERSION = (1.0, 1.333, 1.406, 1.518)


DIM_SHARE = 0.75
"""Share of exposures that are dim."""
BLIND_PHOTONS = 8.0
"""Patterns that were not found were dim: light up to this [photons a pixel]."""
LEAST_MISTAKE, LARGEST_MISTAKE = 0.05, 1.5
"""How wrong patterns are, relative to what is typical of a hard scene."""
_LEAST_CONTRAST = 0.02


@dataclass(frozen=True)
class Conditions:
    """Under what a scene is recorded, and what was found out about it."""

    unkind: bool
    photons: Span
    dim: float
    recorded: dict[str, Any]
    """Fields of `SimulationSettings`."""
    damping_um: float
    """As it was estimated [um]; 0 where no one did."""
    mistake: float
    """Of the pattern estimation, relative to that in a hard scene."""
    shyness: float
    """Contrast that is found, relative to the true one."""
    blind: float
    """Chance of every orientation that its pattern was not found."""


def is_unkind(rng: np.random.Generator, scenes: SceneSettings) -> bool:
    """Whether a scene is one in which things go wrong."""
    return bool(rng.random() < scenes.unkind.share)


def draw_microscope(rng: np.random.Generator, scenes: SceneSettings, *, unkind: bool = False) -> Microscope:
    """Return a microscope within the settings whose pixels can resolve what its objective passes."""
    na, emission_nm = _uniform(rng, scenes.na), _uniform(rng, scenes.emission_nm)
    harsh = scenes.unkind
    geometry = PatternGeometry(angles=int(rng.choice(scenes.angles)), phases=int(rng.choice(scenes.phases)))
    finest_share = WITHIN_NYQUIST
    if unkind:
        na = harsh.na.draw(rng, na)
        if rng.random() < harsh.nonlinear and 5 in scenes.phases:
            geometry, finest_share = geometry.replace(phases=5, harmonics=2), _NONLINEAR_SAMPLING
    cutoff = 2 * na / (emission_nm * 1e-3)
    coarsest = finest_share * 0.5 / cutoff
    pixel = min(_uniform(rng, scenes.pixel_size_um), max(coarsest, scenes.pixel_size_um.low))
    if unkind:
        share = min(harsh.sampling.draw(rng, pixel * cutoff / 0.5), finest_share)
        pixel = min(max(share * 0.5 / cutoff, harsh.pixel_um.low), harsh.pixel_um.high, coarsest)
    if scenes.harmonics > 1:
        geometry, finest_share = geometry.replace(phases=5, harmonics=scenes.harmonics), _NONLINEAR_SAMPLING
        pixel = min(pixel, finest_share * 0.5 / cutoff)
    k0 = cutoff * rng.uniform(FINEST, COARSEST)
    first = rng.uniform(0, 180)
    angles = tuple(float(first + 180 * i / geometry.angles + rng.normal(0, 1.0)) for i in range(geometry.angles))
    gain = float(rng.uniform(0.2, 0.6))
    return Microscope(
        name="drawn",
        optics=Optics(na=na, pixel_size_um=pixel, immersion_index=next(n for n in _IMMERSION if n >= na)),
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
            gain_e_per_adu=harsh.gain_e_per_adu.draw(rng, gain) if unkind else gain,
            read_noise_e=_uniform(rng, scenes.read_noise_e),
        ),
    )


def draw_specimen(rng: np.random.Generator, scenes: SceneSettings, *, unkind: bool = False) -> SpecimenSettings:
    """Return a specimen; half of them lie on a dark ground, where noise is on the structures only."""
    dark = rng.random() < 0.5
    usual = SpecimenSettings(
        kind=str(rng.choice(scenes.chosen_kinds)),
        seed=int(rng.integers(2**31)),
        density=float(np.exp(rng.uniform(math.log(scenes.density.low), math.log(scenes.density.high)))),
        haze=_uniform(rng, scenes.haze) * float(not dark and rng.random() < 2 / 3),
        background=_uniform(rng, scenes.background) * float(not dark and rng.random() < 2 / 3),
    )
    return _crowded(usual, rng, scenes) if unkind else usual


def _crowded(usual: SpecimenSettings, rng: np.random.Generator, scenes: SceneSettings) -> SpecimenSettings:
    """Return the specimen as it lies in real dishes: crowded, mixed, with an edge, in haze, or not there at all."""
    harsh = scenes.unkind
    kind, density = usual.kind, harsh.density.draw(rng, usual.density)
    glow = harsh.glow.draw(rng)
    beads = harsh.beads.draw(rng)
    if beads > 0 and "beads" in scenes.chosen_kinds:
        kind, density = "beads", beads
    elif rng.random() < harsh.empty:
        kind, glow = "empty", max(glow, 0.3)
    also = str(rng.choice(scenes.chosen_kinds))
    return usual.replace(
        kind=kind,
        density=density,
        haze=harsh.haze.draw(rng, usual.haze),
        glow=glow,
        also=also if rng.random() < harsh.also and kind != "empty" else None,
        also_share=float(rng.uniform(0.2, 0.5)),
        aggregates=harsh.aggregates.draw(rng),
        cell=harsh.cell.draw(rng, 1.0),
    )


def draw_conditions(rng: np.random.Generator, scenes: SceneSettings, camera: Camera, *, unkind: bool) -> Conditions:
    """Return how a scene is recorded: light, optics and chip."""
    modulation = float(rng.uniform(scenes.modulation.low, scenes.modulation.high))
    jitter = float(rng.choice([0.0, 3.0, 8.0]))
    flicker = float(rng.uniform(scenes.flicker.low, scenes.flicker.high))
    size = float(np.exp(rng.uniform(math.log(LEAST_MISTAKE), math.log(LARGEST_MISTAKE))))
    usual = {"modulation": modulation, "phase_jitter_deg": jitter, "flicker": flicker}
    if not unkind:
        return Conditions(False, scenes.photons, scenes.dim, usual, 0.0, size, 1.0, 0.0)
    harsh = scenes.unkind
    optics = AberrationSettings(
        damping_um=harsh.damping_um.draw(rng),
        spherical_rad=harsh.spherical_rad.draw(rng),
        defocus_um=harsh.defocus_um.draw(rng),
        pixel_error=harsh.pixel_error.draw(rng),
    )
    light = LightSettings(
        **{name: getattr(harsh, name).draw(rng) for name in LightSettings.model_fields},
    )
    recorded = {
        "modulation": harsh.contrast.draw(rng, modulation),
        "phase_jitter_deg": harsh.phase_jitter_deg.draw(rng, jitter),
        "flicker": flicker,
        "light": light,
        "optics": optics,
        "sensor": _chip(rng, scenes, camera),
    }
    known = rng.random() < harsh.damping_known
    blind = float(rng.choice([0.3, 1.0])) if rng.random() < harsh.blind else 0.0
    return Conditions(
        unkind=True,
        photons=_light(scenes, dim=blind > 0),
        dim=scenes.dim,
        recorded=recorded,
        damping_um=optics.damping_um * float(rng.uniform(0.7, 1.3)) * known,
        mistake=harsh.mistaken.draw(rng, size),
        shyness=harsh.shy.draw(rng, 1.0),
        blind=blind,
    )


def _light(scenes: SceneSettings, *, dim: bool) -> Span:
    """Return the light of unkind scenes; where one level is asked for, that."""
    low, high = scenes.photons.low, scenes.photons.high
    if low == high:
        return scenes.photons
    low *= scenes.unkind.dimmer
    return Span(low=low, high=min(high, max(BLIND_PHOTONS, low)) if dim else high)


def _chip(rng: np.random.Generator, scenes: SceneSettings, camera: Camera) -> SensorSettings:
    harsh, adu = scenes.unkind, 1 / camera.gain_e_per_adu
    return SensorSettings(
        fixed_pattern_adu=harsh.fixed_pattern_e.draw(rng) * adu,
        pink=float(rng.uniform(0, 0.6)),
        columns_adu=harsh.columns_e.draw(rng) * adu,
        gain_spread=0.01,
        noise_spread=0.25,
        telegraph_share=0.002 * float(rng.random() < 0.3),
        hot_share=1e-4 * float(rng.random() < 0.3),
        multiplying=bool(rng.random() < harsh.multiplying),
        coupling=harsh.coupling.draw(rng),
    )


def draw_photons(rng: np.random.Generator, conditions: Conditions) -> float:
    """Return a light level [photons a pixel and frame]."""
    low, high = conditions.photons.low, conditions.photons.high
    if rng.random() < DIM_SHARE:
        high = min(high, max(conditions.dim, low))
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def estimated(patterns: PatternSet, rng: np.random.Generator, field_um: float, conditions: Conditions) -> PatternSet:
    """Return what an estimation would make of true patterns: errors of the size that it makes.

    Of k0 some hundredths of 1 / field, of phases degrees, of modulation and brightness some per cent in a scene that
    is hard; a tenth of that is usual. Where it is too dim some are not found at all.
    """
    found = [_mistaken(pattern, rng, conditions, field_um) for pattern in patterns]
    lost = [rng.random() < conditions.blind for _ in found]
    return PatternSet(
        patterns=tuple(one.replace(trusted=False) if gone else one for one, gone in zip(found, lost, strict=True))
    )


def _mistaken(pattern: Pattern, rng: np.random.Generator, conditions: Conditions, field_um: float) -> Pattern:
    size = conditions.mistake
    dx, dy = size * 0.02 / field_um * rng.standard_normal(2)
    middle = field_um / 2
    phases = [
        # An error of k0 is met by one of the phase, so that the pattern fits in the middle of the field.
        phase - 2 * math.pi * (dx + dy) * middle + size * math.radians(1.5) * rng.standard_normal()
        for phase in pattern.phases_rad
    ]
    depths = [
        float(np.clip(m * conditions.shyness * (1 + 0.04 * size * rng.standard_normal()), _LEAST_CONTRAST, 1.0))
        for m in pattern.modulation
    ]
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
