"""Objectives of low NA, and pixels coarser than the OTF needs: what is folded is taken apart, or it is said."""

import pytest
import torch

from rdl_live.optics import Camera, Channel, Microscope, Optics, Reconstructor, estimate_patterns
from rdl_live.optics.modality import modality_of
from rdl_live.optics.noise import to_photons
from rdl_live.restore import Restorer
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.specimen.simulation import SimulatedSeries
from rdl_models import load_weights

SIDE = 128


def microscope(na: float, pixel_um: float) -> Microscope:
    return Microscope(
        name="coarse",
        optics=Optics(na=na, pixel_size_um=pixel_um, immersion_index=1.518),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
    )


def recorded(scope: Microscope, photons: float) -> SimulatedSeries:
    specimen = SpecimenSettings(kind="filaments", seed=5, density=0.6)
    return simulate(scope, specimen, photons=photons, shape=(SIDE, SIDE), seed=3, upsample=4).series(0)


def error(image: torch.Tensor, truth: torch.Tensor) -> float:
    rim = (slice(16, -16), slice(16, -16))
    return float((image - truth)[rim].square().mean().sqrt() / truth[rim].std())


@pytest.mark.parametrize(("na", "pixel_um"), [(0.4, 0.3), (1.49, 0.105), (1.49, 0.12), (0.75, 0.25)])
def test_stripes_are_as_deep_as_they_are_whatever_is_folded(na: float, pixel_um: float) -> None:
    """Sampled at 1.1, .84, .73 and .70 of what the OTF needs."""
    scope = microscope(na, pixel_um)
    series = recorded(scope, 1000.0)
    found, modality = estimate_patterns(series.adu, scope), modality_of(scope)
    assert found.trusted
    for one, true in zip(found, series.patterns, strict=True):
        assert one.modulation[0] == pytest.approx(true.modulation[0], abs=0.06)
    image, told = (Reconstructor(scope, one, (SIDE, SIDE))(series.adu) for one in (found, series.patterns))
    assert error(image, series.total) < 1.25 * error(told, series.total)
    judge = modality.judge(found, scope, scope.channels[0], (SIDE, SIDE))
    verdict = judge.judge(to_photons(series.adu.float(), scope.camera))
    assert (verdict.why, verdict.checked) == ("", True)
    assert not [text for text in modality.remarks(series.adu, scope, found, scope.channels[0]) if "coarser" in text]


def test_where_too_much_is_folded_it_is_said() -> None:
    scope = microscope(1.49, 0.18)
    series = recorded(scope, 1000.0)
    found = estimate_patterns(series.adu, scope)
    assert not found.trusted
    (text,) = modality_of(scope).remarks(series.adu, scope, found, scope.channels[0])
    assert "the pixel of 180 nm is coarser than the 88 nm that the objective needs" in text


@pytest.mark.parametrize(("na", "pixel_um"), [(0.75, 0.16), (1.2, 0.086)])
def test_the_shipped_denoiser_is_no_worse_than_sim_at_low_na_and_large_pixels(na: float, pixel_um: float) -> None:
    scope, weights = microscope(na, pixel_um), load_weights("rdl")
    for photons, least in ((5.0, 0.8), (1000.0, 1.05)):
        series = recorded(scope, photons)
        patterns = estimate_patterns(series.adu, scope)
        sim = error(Reconstructor(scope, patterns, (SIDE, SIDE))(series.adu), series.total)
        assert error(Restorer(scope, patterns, (SIDE, SIDE), weights)(series.adu), series.total) < least * sim
