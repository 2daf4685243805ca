"""The damping that is measured on the data comes close to the best that a textbook can do with the truth in hand."""

import numpy as np
import pytest
import torch

from benchmarks.score import nrmse
from benchmarks.textbook import best_textbook
from rdl_live.optics import Camera, Channel, Microscope, Optics, Otf, Reconstructor, estimate_patterns
from rdl_live.optics.noise import to_photons
from rdl_live.specimen import SpecimenSettings, simulate
from tests.optics.reconstruct.conftest import LINEAR, SCOPE, compact_object, photograph


def microscope(na: float, pixel_um: float, gain: float = 0.5) -> Microscope:
    return Microscope(
        name="test",
        optics=Optics(na=na, pixel_size_um=pixel_um),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100, gain_e_per_adu=gain, read_noise_e=1.5),
    )


def ratio(
    scope: Microscope, kind: str, photons: float, size: int, seed: int, haze: float = 0.0, blind: bool = True
) -> float:
    """Return our error, patterns unknown if blind, relative to the textbook's with true patterns and the best w."""
    specimen = SpecimenSettings(kind=kind, seed=seed, haze=haze)
    series = simulate(scope, specimen, photons=photons, shape=(size, size), seed=seed).series(0)
    light = to_photons(series.adu, scope.camera).double().numpy()
    truth = series.total.double().numpy()
    _, _, least = best_textbook(light, Otf.of(scope), series.patterns, truth)
    patterns = estimate_patterns(series.adu, scope) if blind else series.patterns
    rec = Reconstructor(scope, patterns, (size, size))
    image = rec(series.adu)
    assert image.mean().item() == pytest.approx(light.mean(), rel=0.01)
    return nrmse(image.numpy(), truth) / least


@pytest.mark.parametrize(
    ("kind", "photons", "na", "pixel_um"),
    [("filaments", 1000.0, 1.49, 0.065), ("rings", 100.0, 1.3, 0.08), ("reticulum", 20.0, 1.3, 0.08)],
)
def test_damping_is_close_to_the_best(kind: str, photons: float, na: float, pixel_um: float) -> None:
    assert ratio(microscope(na, pixel_um), kind, photons, size=112, seed=11, blind=False) < 1.06


def test_close_to_the_best_textbook_patterns_unknown() -> None:
    assert ratio(microscope(1.3, 0.08), "filaments", 100.0, size=192, seed=11) < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("photons", [1000.0, 100.0, 20.0])
@pytest.mark.parametrize("kind", ["actin", "filaments", "mitochondria", "mixed", "reticulum", "rings"])
@pytest.mark.parametrize(("na", "pixel_um", "haze"), [(1.49, 0.065, 0.0), (1.1, 0.1, 0.0), (1.4, 0.07, 0.5)])
def test_close_to_the_best_textbook_on_every_specimen(
    kind: str, photons: float, na: float, pixel_um: float, haze: float
) -> None:
    # A gain at which the camera does not saturate.
    scope = microscope(na, pixel_um, gain=0.5 if photons < 1000 else 2.0)
    assert ratio(scope, kind, photons, size=256, seed=21, haze=haze) < 1.15


def test_more_light_less_damping() -> None:
    shape = (96, 96)
    frames = photograph(compact_object(shape), LINEAR, shape).clamp(min=0)
    found = []
    for factor in (0.1, 1.0, 10.0):
        generator = torch.Generator().manual_seed(0)
        rec = Reconstructor(SCOPE, LINEAR, shape)
        rec(torch.poisson(frames * factor, generator=generator))
        found.append(rec.wiener or 0.0)
    assert found[0] > 2 * found[1] > 4 * found[2] > 0


def test_damping_stays_until_it_is_measured_anew() -> None:
    """A time-lapse is treated alike throughout; `calibrate` takes the noise of today."""
    shape = (96, 96)
    frames = photograph(compact_object(shape), LINEAR, shape).clamp(min=0)
    generator = torch.Generator().manual_seed(0)
    bright, dim = torch.poisson(frames, generator=generator), torch.poisson(frames / 20, generator=generator)
    rec = Reconstructor(SCOPE, LINEAR, shape)
    assert rec.wiener is None
    rec(bright)
    first = rec.wiener
    kept = rec(dim)
    assert rec.wiener == first
    rec.calibrate(dim)
    assert rec.wiener is not None
    assert first is not None
    assert rec.wiener > 2 * first
    anew = rec(dim)
    assert np.abs((kept - anew).numpy()).max() > 0.01 * float(kept.max())
    fresh = Reconstructor(SCOPE, LINEAR, shape)
    assert (fresh(dim) - anew).abs().max() < 1e-4 * anew.max()


def test_a_given_parameter_is_used() -> None:
    rec = Reconstructor(SCOPE, LINEAR, (32, 32), wiener=0.2)
    assert rec.wiener == 0.2
    rec(torch.ones(3, 3, 32, 32))
    assert rec.wiener == 0.2
