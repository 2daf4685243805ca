"""Specimens and series that the quality tests share."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rdl_live.optics.forward import Imaging
from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet, evenly_spaced, illumination

PIXEL_UM = 0.0626
MARGIN = 32


def lines(size: int, seed: int = 0, number: int = 60) -> Tensor:
    """Return straight filaments on a grid, (size, size)."""
    generator = torch.Generator().manual_seed(seed)
    along = torch.linspace(-size, size, 4 * size)
    image = torch.zeros(size, size)
    for start_y, start_x, turn in torch.rand(number, 3, generator=generator).tolist():
        y = start_y * size + along * math.sin(turn * math.pi)
        x = start_x * size + along * math.cos(turn * math.pi)
        inside = (y >= 0) & (y < size) & (x >= 0) & (x < size)
        where = (y[inside].long(), x[inside].long())
        image.index_put_(where, torch.ones(int(inside.sum())), accumulate=True)
    return image


def displaced(image: Tensor, x: float, y: float) -> Tensor:
    """Shift periodically by (x, y) pixels, in Fourier space."""
    kx, ky = frequencies((image.shape[-2], image.shape[-1]), 1.0, half=True)
    turn = torch.polar(torch.ones_like(kx * ky), -2 * math.pi * (kx * x + ky * y))
    return torch.fft.irfft2(torch.fft.rfft2(image.double()) * turn, s=image.shape[-2:]).float()


@pytest.fixture(scope="session")
def filaments() -> Callable[..., Tensor]:
    """Make (size, seed, number) -> straight filaments."""
    return lines


@pytest.fixture(scope="session")
def otf() -> Otf:
    """A 1.49 NA objective at 525 nm, pixel 62.6 nm."""
    return Otf(2 * 1.49 / 0.525, PIXEL_UM)


@pytest.fixture(scope="session")
def patterns() -> PatternSet:
    """Three orientations, three phases, period 182 nm, none along an axis."""
    return evenly_spaced(0.182, first_angle_deg=10, modulation=(0.8,))


@pytest.fixture(scope="session")
def moving_series(otf: Otf, patterns: PatternSet) -> Callable[..., Tensor]:
    """Make (shifts_um, photons, seed) -> a noisy series (3, 3, 128, 128) of a larger specimen."""
    size = 128 + 2 * MARGIN
    specimen = lines(2 * size, seed=7)
    imaging = Imaging(otf, (size, size))
    light = illumination(patterns, imaging.fine_shape, PIXEL_UM / 2)

    def make(shifts_um: list[tuple[float, float]], photons: float, seed: int = 0) -> Tensor:
        fine = PIXEL_UM / 2
        frames = [
            imaging.forward(displaced(specimen, x / fine, y / fine) * lit)
            for (x, y), lit in zip(shifts_um, light, strict=True)
        ]
        series = torch.stack(frames)[..., MARGIN:-MARGIN, MARGIN:-MARGIN].clamp(min=0)
        expected = series / series.mean() * photons
        return torch.poisson(expected, generator=torch.Generator().manual_seed(seed))

    return make
