"""Recordings with known patterns, and how far an estimate is from them."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics import (
    Camera,
    Channel,
    Microscope,
    Optics,
    Pattern,
    PatternGeometry,
    PatternSet,
)
from rdl_live.specimen import SpecimenSettings, simulate

CAMERA = Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5)


@dataclass(frozen=True)
class Case:
    """A specimen, a microscope and a light level."""

    kind: str = "filaments"
    photons: float = 200.0
    modulation: float = 0.8
    haze: float = 0.0
    jitter_deg: float = 0.0
    angle_deg: float = 17.0
    angles: int = 3
    phases: int = 3
    harmonics: int = 1
    period_um: float = 0.21
    pixel_um: float = 0.07
    na: float = 1.4
    shape: tuple[int, int] = (192, 192)
    periods: tuple[float, ...] = ()
    """Of each orientation, relative to `period_um`."""
    brightness: tuple[float, ...] = ()
    """Of each orientation."""
    backwards: bool = False
    seed: int = 1
    more: dict[str, object] = field(default_factory=dict)
    """Other settings of the simulation or of the specimen."""

    @property
    def scope(self) -> Microscope:
        return Microscope(
            name="test",
            optics=Optics(na=self.na, pixel_size_um=self.pixel_um),
            channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
            pattern=PatternGeometry(angles=self.angles, phases=self.phases, harmonics=self.harmonics),
            camera=CAMERA,
        )

    @property
    def patterns(self) -> PatternSet:
        random = np.random.default_rng(self.seed)
        sign = -1 if self.backwards else 1
        found = []
        for index in range(self.angles):
            direction = math.radians(self.angle_deg + 180 * index / self.angles)
            period = self.period_um * (self.periods[index] if self.periods else 1.0)
            steps = random.uniform(0, 2 * math.pi) + sign * 2 * math.pi * np.arange(self.phases) / self.phases
            steps = steps + math.radians(self.jitter_deg) * random.standard_normal(self.phases)
            found.append(
                Pattern(
                    kx=math.cos(direction) / period,
                    ky=math.sin(direction) / period,
                    phases_rad=tuple(float(step) for step in steps),
                    modulation=tuple(self.modulation * 0.5**order for order in range(self.harmonics)),
                    intensity=(self.brightness[index] if self.brightness else 1.0,) * self.phases,
                )
            )
        return PatternSet(patterns=tuple(found))


@dataclass(frozen=True)
class Recording:
    """Raw ADU (angle, phase, y, x), or with time in front, and its truth."""

    scope: Microscope
    series: Tensor
    patterns: PatternSet


def record(case: Case) -> Recording:
    """Simulate a case."""
    of_specimen = {key: value for key, value in case.more.items() if key in SpecimenSettings.model_fields}
    of_recording = {key: value for key, value in case.more.items() if key not in of_specimen}
    specimen = SpecimenSettings.model_validate({"kind": case.kind, "seed": case.seed, "haze": case.haze, **of_specimen})
    simulation = simulate(
        case.scope,
        specimen,
        patterns=case.patterns,
        photons=case.photons,
        shape=case.shape,
        seed=case.seed,
        upsample=2,
        **of_recording,
    )
    series = [one.adu.to(torch.float32) for one in simulation]
    return Recording(case.scope, torch.stack(series) if len(series) > 1 else series[0], case.patterns)


@dataclass(frozen=True)
class Errors:
    """How far one pattern is off."""

    k0_px: float
    """[FFT pixels]."""
    phase_deg: float
    """Largest, at the middle of the image, where phase and k0 do not share their errors."""
    step_deg: float
    """Largest, without what all frames have in common."""
    modulation: float


def errors_of(found: Pattern, true: Pattern, scope: Microscope, shape: tuple[int, int]) -> Errors:
    """Compare two descriptions of one light, whichever sign their k0 has."""
    size_y, size_x = (count * scope.optics.pixel_size_um for count in shape)
    found, true = found.canonical(), true.canonical()
    if found.kx * true.kx + found.ky * true.ky < 0:
        true = true.replace(kx=-true.kx, ky=-true.ky, phases_rad=tuple(-phase for phase in true.phases_rad))
    off_x, off_y = (found.kx - true.kx) * size_x, (found.ky - true.ky) * size_y
    phases = [a - b + math.pi * (off_x + off_y) for a, b in zip(found.phases_rad, true.phases_rad, strict=True)]
    common = math.atan2(sum(map(math.sin, phases)), sum(map(math.cos, phases)))
    return Errors(
        k0_px=math.hypot(off_x, off_y),
        phase_deg=max(abs(math.degrees(math.remainder(phase, 2 * math.pi))) for phase in phases),
        step_deg=max(abs(math.degrees(math.remainder(phase - common, 2 * math.pi))) for phase in phases),
        modulation=found.modulation[0] - true.modulation[0],
    )


def all_errors(recording: Recording, found: PatternSet) -> list[Errors]:
    """Compare orientation by orientation."""
    shape = (recording.series.shape[-2], recording.series.shape[-1])
    return [errors_of(one, true, recording.scope, shape) for one, true in zip(found, recording.patterns, strict=True)]
