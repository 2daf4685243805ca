"""Moving what an image shows, place by place, by cubic B-splines.

An image between its samples is a sum of B-splines (Unser 1999, 10.1109/79.799930). Their coefficients are one
division in the Fourier domain, where images come from anyway (`spline_transfer`); four bilinear fetches then give one
cubic value (Sigg and Hadwiger 2005, GPU Gems 2, chapter 20).
"""

import math

import torch
from torch import Tensor

_REACH = 4
"""Samples beyond the edge that a fetch may ask for; the grid is periodic, and further displacements wrap round."""


def spline_transfer(grid: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Return what sampled cubic B-splines pass on the half-plane of a grid (y, x), (y, x // 2 + 1) float32."""
    y, x = (
        (2 + torch.cos(2 * math.pi * frequency)) / 3
        for frequency in (torch.fft.fftfreq(grid[0], device=device), torch.fft.rfftfreq(grid[1], device=device))
    )
    return y[:, None] * x[None, :]


def places(grid: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Return row and column of every sample, (2, y, x) float32."""
    rows, columns = (torch.arange(size, dtype=torch.float32, device=device) for size in grid)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))


def moved(coefficients: Tensor, sources: Tensor) -> Tensor:
    """Return images as they are at other places.

    Args:
        coefficients: of B-splines, (n, y, x) on a periodic grid.
        sources: row and column at which each sample of the result is taken, (2, y, x).

    Returns:
        (n, y, x).
    """
    size = coefficients.shape[-2:]
    padded = torch.nn.functional.pad(coefficients[None], (_REACH,) * 4, mode="circular")
    (row_a, row_b, row_share), (column_a, column_b, column_share) = (
        _fetches(torch.remainder(one, length)) for one, length in zip(sources, size, strict=True)
    )
    scale = [2.0 / (length + 2 * _REACH) for length in size]

    def fetched(row: Tensor, column: Tensor) -> Tensor:
        at = torch.stack([(column + _REACH + 0.5) * scale[1] - 1, (row + _REACH + 0.5) * scale[0] - 1], dim=-1)
        found: Tensor = torch.nn.functional.grid_sample(padded, at[None], align_corners=False)
        return found[0]

    upper = torch.lerp(fetched(row_a, column_b), fetched(row_a, column_a), column_share)
    lower = torch.lerp(fetched(row_b, column_b), fetched(row_b, column_a), column_share)
    return torch.lerp(lower, upper, row_share)


def _fetches(place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two places whose linear interpolation gives a cubic value, and the share of the first one."""
    whole = place.floor()
    t = place - whole
    first, last = (1 - t) ** 3 / 6, t**3 / 6
    second, third = 2 / 3 - 0.5 * t * t * (2 - t), 2 / 3 - 0.5 * (1 - t) ** 2 * (1 + t)
    share = first + second
    return whole - 1 + second / share, whole + 1 + last / (third + last), share


def finer(map_: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return maps (n, ty, tx) of tiles on the grid (y, x) that the tiles cover, linear between their centres."""
    found: Tensor = torch.nn.functional.interpolate(map_[None], size=grid, mode="bilinear", align_corners=False)
    return found[0]
