"""The network's own grid: exact both ways, and as coarse as the optics allow."""

import pytest
import torch

from rdl_live.restore.sampling import image_on, resized, spectrum_of, working_grid

FULL = (96, 120)


def band_limited(reach: float, seed: int = 3) -> torch.Tensor:
    """Return the spectrum of noise that ends at `reach` of the Nyquist frequency."""
    spectrum = torch.fft.rfft2(torch.randn(1, *FULL, generator=torch.Generator().manual_seed(seed)))
    return spectrum * target(reach)


def target(reach: float) -> torch.Tensor:
    ky, kx = torch.fft.fftfreq(FULL[0])[:, None], torch.fft.rfftfreq(FULL[1])[None]
    return (torch.hypot(ky, kx) < 0.5 * reach).float()


@pytest.mark.parametrize("reach", [0.2, 0.4, 0.6, 0.85])
def test_there_and_back_nothing_changes(reach: float) -> None:
    spectrum = band_limited(reach)
    grid = working_grid(target(reach), 0.9)
    image = image_on(spectrum, FULL, grid)
    assert tuple(image.shape[-2:]) == grid
    assert torch.allclose(spectrum_of(image, FULL), spectrum, atol=1e-3)
    assert image.mean() == pytest.approx(float(torch.fft.irfft2(spectrum, s=FULL).mean()), abs=1e-5)


def test_a_grid_below_the_cutoff_keeps_what_it_can_hold() -> None:
    spectrum, grid = band_limited(0.8), working_grid(target(0.8), 1.1)
    back = spectrum_of(image_on(spectrum, FULL, grid), FULL)
    inside = target(0.8 / 1.2) > 0
    assert torch.allclose(back[0][inside], spectrum[0][inside], atol=1e-3)
    assert back.abs().sum() < spectrum.abs().sum()


def test_values_are_those_of_the_finer_grid() -> None:
    """A grid of a half shows every other pixel."""
    spectrum, full = band_limited(0.4), torch.fft.irfft2(band_limited(0.4), s=FULL)
    assert torch.allclose(image_on(spectrum, FULL, (48, 60)), full[:, ::2, ::2], atol=1e-5)


@pytest.mark.parametrize("reach", [0.2, 0.4, 0.6, 0.85])
def test_the_cutoff_lies_where_it_is_wanted(reach: float) -> None:
    y, x = working_grid(target(reach), 0.9)
    assert y % 8 == x % 8 == 0
    assert FULL[0] * reach / 0.9 - 2 <= y <= FULL[0]
    assert FULL[1] * reach / 0.9 - 2 <= x <= FULL[1]


def test_a_network_of_three_scales_gets_whole_cells_on_all_of_them() -> None:
    y, x = working_grid(target(0.4), 1.1, 16)
    assert y % 16 == x % 16 == 0


def test_without_sampling_the_grid_is_kept() -> None:
    assert working_grid(target(0.3), 0.0) == FULL


def test_maps_are_resized_without_ringing() -> None:
    step = torch.zeros(1, 24, 30)
    step[:, :, 15:] = 1
    finer = resized(step, FULL)
    assert tuple(finer.shape[-2:]) == FULL
    assert finer.min() == 0
    assert finer.max() == 1
    assert torch.equal(finer[:, ::4, ::4], step)
