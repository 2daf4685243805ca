"""Decorrelation: known cut-offs with noise, ordering, laws."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rdl_live.optics.forward import Imaging
from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality import decorrelation
from rdl_live.optics.quality.decorrelation import Profile
from rdl_live.optics.quality.rings import taper, tapered_spectrum
from rdl_live.optics.target import extended_cutoff, sr_target

PIXEL_UM = 0.04


def limited(image: Tensor, cutoff: float) -> Tensor:
    """Cut the spectrum off at `cutoff` and bring the image to unit variance."""
    kx, ky = frequencies((image.shape[-2], image.shape[-1]), PIXEL_UM, half=True)
    kept = torch.fft.irfft2(torch.fft.rfft2(image) * (torch.hypot(kx, ky) < cutoff), s=image.shape[-2:])
    return kept / kept.std()


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cutoff", [3.0, 5.0, 8.0])
@pytest.mark.parametrize("level", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("shape", [(256, 256), (255, 200)])
def test_finds_the_cutoff_of_noisy_texture(cutoff: float, level: float, shape: tuple[int, int]) -> None:
    image = limited(noise(*shape), cutoff) + level * noise(*shape, seed=2)
    found = decorrelation(image, PIXEL_UM)
    assert found.cutoff_per_um == pytest.approx(cutoff, rel=0.1)
    assert found.resolution_um == pytest.approx(1 / cutoff, rel=0.1)


@pytest.mark.parametrize("cutoff", [3.0, 5.0, 8.0])
def test_finds_the_cutoff_of_noisy_filaments(filaments: Callable[..., Tensor], cutoff: float) -> None:
    image = limited(filaments(256), cutoff) + 0.2 * noise(256, 256)
    assert decorrelation(image, PIXEL_UM).resolution_um == pytest.approx(1 / cutoff, rel=0.1)


def test_sr_reads_finer_than_widefield(filaments: Callable[..., Tensor], otf: Otf, patterns: PatternSet) -> None:
    specimen = filaments(512, seed=5)
    widefield = Imaging(otf, (128, 128), upsample=4).forward(specimen)
    sharp = sr_target(specimen, otf, patterns, upsample=4, sr_factor=2)
    scale = 100 / widefield.mean()
    generator = torch.Generator().manual_seed(0)
    coarse, fine = (
        decorrelation(torch.poisson((image * scale).clamp(min=0), generator=generator), pixel).resolution_um
        for image, pixel in ((widefield, otf.pixel_um), (sharp, otf.pixel_um / 2))
    )
    assert coarse is not None
    assert fine is not None
    # An OTF fades out before its cut-off, so both read coarser than their limits, but not by half.
    assert 1 / otf.cutoff < coarse < 1.5 / otf.cutoff
    limit = 1 / extended_cutoff(otf.cutoff, patterns)
    assert limit < fine < 1.5 * limit


@pytest.mark.parametrize("size", [32, 64, 129, 256])
def test_pure_noise_has_no_resolution(size: int) -> None:
    for seed in range(5):
        assert decorrelation(noise(size, size, seed=seed), PIXEL_UM).resolution_um is None


@pytest.mark.parametrize("value", [0.0, 3.3e4, -1.0])
def test_flat_image_has_no_resolution(value: float) -> None:
    found = decorrelation(torch.full((40, 33), value), PIXEL_UM)
    assert (found.resolution_um, found.cutoff_per_um, found.height, found.contrast) == (None, None, 0.0, 0.0)


@given(st.floats(1e-6, 1e6), st.floats(-5.0, 5.0))
def test_scale_and_offset_do_not_matter(scale: float, offset: float) -> None:
    image = limited(noise(64, 64), 5.0) + 0.1 * noise(64, 64, seed=2)
    plain = decorrelation(image, PIXEL_UM).resolution_um
    assert decorrelation(scale * (image + offset), PIXEL_UM).resolution_um == pytest.approx(plain, rel=0.03)


@pytest.mark.parametrize("turn", [lambda x: x.T, lambda x: x.flip(0), lambda x: x.roll((7, -12), (0, 1))])
def test_turning_the_image_does_not_matter(turn: Callable[[Tensor], Tensor]) -> None:
    image = limited(noise(128, 128), 4.0) + 0.1 * noise(128, 128, seed=2)
    plain = decorrelation(image, PIXEL_UM).resolution_um
    assert decorrelation(turn(image), PIXEL_UM).resolution_um == pytest.approx(plain, rel=0.05)


def test_pixel_sets_the_unit() -> None:
    image = limited(noise(128, 128), 4.0) + 0.1 * noise(128, 128, seed=2)
    one, other = (decorrelation(image, pixel).resolution_um for pixel in (0.04, 0.08))
    assert one is not None
    assert other == pytest.approx(2 * one)


def test_more_noise_lowers_the_contrast() -> None:
    image = limited(noise(128, 128), 4.0)
    read = [decorrelation(image + level * noise(128, 128, seed=2), PIXEL_UM).contrast for level in (0.02, 0.2, 0.6)]
    assert read == sorted(read, reverse=True)


def test_curve_from_ring_sums_is_the_definition() -> None:
    """d(r) by masks on the full plane, as the paper writes it."""
    image = limited(noise(256, 256), 4.0) + noise(256, 256, seed=2)
    profile = Profile.of(image, PIXEL_UM)
    radii = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    ring_curve = profile.curves(radii, torch.tensor([3.0], dtype=torch.float64))[0]
    # The reference sees what the rings see: the same window, but each sample has its own radius.
    half = tapered_spectrum(image, taper((256, 256), fraction=20 / 256))
    full = torch.fft.fft2(torch.fft.irfft2(half, s=(256, 256)))
    kx, ky = frequencies((256, 256), PIXEL_UM)
    radius = torch.hypot(kx, ky) * 2 * PIXEL_UM
    filtered = full * (1 - torch.exp(-2 * 9 * radius.square()))
    phases = full / full.abs()
    inside = radius <= 1
    for place, limit in enumerate(radii):
        mask = radius <= limit
        cross = (filtered * phases.conj()).real[mask].sum()
        norm = (filtered[inside].abs().square().sum() * phases[mask].abs().square().sum()).sqrt()
        assert float(ring_curve[place]) == pytest.approx(float(cross / norm), rel=0.02)


@pytest.mark.parametrize("shape", [(31, 64), (1, 64, 64)])
def test_wrong_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one real image"):
        decorrelation(torch.zeros(shape), PIXEL_UM)


def test_wrong_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="pixel_um"):
        decorrelation(torch.zeros(64, 64), 0.0)
