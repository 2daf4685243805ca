"""Multi-scale structural similarity: the usual one on one grid, and its laws on several."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from rdl_live.optics.quality.ms_ssim import WEIGHTS, ms_ssim


def picture(side: int, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.nn.functional.avg_pool2d(torch.rand(1, 1, side + 6, side + 6), 7, stride=1)[0, 0]


def test_of_an_image_for_one_grid_it_is_the_usual_similarity() -> None:
    one = picture(20, 1)
    other = one + 0.02 * torch.randn(20, 20)
    usual = structural_similarity(
        one.numpy(), other.numpy(), data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ms_ssim(one, other, 1.0) == pytest.approx(float(usual), abs=2e-3)


def test_five_grids_are_those_of_the_formula() -> None:
    one = picture(192, 2)
    other = one + 0.03 * torch.randn(192, 192)
    wanted, pair = 1.0, (one.double().numpy(), other.double().numpy())
    for scale, weight in enumerate(WEIGHTS):
        a, b = pair
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
        _, whole = structural_similarity(a, b, data_range=1.0, **settings)
        if scale < len(WEIGHTS) - 1:  # without the luminance, whose part is divided out
            from scipy.ndimage import gaussian_filter

            mean_a, mean_b = (gaussian_filter(image, 1.5, truncate=3.5) for image in pair)
            whole = whole / ((2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4))
        wanted *= float(whole[5:-5, 5:-5].mean()) ** weight
        pair = tuple(image.reshape(len(image) // 2, 2, -1, 2).mean(axis=(1, 3)) for image in pair)
    assert ms_ssim(one, other, 1.0) == pytest.approx(wanted, abs=2e-3)


def test_equal_images_are_alike_and_noise_makes_them_less_so() -> None:
    one = picture(96, 3)
    assert ms_ssim(one, one, 1.0) == pytest.approx(1)
    noise = torch.randn(96, 96)
    found = [ms_ssim(one, one + size * noise, 1.0) for size in (0.01, 0.05, 0.2)]
    assert found == sorted(found, reverse=True)
    assert 0 <= ms_ssim(one, -one, 1.0) < 0.1
    with pytest.raises(ValueError, match="11 pixels"):
        ms_ssim(torch.ones(8, 8), torch.ones(8, 8), 1.0)
    assert np.isfinite(found).all()
