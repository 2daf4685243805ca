"""Moving what an image shows, place by place, by cubic B-splines.

An image between its samples is a sum of B-splines (Unser 1999, 10.1109/79.799930). Their coefficients are one
division in the Fourier domain, where images come from anyway (`spline_transfer`); four bilinear fetches then give one
cubic value (Sigg and Hadwiger 2005, GPU Gems 2, chapter 20). All live images pass here, so what is computed once for
all samples is kept, and nothing is copied to be read.
"""

import math

import torch
from torch import Tensor

_REACH = 4
"""Samples beyond the edge that a fetch may ask for: the grid is periodic. What lies further is taken as at the edge."""


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


class Warp:
    """Moves images of one periodic grid by displacements that are known for tiles of it."""

    def __init__(self, grid: tuple[int, int], tiles: tuple[int, int], device: torch.device | str = "cpu") -> None:
        """Prepare.

        Args:
            grid: (y, x) of the images.
            tiles: (y, x) of the maps of displacement; as many samples to a tile each way.
            device: of both.

        Raises:
            ValueError: the tiles do not fit the grid.
        """
        times = grid[0] // tiles[0]
        if (times * tiles[0], times * tiles[1]) != tuple(grid):
            raise ValueError(f"a grid of {tuple(grid)} has not as many samples to each of {tuple(tiles)} tiles")
        self._grid, self._finer = grid, Finer(times, device)
        # A fetch counts from -1 to 1 along each axis, over the padded image. Columns come first there.
        sizes = torch.tensor([grid[1], grid[0]], dtype=torch.float32, device=device)[:, None, None, None]
        self._places, self._scale = places(grid, device).flip(0), 2 / (sizes + 2 * _REACH)
        self._at, self._t, self._square, self._share = (torch.empty(2, *grid, device=device) for _ in range(4))
        self._ends = torch.empty(2, 2, *grid, device=device)
        """Left and right columns, upper and lower rows, in this order: a fetch is a column, and a row further on."""

    def finer(self, maps: Tensor) -> Tensor:
        """Return maps (n, ty, tx) of tiles on the grid, (n, y, x); see `Finer`."""
        return self._finer(maps)

    def __call__(self, coefficients: Tensor, field: Tensor) -> Tensor:
        """Return an image as it is once its structures have moved.

        Args:
            coefficients: of B-splines, (1, y, x).
            field: how far things move along y and x [samples of the grid], (2, ty, tx).

        Returns:
            (1, y, x): at each sample what lies at its place less the displacement.
        """
        padded = torch.nn.functional.pad(coefficients[None], (_REACH,) * 4, mode="circular")
        share, ends = self._placed(self._finer(field.flip(0)))
        column, row = share[:1], share[1:]
        lower = _fetched(padded, ends, 1, 1).lerp_(_fetched(padded, ends, 1, 0), column)
        upper = _fetched(padded, ends, 0, 1).lerp_(_fetched(padded, ends, 0, 0), column)
        return lower.lerp_(upper, row)

    def _placed(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Find the two places along each axis whose linear interpolation gives the cubic value.

        With t from 0 to 1 beyond a sample, the weights of the four samples around it are (1 - t)^3 / 6, second,
        third and t^3 / 6; the first place has the share first + second.

        Returns:
            The shares along x and y, (2, y, x), and the places, (2, 2, y, x): first and second ones, along x and y.
        """
        at, t, square, share, ends = self._at, self._t, self._square, self._share, self._ends
        lower, upper = ends[:, 0], ends[:, 1]
        torch.sub(self._places, step, out=t)
        whole = torch.floor(t, out=at)
        t.sub_(whole)
        torch.mul(t, t, out=square)
        torch.mul(square, t, out=upper)
        torch.mul(upper, 0.5, out=lower).sub_(square).add_(2 / 3)
        torch.sub(1, t, out=share)
        torch.mul(share, share, out=square).mul_(share).mul_(1 / 6)
        torch.add(square, lower, out=share)
        lower.div_(share).add_(whole).sub_(1)
        torch.sub(1, share, out=square)
        upper.mul_(1 / 6).div_(square).add_(whole).add_(1)
        ends.add_(_REACH + 0.5).mul_(self._scale).sub_(1)
        return share, ends


def _fetched(padded: Tensor, ends: Tensor, row: int, column: int) -> Tensor:
    """Return an image (1, y, x) at first (0) or second (1) rows and columns, linear between its samples."""
    axis, end, line, _ = ends.stride()
    y, x = ends.shape[-2:]
    from_column_to_row = axis + (row - column) * end
    where = ends.as_strided((1, y, x, 2), (0, line, 1, from_column_to_row), ends.storage_offset() + column * end)
    found: Tensor = torch.nn.functional.grid_sample(padded, where, padding_mode="border", align_corners=False)
    return found[0]


class Finer:
    """Brings maps of tiles to a grid of whole samples to a tile, linear between the tiles' centres."""

    def __init__(self, times: int, device: torch.device | str = "cpu") -> None:
        """Prepare for tiles of `times` samples each way."""
        self._times = times
        self._share = (torch.arange(times, dtype=torch.float32, device=device) + 0.5 * (1 - times % 2)) / times

    def __call__(self, maps: Tensor) -> Tensor:
        """Return maps (n, ty, tx) of tiles as (n, y, x); beyond the outermost centres they stay as they are there."""
        wide = self._spread(maps, -1, self._share)
        return self._spread(wide, -2, self._share[:, None])

    def _spread(self, maps: Tensor, axis: int, share: Tensor) -> Tensor:
        size = maps.shape[axis]
        closed = torch.cat([maps.narrow(axis, 0, 1), maps, maps.narrow(axis, size - 1, 1)], dim=axis)
        # From the centre of each tile to that of the next one, `times` samples.
        before, after = (closed.narrow(axis, start, size + 1).unsqueeze(axis) for start in (0, 1))
        between = torch.lerp(before, after, share).flatten(axis - 1, axis)
        return between.narrow(axis, (self._times + 1) // 2, size * self._times)
