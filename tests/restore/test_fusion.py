"""Data consistency: exact in the light, the network in the dark, and never much worse than the better of the two."""

import pytest
import torch
from torch import Tensor

from rdl_live.restore.evidence import Evidence
from rdl_live.restore.fusion import fused_spectrum, rings_of, trust

GRID = (96, 96)


def fuse(evidence: Evidence, estimate: Tensor, rings: Tensor) -> Tensor:
    """Return the image of `fused_spectrum` for an image (n, y, x)."""
    return evidence.image(fused_spectrum(evidence, torch.fft.rfft2(estimate), rings))


def frequencies() -> Tensor:
    """|k| relative to the cut-off, which lies at 0.4 of the sampling frequency."""
    ky, kx = torch.fft.fftfreq(GRID[0])[:, None], torch.fft.rfftfreq(GRID[1])[None, :]
    return torch.hypot(ky, kx) / 0.4


def scene(noise: float, seed: int = 0) -> tuple[Evidence, Tensor]:
    """Evidence of a random object of falling spectrum, and the SR image that is true of it (y, x)."""
    generator = torch.Generator().manual_seed(seed)
    k = frequencies()
    transfer = (1 - k).clamp(min=0)
    power, target = transfer**2, transfer.sqrt()
    white = torch.fft.rfft2(torch.randn(GRID, generator=generator))
    obj = white * 3 / (1 + (4 * k) ** 2)
    obj[0, 0] = 5.0 * GRID[0] * GRID[1]
    errors = torch.fft.rfft2(torch.randn(GRID, generator=generator)) / (GRID[0] * GRID[1]) ** 0.5
    matched = power * obj + (noise * power).sqrt() * errors
    signal = (3 / (1 + (4 * k) ** 2)) ** 2 * GRID[0] * GRID[1]
    truth = torch.fft.irfft2(target * obj, s=GRID)
    evidence = Evidence(
        matched[None], power[None], target[None], (noise / signal)[None], torch.tensor([noise], dtype=torch.float32)
    )
    return evidence, truth


def blurred_noise(seed: int, size: float) -> Tensor:
    """An error that a network might make: smooth, of standard deviation `size`."""
    white = torch.fft.rfft2(torch.randn(GRID, generator=torch.Generator().manual_seed(seed)))
    smooth = torch.fft.irfft2(white * torch.exp(-3 * frequencies() ** 2), s=GRID)
    return size * smooth / smooth.std()


def error(image: Tensor, truth: Tensor) -> float:
    return float((image.squeeze() - truth).square().mean().sqrt())


@pytest.mark.parametrize("size", [0.01, 0.3, 10.0])
def test_the_brighter_the_less_the_network_matters(size: float) -> None:
    rings = rings_of(GRID[0], GRID[1] // 2 + 1)
    errors = []
    for noise in (1e4, 1e1, 1e-2):
        evidence, truth = scene(noise)
        errors.append(error(fuse(evidence, (truth + blurred_noise(9, size))[None], rings), truth))
    assert errors == sorted(errors, reverse=True)
    # All but the rim of the band, where no light is bright enough.
    assert errors[-1] < 0.03


@pytest.mark.parametrize("noise", [1e5, 1e3, 1e1])
@pytest.mark.parametrize("size", [0.003, 0.03, 0.3, 3.0])
def test_never_much_worse_than_the_better_of_network_and_data(noise: float, size: float) -> None:
    evidence, truth = scene(noise, seed=2)
    alone = (truth + blurred_noise(4, size))[None]
    fused = error(fuse(evidence, alone, rings_of(GRID[0], GRID[1] // 2 + 1)), truth)
    data = error(evidence.wiener(), truth)
    # What the network is not believed (LEAST_ERROR) is the price of safety: it shows only where it is all but perfect.
    assert fused < 1.1 * min(error(alone, truth), data) + 0.3 * data


def test_errors_of_network_and_data_that_are_equal_are_both_made_smaller() -> None:
    evidence, truth = scene(3e2, seed=5)
    data = error(evidence.wiener(), truth)
    alone = (truth + blurred_noise(6, data))[None]
    assert error(fuse(evidence, alone, rings_of(GRID[0], GRID[1] // 2 + 1)), truth) < 0.9 * data


def test_the_mean_is_that_of_the_data() -> None:
    evidence, _ = scene(1e4)
    fused = fuse(evidence, torch.full((1, *GRID), 77.0), rings_of(GRID[0], GRID[1] // 2 + 1))
    assert float(fused.mean()) == pytest.approx(float(evidence.photons), rel=1e-5)


def test_nothing_is_left_beyond_the_cutoff() -> None:
    evidence, _ = scene(1e4)
    fused = fuse(evidence, torch.randn(1, *GRID), rings_of(GRID[0], GRID[1] // 2 + 1))
    beyond = torch.fft.rfft2(fused)[0][frequencies() > 1.02]
    assert beyond.abs().max() < 1e-2


def test_nothing_is_shown_where_nothing_was_measured() -> None:
    evidence, _ = scene(1e4)
    evidence.power[:, 10:20, 10:20] = 0
    fused = fuse(evidence, torch.randn(1, *GRID), rings_of(GRID[0], GRID[1] // 2 + 1))
    assert torch.fft.rfft2(fused)[:, 10:20, 10:20].abs().max() < 1e-2


def test_the_network_is_not_trusted_more_than_its_floor_allows() -> None:
    """An image that fits the data perfectly, noise and all, still leaves the data their share."""
    evidence, _ = scene(1e4)
    rings = rings_of(GRID[0], GRID[1] // 2 + 1)
    copied = evidence.matched / evidence.power.clamp(min=1e-6) * evidence.target
    weights = [float(trust(evidence, copied, rings, share)[0, 5, 5]) for share in (0.05, 0.5)]
    assert weights[0] == pytest.approx(10 * weights[1], rel=0.01)


def test_the_scale_does_not_matter() -> None:
    evidence, truth = scene(1e3)
    alone = (truth + blurred_noise(1, 0.3))[None]
    rings = rings_of(GRID[0], GRID[1] // 2 + 1)
    scaled = fuse(evidence.relative(), alone / evidence.photons, rings) * evidence.photons
    assert torch.allclose(scaled, fuse(evidence, alone, rings), rtol=1e-3, atol=1e-3)


def test_gradients_reach_the_network_through_the_fusion() -> None:
    evidence, truth = scene(1e4)
    alone = (truth + 0.1)[None].requires_grad_()
    fuse(evidence, alone, rings_of(GRID[0], GRID[1] // 2 + 1)).square().mean().backward()
    assert alone.grad is not None
    assert alone.grad.abs().max() > 0
