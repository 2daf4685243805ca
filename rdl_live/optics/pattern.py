"""What is known of the illumination: one `Pattern` per orientation, a `PatternSet` per series.

The light on the sample in frame (orientation o, phase step j), relative to the mean of the series, is

    I_oj(r) = a_oj (1 + sum_h m_h cos(h (2 pi k0 . r + phi_j) + c_h))       h = 1 ... harmonics, c_1 = 0

with c_2 = 0 where the profile is sharp at its maxima (switching), pi where they are flat (saturation), and anything
between for three beams, whose first harmonic moves with the focus;
with r = (x, y) from the top-left corner of the IMAGE (not the centre of its first pixel), x right, y down.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rdl_live.errors import ConfigError
from rdl_live.optics._base import Description


class Pattern(Description):
    """The illumination of one orientation."""

    kx: float
    ky: float
    """Wave vector k0 [cycles/um]; the modulation has the period 1 / |k0|."""
    phases_rad: Annotated[tuple[float, ...], Field(min_length=3)]
    """Phase of every step at the image's top-left corner [rad]."""
    modulation: Annotated[tuple[float, ...], Field(min_length=1)] = (1.0,)
    """Modulation depth of each harmonic, 0 to 1."""
    shifts_rad: tuple[float, ...] = ()
    """Phase c_h of each harmonic beyond that of the first one [rad]; all 0 where left out."""
    axial_rad: float = 0.0
    """Phase theta of the first harmonic's wave along z in focus, of three beams in a stack: cos(2 pi kz z - theta)."""
    intensity: tuple[float, ...] = ()
    """Brightness of each frame relative to the mean of the series; all 1 where left out."""
    local: tuple[tuple[float, ...], ...] = ()
    """Share of the modulation, 0 to 1, that the parts of the field carry, (rows, columns); all 1 where left out."""
    score: float = 0.0
    """How far the pattern's correlation peak stands above the noise around it (radial median = 1)."""
    trusted: bool = True
    """Whether the evidence is good enough to reconstruct with."""
    doubt: str = ""
    """Why it is not trusted and what to do, in words."""

    @model_validator(mode="after")
    def _a_shift_for_each_harmonic(self) -> Self:
        if self.shifts_rad and len(self.shifts_rad) != len(self.modulation):
            raise ValueError(f"{len(self.shifts_rad)} shifts_rad do not go with {len(self.modulation)} harmonic(s)")
        return self

    @property
    def period_um(self) -> float:
        """Period of the illumination [um]."""
        return 1 / math.hypot(self.kx, self.ky)

    @property
    def angle_deg(self) -> float:
        """Direction of k0 [degrees] in [0, 180), x to the right, y down."""
        angle = math.degrees(math.atan2(self.ky, self.kx)) % 180.0
        return 0.0 if angle >= 180.0 else angle

    @property
    def gains(self) -> tuple[float, ...]:
        """Relative brightness of each frame, filled in with 1."""
        return self.intensity or (1.0,) * len(self.phases_rad)

    def shift_rad(self, harmonic: int) -> float:
        """Return c_h of a harmonic, counted from 1 [rad]."""
        return self.shifts_rad[harmonic - 1] if self.shifts_rad else 0.0

    def canonical(self) -> "Pattern":
        """Return the same light described with k0 in the half-plane of angles [0, 180)."""
        return self if self.ky > 0 or (self.ky == 0 and self.kx > 0) else self.reversed()

    def reversed(self) -> "Pattern":
        """Return the same light described with k0 the other way; its phases then step the other way."""
        phases = tuple(math.remainder(-phase, 2 * math.pi) for phase in self.phases_rad)
        shifts = tuple(-shift for shift in self.shifts_rad)
        return self.replace(kx=-self.kx, ky=-self.ky, phases_rad=phases, shifts_rad=shifts)


class PatternSet(Description):
    """The illumination of a whole series: one pattern per orientation; none in even light."""

    patterns: tuple[Pattern, ...] = ()

    def __iter__(self) -> Iterator[Pattern]:  # type: ignore[override]  # a set of patterns, not of fields
        """Go through the patterns, orientation by orientation."""
        return iter(self.patterns)

    def __len__(self) -> int:
        return len(self.patterns)

    def __getitem__(self, index: int) -> Pattern:
        return self.patterns[index]

    @property
    def phases(self) -> int:
        """Phase steps per orientation; 1 in even light."""
        return len(self.patterns[0].phases_rad) if self.patterns else 1

    @property
    def harmonics(self) -> int:
        """Harmonics that carry signal; 0 in even light."""
        return len(self.patterns[0].modulation) if self.patterns else 0

    @property
    def trusted(self) -> bool:
        """Whether every pattern is trusted."""
        return all(pattern.trusted for pattern in self.patterns)

    @property
    def score(self) -> float:
        """Smallest score of all; 0 in even light."""
        return min((pattern.score for pattern in self.patterns), default=0.0)

    def check(self, angles: int, phases: int) -> None:
        """Raise ConfigError unless this set has `angles` orientations of `phases` steps."""
        found = [len(pattern.phases_rad) for pattern in self.patterns]
        if not found and angles * phases == 1:
            return
        if len(found) != angles or any(count != phases for count in found):
            raise ConfigError(
                f"patterns describe {len(found)} orientations with {found} phases, the microscope file says "
                f"{angles} angles x {phases} phases; estimate again, or correct pattern.angles/phases"
            )


def evenly_spaced(
    period_um: float,
    angles: int = 3,
    phases: int = 3,
    *,
    first_angle_deg: float = 0.0,
    modulation: tuple[float, ...] = (1.0,),
    first_phase_rad: float = 0.0,
) -> PatternSet:
    """Return nominal patterns: orientations 180 / angles, phase steps 360 / phases degrees apart."""
    steps = tuple(first_phase_rad + 2 * math.pi * step / phases for step in range(phases))
    directions = [math.radians(first_angle_deg + 180.0 * index / angles) for index in range(angles)]
    return PatternSet(
        patterns=tuple(
            Pattern(
                kx=math.cos(direction) / period_um,
                ky=math.sin(direction) / period_um,
                phases_rad=steps,
                modulation=modulation,
            )
            for direction in directions
        )
    )


def illumination(
    patterns: PatternSet,
    shape: tuple[int, int],
    pixel_um: float,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the relative light of every frame at the pixel centres, (angle, phase, y, x), mean about 1.

    Args:
        patterns: the illumination.
        shape: (y, x) of the grid; its corner is the image's corner.
        pixel_um: pixel of that grid [um].
        device: where to compute.
        dtype: of the result; the phases are computed in float64.
    """
    y = (torch.arange(shape[0], dtype=torch.float64, device=device) + 0.5) * pixel_um
    x = (torch.arange(shape[1], dtype=torch.float64, device=device) + 0.5) * pixel_um
    frames = []
    for pattern in patterns:
        base = 2 * math.pi * (pattern.kx * x[None, :] + pattern.ky * y[:, None])
        for gain, phase in zip(pattern.gains, pattern.phases_rad, strict=True):
            light = torch.ones_like(base)
            for harmonic, depth in enumerate(pattern.modulation, start=1):
                light += depth * torch.cos(harmonic * (base + phase) + pattern.shift_rad(harmonic))
            frames.append((gain * light).to(dtype))
    return torch.stack(frames).reshape(len(patterns), patterns.phases, *shape)


def shared_illumination(
    patterns: PatternSet, shape: tuple[int, int], pixel_um: float, *, device: torch.device | str = "cpu"
) -> Tensor:
    """Return the light of frames that hold all patterns at once, (1, phase, y, x) float32; see `illumination`."""
    gains = torch.tensor([pattern.gains for pattern in patterns], device=device).mean(dim=0)
    even = PatternSet(patterns=tuple(pattern.replace(intensity=()) for pattern in patterns))
    waves = illumination(even, shape, pixel_um, device=device).sub_(1).sum(dim=0, keepdim=True)
    return waves.add_(1).mul_(gains[:, None, None])
