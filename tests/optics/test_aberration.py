"""An OTF below the ideal one: factors and limits by their formulas."""

import math

import numpy as np
import pytest
import torch

from rdl_live.optics.aberration import ABERRATIONS, AberrationSettings, _pupil_otf, aberrated
from rdl_live.optics.microscope import Channel, Microscope, Optics
from rdl_live.optics.otf import Otf, ideal_otf

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.065),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
)
OTF = Otf.of(SCOPE)


def along_x(otf: Otf, k: torch.Tensor) -> torch.Tensor:
    return otf(k, torch.zeros_like(k))


def test_nothing_wrong_changes_nothing() -> None:
    assert aberrated(OTF, AberrationSettings(), SCOPE) is OTF


def test_damping_is_its_factor() -> None:
    k = torch.linspace(0.2, 4.0, 20, dtype=torch.float64)
    found = along_x(aberrated(OTF, AberrationSettings(damping_um=0.1), SCOPE), k)
    torch.testing.assert_close(found / along_x(OTF, k), torch.exp(-0.1 * k), rtol=0.03, atol=0.0)


def test_a_pupil_without_phases_gives_the_ideal_otf() -> None:
    share = torch.linspace(0, 1, 65)[:-1]
    found = _pupil_otf(1.3, 1.518, 0.525, 0.0, 0.0)
    np.testing.assert_allclose(found[:64], ideal_otf(share, 1.0).numpy(), atol=0.015)


def test_little_spherical_aberration_lowers_the_peak_as_marechal_says() -> None:
    # The Strehl ratio is the OTF's integral over the plane relative to the ideal one: exp(-phase variance).
    share = np.linspace(0, 1, 65)
    ideal, wrong = (_pupil_otf(1.3, 1.518, 0.525, 0.0, size) for size in (0.0, 0.4))
    strehl = float((wrong * share).sum() / (ideal * share).sum())
    assert strehl == pytest.approx(math.exp(-(0.4**2)), abs=0.02)


def test_defocus_either_way_lowers_the_middle_frequencies() -> None:
    k = torch.tensor([1.5, 2.5], dtype=torch.float64)
    up, down = (along_x(aberrated(OTF, AberrationSettings(defocus_um=z), SCOPE), k) for z in (0.3, -0.3))
    torch.testing.assert_close(up, down, rtol=1e-3, atol=1e-4)
    assert (up < 0.7 * along_x(OTF, k)).all()


def test_a_wrong_pixel_moves_the_cutoff() -> None:
    found = aberrated(OTF, AberrationSettings(pixel_error=0.02), SCOPE)
    assert found.cutoff == pytest.approx(1.02 * OTF.cutoff)


@pytest.mark.parametrize("name", sorted(ABERRATIONS))
def test_light_is_kept(name: str) -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    assert aberrated(OTF, ABERRATIONS[name], SCOPE)(zero, zero).item() == pytest.approx(1.0)
