"""A small microscope and series of it that the reconstruction's tests share."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rdl_live.optics import (
    Channel,
    ForwardModel,
    Microscope,
    Optics,
    Otf,
    Pattern,
    PatternGeometry,
    PatternSet,
    evenly_spaced,
)

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.08),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
)
LINEAR = evenly_spaced(0.22, first_angle_deg=17.0, modulation=(0.8,), first_phase_rad=0.4)


def scope_for(patterns: PatternSet) -> Microscope:
    """Return the microscope with as many angles, phases and harmonics as the patterns have."""
    counts = PatternGeometry(angles=len(patterns), phases=patterns.phases, harmonics=patterns.harmonics)
    return SCOPE.replace(pattern=counts.model_dump())


def uneven(patterns: PatternSet) -> PatternSet:
    """Return patterns with phase errors, flicker and orientations of different brightness; mean brightness 1."""
    changed: list[Pattern] = []
    brightness = (0.8, 1.05, 1.15)
    for index, pattern in enumerate(patterns):
        steps = [phase + math.radians(12 * math.sin(3.0 * j + index)) for j, phase in enumerate(pattern.phases_rad)]
        flicker = [1 + 0.1 * math.cos(2.0 * j + index) for j in range(len(steps))]
        mean = sum(flicker) / len(flicker)
        gains = tuple(brightness[index % 3] * value / mean for value in flicker)
        changed.append(pattern.replace(phases_rad=tuple(steps), intensity=gains))
    return PatternSet(patterns=tuple(changed))


def compact_object(shape: tuple[int, int], upsample: int = 4, seed: int = 3) -> Tensor:
    """Return points and arcs in the middle of a dark field, on the fine grid, mean about 100."""
    generator = torch.Generator().manual_seed(seed)
    height, width = shape[0] * upsample, shape[1] * upsample
    image = torch.zeros(height, width)
    where = torch.rand(60, 2, generator=generator) * 0.4 + 0.3
    image[(where[:, 0] * height).long(), (where[:, 1] * width).long()] = 1.0
    turn = torch.linspace(0, 5, 400)
    rows = (0.5 + 0.15 * torch.sin(turn)) * height
    columns = (0.5 + 0.18 * torch.cos(turn)) * width
    image[rows.long(), columns.long()] = 0.5
    return 100 * image / image.mean()


def photograph(image: Tensor, patterns: PatternSet, shape: tuple[int, int], upsample: int = 4) -> Tensor:
    """Return the noise-free series (A, P, y, x) of an object that is dark at its edges [photons]."""
    return ForwardModel(Otf.of(SCOPE), patterns, shape, upsample=upsample).forward(image)


@pytest.fixture(scope="session")
def scope() -> Microscope:
    """A microscope whose camera counts photons."""
    return SCOPE


@pytest.fixture(scope="session")
def rough() -> Callable[..., Tensor]:
    """Random frames, bright up to their edges: for laws that hold for any numbers."""

    def frames(*shape: int, seed: int = 0, photons: float = 100.0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.poisson(photons * torch.rand(shape, generator=generator), generator=generator)

    return frames
