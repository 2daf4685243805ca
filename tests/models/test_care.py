"""CARE: blocks equal the whole, the ensemble's measures are those of the paper, units go in and come out."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rdl_models import Card, Care, CareConfig, load_weights, save_weights
from rdl_models.care_tiles import blocks, by_blocks, tile_for
from rdl_models.laplace import disagreement, mixture

CONFIGS = (
    (CareConfig(width=4, kernel=5, probabilistic=True, members=2, relative=True), (131, 157), (40, 40)),
    (CareConfig(width=4, kernel=3, depth=3), (90, 203), (32, 48)),
    (CareConfig(dims=3, width=2, kernel=3, probabilistic=True), (37, 61, 50), (8, 24, 24)),
)


def network(config: CareConfig) -> Care:
    torch.manual_seed(3)
    made = Care(config).eval()
    for member in made.members:  # a correction begins with none
        torch.nn.init.normal_(member.last.weight, std=0.1)
    return made


@pytest.mark.parametrize(("config", "shape", "tile"), CONFIGS)
def test_blocks_equal_the_whole(config: CareConfig, shape: tuple[int, ...], tile: tuple[int, ...]) -> None:
    made = network(config)
    x = 100 + 20 * torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = made(x)
    assert len(list(blocks(config, shape, tile))) > 4
    assert float((by_blocks(made, x, tile) - whole).abs().max()) <= 1e-5 * float(whole.abs().max())


@pytest.mark.parametrize("config", [CareConfig(width=2, kernel=3), CareConfig(width=2, kernel=5, depth=1)])
def test_what_lies_beyond_the_reach_does_not_count(config: CareConfig) -> None:
    made = network(config).double()
    for parameter in made.parameters():
        parameter.data.abs_()  # so that nothing cancels and no rectifier is shut
    x = torch.rand(1, 1, 120, 120, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(made(x)[0, 0, 60, 61], x)
    seen = (gradient[0, 0] != 0).nonzero()
    farthest = int((seen - torch.tensor([60, 61])).abs().max())
    assert config.reach / 2 < farthest <= config.reach


def test_memory_bounds_the_blocks() -> None:
    config = CareConfig(dims=3, width=16, kernel=3)
    tile = tile_for(config, (512, 2048, 2048), 512 * 2**20)
    shown = math.prod(min(n, size + 2 * config.reach + 4) for n, size in zip((512, 2048, 2048), tile, strict=True))
    assert shown * 4 * 5 * 16 <= 512 * 2**20


def _mixed(means: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a fine grid and the density of the mixture."""
    x = np.linspace(-60, 60, 480_001)
    each = np.array([np.exp(-np.abs(x - m) / s) / (2 * s) for m, s in zip(means, scales, strict=True)])
    return x, each.mean(axis=0)


@pytest.mark.parametrize(
    ("means", "scales"),
    [([0, 0, 0], [1, 1, 1]), ([0, 1, -1], [1, 0.5, 2]), ([0, 20, -20], [0.5, 0.5, 0.5]), ([0, 0], [0.2, 2.0])],
)
def test_disagreement_and_scale_are_those_of_the_mixture(means: list[float], scales: list[float]) -> None:
    x, mixed = _mixed(np.array(means), np.array(scales))
    step = x[1] - x[0]
    entropies = 1 + np.log(2 * np.array(scales))
    expected = (-(mixed * np.log(mixed)).sum() * step - entropies.mean()) / math.log(len(means))
    given = [torch.tensor(one, dtype=torch.float64)[:, None] for one in (means, scales)]
    assert float(disagreement(*given)) == pytest.approx(expected, abs=0.02)
    mean, scale = mixture(*given)
    assert float(mean) == pytest.approx(np.mean(means))
    assert float(scale) == pytest.approx((np.abs(x - np.mean(means)) * mixed).sum() * step, rel=1e-3)


def test_units_are_stored_and_undone(tmp_path: Path) -> None:
    """The same network for values in another unit gives the same image in that unit."""
    plain = network(CareConfig(width=4, kernel=3, probabilistic=True))
    moved = network(
        CareConfig(
            width=4,
            kernel=3,
            probabilistic=True,
            input_offset=100.0,
            input_scale=50.0,
            output_offset=-7.0,
            output_scale=3.0,
        )
    )
    card = Card(name="units", architecture="care", config=vars(moved.config), trained_on={}, steps=1, minutes=0.1)
    save_weights(tmp_path / "units.safetensors", moved, card)
    loaded = load_weights(tmp_path / "units.safetensors").network
    x = torch.rand(1, 1, 32, 40)
    with torch.no_grad():
        one, other = plain(x), loaded(100 + 50 * x)
    torch.testing.assert_close(other[:, 0], 3 * one[:, 0] - 7, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(other[:, 1], 3 * one[:, 1], rtol=1e-4, atol=1e-4)


def test_relative_networks_keep_the_amount_of_light() -> None:
    made = network(CareConfig(width=4, kernel=3, relative=True))
    x = torch.rand(1, 1, 32, 40)
    with torch.no_grad():
        torch.testing.assert_close(made(7 * x), 7 * made(x), rtol=1e-4, atol=1e-5)
