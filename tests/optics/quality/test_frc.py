"""FRC: known signal-to-noise ratios, chance, thresholds; thinning of photon counts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.quality import Criterion, fourier_ring_correlation, thin
from rdl_live.optics.quality.rings import effective_fraction, rings, taper

PIXEL_UM = 0.05


def coloured(size: int, width: float, seed: int = 0) -> torch.Tensor:
    """White noise filtered by exp(-(k / width)^2): power per sample exp(-2 (k / width)^2)."""
    kx, ky = frequencies((size, size), PIXEL_UM, half=True)
    transfer = torch.exp(-(torch.hypot(kx, ky) / width).square()).float()
    white = torch.randn(size, size, generator=torch.Generator().manual_seed(seed))
    return torch.fft.irfft2(torch.fft.rfft2(white) * transfer, s=(size, size))


def two_halves(size: int, width: float, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1000 + seed)
    image = coloured(size, width, seed)
    one, other = noise * torch.randn(2, size, size, generator=generator)
    return image + one, image + other


@pytest.mark.parametrize(("size", "width", "noise"), [(128, 3, 0.1), (128, 5, 0.3), (256, 5, 0.3), (256, 3, 0.1)])
def test_resolution_where_the_known_snr_says(size: int, width: float, noise: float) -> None:
    # FRC = snr / (1 + snr) = 1/7 at snr = 1/6, with snr = exp(-2 (k / width)^2) / noise^2.
    expected = width * math.sqrt(math.log(6 / noise**2) / 2)
    found = fourier_ring_correlation(*two_halves(size, width, noise), PIXEL_UM).resolution_um
    assert found is not None
    assert 1 / found == pytest.approx(expected, rel=0.06)


def test_curve_follows_the_known_snr() -> None:
    result = fourier_ring_correlation(*two_halves(256, 4, 0.2), PIXEL_UM)
    snr = torch.exp(-2 * (result.frequency_per_um / 4).square()) / 0.2**2
    error = (result.smoothed - snr / (1 + snr))[5:]
    assert float(error.abs().max()) < 0.08


def test_more_noise_reads_worse() -> None:
    read = [fourier_ring_correlation(*two_halves(128, 5, noise), PIXEL_UM).resolution_um for noise in (0.1, 0.3, 0.8)]
    assert None not in read
    assert read == sorted(read, key=lambda value: value or 0)


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("size", [32, 96])
def test_pure_noise_has_no_resolution(criterion: Criterion, size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        one, other = torch.randn(2, size, size, generator=generator)
        result = fourier_ring_correlation(one, other, PIXEL_UM, criterion=criterion)
        assert (result.resolution_um, result.agrees_to_end) == (None, False)


def test_chance_scatters_as_the_thresholds_assume() -> None:
    generator = torch.Generator().manual_seed(0)
    curves = torch.stack(
        [
            fourier_ring_correlation(*torch.randn(2, 64, 64, generator=generator), PIXEL_UM).correlation
            for _ in range(100)
        ]
    )
    window = taper((64, 64))
    independent = rings((64, 64), PIXEL_UM).count[: curves.shape[1]] * effective_fraction(window)
    ratio = (curves.std(dim=0) * independent.sqrt())[3:]
    assert float(ratio.mean()) == pytest.approx(1, abs=0.15)


def test_criteria_in_their_order() -> None:
    halves = two_halves(256, 4, 0.3)
    read = {c: fourier_ring_correlation(*halves, PIXEL_UM, criterion=c).resolution_um or 0 for c in Criterion}
    assert 0 < read[Criterion.ONE_SEVENTH] < read[Criterion.HALF_BIT] < read[Criterion.ONE_BIT]
    assert 0 < read[Criterion.TWO_SIGMA] < read[Criterion.HALF_BIT]


def test_identical_images_agree_to_nyquist() -> None:
    image = two_halves(64, 5, 0.3)[0]
    result = fourier_ring_correlation(image, image, PIXEL_UM)
    assert result.agrees_to_end
    assert result.resolution_um is None
    torch.testing.assert_close(result.correlation, torch.ones_like(result.correlation))


@given(st.floats(1e-6, 1e6), st.floats(-10.0, 10.0))
def test_scale_and_offset_do_not_matter(scale: float, offset: float) -> None:
    one, other = two_halves(64, 5, 0.3)
    plain = fourier_ring_correlation(one, other, PIXEL_UM)
    scaled = fourier_ring_correlation(scale * (one + offset), other, PIXEL_UM)
    torch.testing.assert_close(scaled.correlation, plain.correlation, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("value", [0.0, 1e5])
def test_flat_images_give_none_and_no_nan(criterion: Criterion, value: float) -> None:
    flat = torch.full((33, 40), value)
    result = fourier_ring_correlation(flat, flat, PIXEL_UM, criterion=criterion)
    assert result.resolution_um is None
    assert not result.agrees_to_end
    assert bool(torch.isfinite(result.smoothed).all())


def test_oblong_images() -> None:
    one, other = two_halves(256, 5, 0.3)
    whole = fourier_ring_correlation(one, other, PIXEL_UM).resolution_um
    part = fourier_ring_correlation(one[:150], other[:150], PIXEL_UM).resolution_um
    assert part == pytest.approx(whole, rel=0.08)


@pytest.mark.parametrize("shape", [(64, 65), (2, 64, 64), (4, 4)])
def test_wrong_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image"):
        fourier_ring_correlation(torch.zeros(shape), torch.zeros(64, 64), PIXEL_UM)


@pytest.mark.parametrize("fraction", [0.5, 0.2])
@pytest.mark.parametrize("read_noise", [0.0, 1.5])
def test_thinned_halves_are_uncorrelated_and_complete(fraction: float, read_noise: float) -> None:
    generator = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.full((300, 300), 10.0), generator=generator)
    counts = counts + read_noise * torch.randn(counts.shape, generator=generator)
    one, other = thin(counts, fraction, read_noise_e=read_noise, generator=generator)
    torch.testing.assert_close(one + other, counts)
    assert float(one.mean()) == pytest.approx(10 * fraction, rel=0.01)
    assert float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) == pytest.approx(0, abs=0.012)
    expected = 10 * fraction + fraction * read_noise**2
    assert float(one.var()) == pytest.approx(expected, rel=0.05)


def test_read_noise_left_out_leaves_a_correlation() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = 20 + 3 * torch.randn(200, 200, generator=generator) + 4 * torch.randn(200, 200, generator=generator)
    one, other = thin(counts, generator=generator)
    assert float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) > 0.05


def test_thinning_can_be_repeated_and_keeps_whole_photons() -> None:
    counts = torch.randint(0, 20, (64, 64), generator=torch.Generator().manual_seed(0)).float()
    one, other = thin(counts, generator=torch.Generator().manual_seed(5))
    again, _ = thin(counts, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(one, again)
    torch.testing.assert_close(one, one.round())
    assert float(one.min()) >= 0
    assert float(other.min()) >= 0


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_wrong_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        thin(torch.ones(4), fraction)
