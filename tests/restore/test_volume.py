"""Z-stacks in tiles: no seams, photons kept, any size."""

import pytest
import torch

from rdl_live.restore.volume import denoise_stack
from rdl_models import Rcan3d, Rcan3dConfig


@pytest.fixture(scope="module")
def network() -> Rcan3d:
    torch.manual_seed(0)
    made = Rcan3d(Rcan3dConfig(width=4, groups=1, blocks=1, cutoff=1.0, slope=20.0, relative=True))
    with torch.no_grad():
        made.last.weight *= 0.05
    return made.eval()


@pytest.fixture(scope="module")
def stack() -> torch.Tensor:
    return torch.poisson(torch.full((20, 70, 90), 6.0), generator=torch.Generator().manual_seed(1))


def test_tiles_agree_with_the_whole(network: Rcan3d, stack: torch.Tensor) -> None:
    whole = denoise_stack(network, stack, 0.4, tile=128, slab=32)
    tiled = denoise_stack(network, stack, 0.4, tile=48, slab=14)
    inside = (whole - tiled)[:, 16:-16, 16:-16]
    assert inside.abs().max() < 0.2 * whole.std()
    assert inside.std() < 0.03 * whole.std()
    assert float(tiled.mean()) == pytest.approx(float(whole.mean()), rel=2e-3)


def test_ten_times_the_light_gives_ten_times_the_photons(network: Rcan3d, stack: torch.Tensor) -> None:
    torch.testing.assert_close(
        denoise_stack(network, 10 * stack, 0.4), 10 * denoise_stack(network, stack, 0.4), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 17, 129), (33, 20, 20)])
def test_any_size(network: Rcan3d, shape: tuple[int, int, int]) -> None:
    found = denoise_stack(network, torch.ones(shape), 0.4)
    assert found.shape == shape
    assert bool(torch.isfinite(found).all())
