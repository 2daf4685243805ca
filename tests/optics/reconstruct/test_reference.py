"""The quick float32 path is the formula: against an independent float64 implementation of it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from rdl_live.optics import (
    Apodization,
    Attenuation,
    Camera,
    Otf,
    PatternSet,
    Reconstructor,
    evenly_spaced,
)
from tests.optics.reconstruct.conftest import LINEAR, scope_for, uneven
from tests.optics.reconstruct.reference import reference_image

FOUR_PHASES = evenly_spaced(0.24, 2, 4, first_angle_deg=50.0, modulation=(0.6,))
FIVE_PHASES = evenly_spaced(0.21, 3, 5, first_angle_deg=-3.0, modulation=(1.0,), first_phase_rad=2.0)
NONLINEAR = evenly_spaced(0.3, 5, 5, first_angle_deg=8.0, modulation=(0.8, 0.3))
ONE_ANGLE = evenly_spaced(0.3, 1, 3, first_angle_deg=90.0, modulation=(0.9,))
SATURATED = PatternSet(patterns=tuple(one.replace(shifts_rad=(0.0, 2.0)) for one in NONLINEAR))
DOUBTFUL = PatternSet(patterns=(LINEAR[0], LINEAR[1].replace(trusted=False), LINEAR[2].replace(modulation=(0.0,))))

CASES = [
    pytest.param(LINEAR, (48, 48), id="3x3"),
    pytest.param(LINEAR, (31, 53), id="odd, not square"),
    pytest.param(LINEAR, (17, 100), id="small prime"),
    pytest.param(uneven(LINEAR), (40, 46), id="uneven steps and light"),
    pytest.param(DOUBTFUL, (40, 46), id="untrusted and unmodulated"),
    pytest.param(FOUR_PHASES, (38, 40), id="2 angles x 4 phases"),
    pytest.param(uneven(FIVE_PHASES), (38, 41), id="5 phases, uneven"),
    pytest.param(NONLINEAR, (40, 44), id="5x5, two harmonics"),
    pytest.param(uneven(NONLINEAR), (47, 40), id="5x5, uneven"),
    pytest.param(SATURATED, (40, 44), id="second harmonic shifted"),
    pytest.param(ONE_ANGLE, (36, 36), id="one angle along y"),
]


def padded(rec: Reconstructor) -> tuple[int, int]:
    return rec._geometry.padded


def difference(image: Tensor, wanted: np.ndarray) -> float:
    """Return the largest difference relative to the root mean square of the image."""
    return float(np.abs(image.numpy() - wanted).max() / np.sqrt(np.mean(wanted**2)))


@pytest.mark.parametrize(("patterns", "shape"), CASES)
@pytest.mark.parametrize("w", [0.3, 0.03])
def test_formula(patterns: PatternSet, shape: tuple[int, int], w: float, rough: Callable[..., Tensor]) -> None:
    scope = scope_for(patterns)
    frames = rough(len(patterns), patterns.phases, *shape)
    rec = Reconstructor(scope, patterns, shape, wiener=w)
    wanted = reference_image(frames.double().numpy(), Otf.of(scope), patterns, padded(rec), w)
    image = rec(frames)
    assert image.dtype == torch.float32
    assert image.shape == ((1 + patterns.harmonics) * shape[0], (1 + patterns.harmonics) * shape[1])
    assert difference(image, wanted) < 1e-4


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        (Apodization.TRIANGLE, lambda k, cutoff: np.clip(1 - k / cutoff, 0, None)),
        (Apodization.COSINE, lambda k, cutoff: np.cos(np.pi / 2 * np.minimum(k / cutoff, 1))),
        (Apodization.NONE, lambda k, cutoff: (k < cutoff).astype(float)),
    ],
)
def test_apodization(kind: Apodization, formula: Callable[..., np.ndarray], rough: Callable[..., Tensor]) -> None:
    frames = rough(3, 3, 40, 36)
    rec = Reconstructor(scope_for(LINEAR), LINEAR, (40, 36), wiener=0.1, apodization=kind)
    wanted = reference_image(frames.double().numpy(), Otf.of(rec.scope), LINEAR, padded(rec), 0.1, apodization=formula)
    assert difference(rec(frames), wanted) < 1e-4


def test_attenuation(rough: Callable[..., Tensor]) -> None:
    frames = rough(3, 3, 40, 36)
    rec = Reconstructor(scope_for(LINEAR), LINEAR, (40, 36), wiener=0.1, attenuation=Attenuation(0.9, 1.5))
    wanted = reference_image(
        frames.double().numpy(),
        Otf.of(rec.scope),
        LINEAR,
        padded(rec),
        0.1,
        notch=lambda k: 1 - 0.9 * np.exp(-(k**2) / (2 * 1.5**2)),
    )
    assert difference(rec(frames), wanted) < 1e-4


def test_camera_counts(rough: Callable[..., Tensor]) -> None:
    """Offset and gain are taken off exactly, also where the offset is much larger than the light."""
    camera = Camera(offset_adu=1000, gain_e_per_adu=0.25)
    scope = scope_for(LINEAR).replace(camera=camera.model_dump())
    adu = (rough(3, 3, 32, 36, photons=20.0) * 4 + 1000).round()
    photons = (adu.double().numpy() - 1000) * 0.25
    rec = Reconstructor(scope, LINEAR, (32, 36), wiener=0.2)
    wanted = reference_image(photons, Otf.of(scope), LINEAR, padded(rec), 0.2)
    assert difference(rec(adu.to(torch.uint16)), wanted) < 1e-4
