"""The grid that the network works on: as coarse as the optics allow, and the same for all of them.

An SR image holds nothing beyond the extended cut-off. On the SR grid, two or three times as fine as the camera, that
cut-off may lie at a third of the Nyquist frequency or at nine tenths, as pixel, aperture and wavelength have it: the
same structure of the same sharpness is three pixels wide here and one there. On a grid whose Nyquist frequency is a
fixed multiple of the cut-off it looks the same under every microscope, so there is less to be learnt; and there are
fewer pixels to work on. Changing the grid is exact: it is cutting zeros off a spectrum, or putting them back.
"""

import math

import torch
from torch import Tensor

MULTIPLE = 8
"""Sizes are multiples of this: cells of 4 pixels, on two scales."""


def working_grid(target: Tensor, sampling: float, multiple: int = MULTIPLE) -> tuple[int, int]:
    """Return the size (y, x) of the coarsest grid that suits a target.

    Args:
        target: T on a half-plane, (rows, columns), zero beyond the cut-off.
        sampling: the cut-off's share of the new grid's Nyquist frequency; 0 keeps the grid.
        multiple: of which the sizes are to be multiples.

    Returns:
        Sizes that are quick to transform, never larger than the target's own.
    """
    rows, columns = target.shape
    full = (rows, 2 * (columns - 1))
    if sampling <= 0:
        return full
    seen = target > 0
    y = int(seen[: rows // 2].any(dim=1).nonzero().max()) + 1
    x = int(seen.any(dim=0).nonzero().max()) + 1
    return _size(2 * y / sampling, full[0], multiple), _size(2 * x / sampling, full[1], multiple)


def image_on(spectrum: Tensor, full: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Return spectra (n, rows, columns) of the grid `full` as images (n, *grid) float32, of the same values.

    What the smaller grid cannot hold is cut off.
    """
    if grid == full:
        image: Tensor = torch.fft.irfft2(spectrum, s=full)
        return image
    smaller: Tensor = torch.fft.irfft2(cut(spectrum, grid), s=grid) * (math.prod(grid) / math.prod(full))
    return smaller


def cut(half_plane: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return what a grid (y, x) holds of a half-plane (..., rows, columns) of a grid that is no smaller."""
    y, x = grid
    if half_plane.shape[-2:] == (y, x // 2 + 1):
        return half_plane
    columns = half_plane[..., : x // 2 + 1]
    return torch.cat([columns[..., : y // 2, :], columns[..., -(y - y // 2) :, :]], dim=-2)


def spectrum_of(image: Tensor, full: tuple[int, int]) -> Tensor:
    """Return the spectrum (n, rows, columns) that images (n, y, x) have on the grid `full`."""
    y, x = image.shape[-2:]
    spectrum: Tensor = torch.fft.rfft2(image)
    if (y, x) == full:
        return spectrum
    # The Nyquist row and column of the smaller grid stand for two frequencies of the larger one, and hold nothing.
    upper, lower = spectrum[..., : y // 2, : x // 2], spectrum[..., -(y // 2 - 1) :, : x // 2]
    columns = full[1] // 2 + 1
    padded = spectrum.new_zeros(*spectrum.shape[:-2], full[0], columns)
    padded[..., : y // 2, : x // 2] = upper
    padded[..., -(y // 2 - 1) :, : x // 2] = lower
    return padded * (math.prod(full) / math.prod((y, x)))


def resized(image: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return images (n, y, x) on another grid by linear interpolation: for maps that must not ring or turn negative."""
    if tuple(image.shape[-2:]) == grid:
        return image
    # Both grids are periodic and share their first sample, as Fourier interpolation has it.
    closed = torch.nn.functional.pad(image[:, None], (0, 1, 0, 1), mode="circular")
    size = (grid[0] + 1, grid[1] + 1)
    finer = torch.nn.functional.interpolate(closed, size, mode="bilinear", align_corners=True)
    return finer[:, 0, :-1, :-1]


def interpolated(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return maps (n, ty, tx) of tiles on the grid (y, x) that the tiles cover, linear between their centres."""
    found: Tensor = torch.nn.functional.interpolate(maps[None], size=grid, mode="bilinear", align_corners=False)
    return found[0]


def _size(least: float, most: int, multiple: int) -> int:
    cells = math.ceil(least / multiple)
    while not _quick(cells):
        cells += 1
    return min(multiple * cells, most)


def _quick(size: int) -> bool:
    """Return whether a size has small prime factors only: any transform is quick then."""
    for prime in (2, 3, 5, 7, 11, 13):
        while size % prime == 0:
            size //= prime
    return size == 1
