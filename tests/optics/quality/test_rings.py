"""Rings: half-plane sums equal full-plane sums."""

import pytest
import torch

from rdl_live.optics.quality.rings import effective_fraction, rings, taper, tapered_spectrum

SHAPES = [(16, 16), (17, 17), (16, 24), (24, 15), (9, 32)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("finer", [1, 2])
def test_rings_hold_the_whole_plane(shape: tuple[int, int], finer: int) -> None:
    grid = rings(shape, 0.1, finer=finer)
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    power = torch.fft.rfft2(image).abs().square()
    assert float(grid.count.sum()) == shape[0] * shape[1]
    # Parseval: what the rings and corners hold is the image's energy.
    assert float(grid.sum(power).sum()) == pytest.approx(float(image.square().sum()) * image.numel())
    torch.testing.assert_close(grid.mean(torch.ones_like(power))[grid.count > 0].unique(), torch.ones(1).double())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_wave_falls_into_its_ring(shape: tuple[int, int]) -> None:
    grid = rings(shape, 0.1)
    column = torch.arange(shape[1], dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * 3 * column / shape[1]).expand(shape)
    ring = int(grid.sum(torch.fft.rfft2(wave).abs().square()).argmax())
    assert float(grid.frequency[ring]) == pytest.approx(3 / (shape[1] * 0.1), abs=0.51 * grid.width)


def test_last_ring_is_the_nyquist_frequency() -> None:
    for size in (16, 17, 64):
        assert float(rings((size, size), 0.05).frequency[-1]) <= 10 + 1e-9
        assert float(rings((size, size), 0.05).frequency[-1]) > 10 - 1 / (size * 0.05)


def test_taper_is_flat_inside_and_low_at_the_edge() -> None:
    window = taper((64, 40))
    assert float(window[32, 20]) == 1
    assert float(window[0].max()) < 0.05
    torch.testing.assert_close(window, window.flip(0, 1))
    assert 0.5 < effective_fraction(window) < 1
    assert effective_fraction(torch.ones(8, 8)) == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 1e-20, 3.3e4, -1e9])
def test_flat_image_has_no_spectrum(value: float) -> None:
    assert float(tapered_spectrum(torch.full((32, 33), value), taper((32, 33))).abs().max()) == 0


def test_spectrum_keeps_under_scale_and_offset() -> None:
    image = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    window = taper((32, 32))
    torch.testing.assert_close(
        tapered_spectrum(1e12 * image, window), tapered_spectrum(image + 5, window), rtol=1e-3, atol=1e-3
    )
