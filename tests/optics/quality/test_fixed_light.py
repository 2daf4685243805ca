"""Offsets are as strong in the dark as in the light; gains are not."""

import pytest
import torch

from rdl_live.optics import Otf
from rdl_live.optics.quality.fixed_light import offset_share

OTF = Otf(4.0, 0.065)


def series(offset_e: float, gain: float, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    light = 20 + 150 * torch.exp(-((y - 60) ** 2 + (x - 70) ** 2) / 900)
    spread = torch.randn(128, 128, generator=random)
    frames = torch.poisson((light * (1 + gain * spread)).expand(3, 3, 128, 128), generator=random)
    return (frames + offset_e * torch.randn(128, 128, generator=random))[None]


@pytest.mark.parametrize("seed", range(5))
def test_offsets_do_not_grow_with_the_light(seed: int) -> None:
    assert offset_share(series(3.0, 0.0, seed), OTF) > 0.6


@pytest.mark.parametrize("seed", range(5))
def test_gains_do(seed: int) -> None:
    assert offset_share(series(0.0, 0.05, seed), OTF) < 0.3


def test_nothing_fixed_is_not_called_gain() -> None:
    assert offset_share(series(0.0, 0.0, 9), OTF) == 1.0
