"""The OTF: ideal, with the pixel's own MTF, measured; and what the extended one of the SR image is."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.optics import Channel, Microscope, Optics, Otf, RadialOtf, ideal_otf, radial_otf
from rdl_live.optics.otf import pixel_mtf

CUTOFF = 4.95
PROFILE = RadialOtf(values=(2.0, 1.0, 0.5, 0.1), spacing=1.0)


def at(*k: float) -> torch.Tensor:
    return torch.tensor(k, dtype=torch.float64)


def test_ideal_otf_is_the_overlap_of_two_pupils() -> None:
    """Against counting the points that two shifted discs share."""
    grid = torch.linspace(-1, 1, 1501, dtype=torch.float64)
    y, x = grid[:, None], grid[None, :]
    disc = x**2 + y**2 <= 1
    for share in (0.0, 0.2, 0.5, 0.9):
        both = disc & ((x - 2 * share) ** 2 + y**2 <= 1)
        wanted = float(both.sum() / disc.sum())
        assert ideal_otf(at(share * CUTOFF), CUTOFF).item() == pytest.approx(wanted, abs=2e-3)


@given(k=st.floats(0, 20), cutoff=st.floats(0.5, 10))
def test_ideal_otf_ends_at_its_cutoff(k: float, cutoff: float) -> None:
    value = ideal_otf(at(k), cutoff).item()
    assert 0 <= value <= 1
    assert ideal_otf(at(-k), cutoff).item() == value
    if k >= cutoff:
        assert value == 0
    elif k < 0.99 * cutoff:
        assert value > 0


def test_otf_falls() -> None:
    k = torch.linspace(0, 1.2 * CUTOFF, 500)
    values = ideal_otf(k, CUTOFF)
    assert values[0] == 1
    assert (values.diff() <= 1e-7).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("measured", [None, PROFILE])
def test_nothing_beyond_the_cutoff(dtype: torch.dtype, measured: RadialOtf | None) -> None:
    otf = Otf(CUTOFF if measured is None else 2.5, 0.08, measured)
    angle = torch.linspace(0, 2 * math.pi, 97, dtype=dtype)
    for factor in (1.0001, 1.3, 4.0):
        beyond = otf(factor * otf.cutoff * torch.cos(angle), factor * otf.cutoff * torch.sin(angle))
        assert beyond.dtype == dtype
        assert (beyond == 0).all()
    inside = otf(0.9 * otf.cutoff * torch.cos(angle), 0.9 * otf.cutoff * torch.sin(angle))
    assert (inside > 0).all()
    assert otf(at(0.0), at(0.0)).item() == 1


def test_pixel_mtf_is_the_mean_over_the_pixel() -> None:
    """Against averaging a cosine over the pixel's square."""
    pixel, kx, ky = 0.1, 2.3, 1.1
    inside = (torch.arange(400, dtype=torch.float64) + 0.5) / 400 * pixel - pixel / 2
    wave = torch.cos(2 * math.pi * (kx * inside[None, :] + ky * inside[:, None]))
    assert pixel_mtf(at(kx), at(ky), pixel).item() == pytest.approx(wave.mean().item(), abs=1e-5)
    whole = Otf(CUTOFF, pixel)
    sampled = Otf(CUTOFF, pixel, integrates=False)
    ratio = whole(at(kx), at(ky)) / sampled(at(kx), at(ky))
    assert ratio.item() == pytest.approx(wave.mean().item(), abs=1e-5)


def test_measured_otf_is_interpolated() -> None:
    found = radial_otf(at(0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 3.001, 50.0), PROFILE)
    assert found.tolist() == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.15, 0.05, 0.0, 0.0])
    assert radial_otf(at(-1.0), PROFILE).item() == pytest.approx(0.5)
    # A measured OTF holds the pixel's MTF already.
    assert Otf(5.0, 0.1, PROFILE)(at(1.2), at(1.6)).item() == pytest.approx(0.25)


def test_an_ideal_otf_given_as_measured_is_the_same() -> None:
    k = torch.arange(200, dtype=torch.float64) * 0.03
    profile = RadialOtf(values=tuple(ideal_otf(k, CUTOFF).tolist()), spacing=0.03)
    where = torch.linspace(0, 5, 77, dtype=torch.float64)
    same = Otf(CUTOFF, 0.08, profile)(where, torch.zeros_like(where))
    ideal = Otf(CUTOFF, 0.08, integrates=False)(where, torch.zeros_like(where))
    assert (same - ideal).abs().max() < 1e-3


def test_of_a_microscope() -> None:
    green = Channel(name="green", excitation_nm=488, emission_nm=525)
    red = Channel(name="red", excitation_nm=561, emission_nm=600, otf=PROFILE)
    scope = Microscope(name="m", optics=Optics(na=1.3, pixel_size_um=0.08), channels=(green, red))
    assert Otf.of(scope).cutoff == pytest.approx(2 * 1.3 / 0.525)
    assert Otf.of(scope).measured is None
    assert Otf.of(scope, red).cutoff == pytest.approx(2 * 1.3 / 0.6)
    assert Otf.of(scope, red).measured == PROFILE
    other = RadialOtf(values=(1.0, 0.5), spacing=2.0)
    both = scope.replace(optics=Optics(na=1.3, pixel_size_um=0.08, otf=other).model_dump())
    assert Otf.of(both, both.channels[0]).measured == other
    assert Otf.of(both, both.channels[1]).measured == PROFILE


@pytest.mark.parametrize(("pixel", "aliased"), [(0.1, False), (0.102, True)])
def test_aliasing_is_told(pixel: float, aliased: bool) -> None:
    assert Otf(CUTOFF, pixel).aliased is aliased
