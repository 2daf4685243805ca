"""How far what an image shows has moved since the one before, place by place.

Least squares between the image and the one before it, from coarse windows to fine ones (Lucas and Kanade 1981): where
the image before has the gradients g and differs by d, a window says A u = r, with A = sum g g', r = - sum g d. Noise of
variance n in d gives r the covariance n A, which alone would move a place with little light by pixels. So what each
window adds to the coarser one is weighed against how much there is to be added, u = (A + n / t^2)^-1 r, and the
variance t^2 of what is added is measured over all windows: the mean of |r|^2 is n tr A + t^2 tr A^2 (empirical Bayes,
Robbins 1956). Where nothing moves t is 0, and noise is not taken for motion.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rdl_live.restore.sampling import cut, resized

TILE = 2
"""Samples of the image that a tile has each way."""
WINDOWS = (16.0, 4.0, 1.2)
"""Windows, from coarse to fine: standard deviations of Gaussians [tiles]."""
AGAIN = WINDOWS[-1:]
"""The windows when the image before has been moved once."""
_SMOOTH = 2.5
"""A map blurred by this or more [tiles] is known by every other sample of it."""
_LEAST = 1e-12


class Blur:
    """Means over Gaussian windows of maps (n, y, x) on a periodic grid."""

    def __init__(self, grid: tuple[int, int], device: torch.device | str = "cpu") -> None:
        """Prepare for maps of grid (y, x), both multiples of 4."""
        self.grid, self.half = grid, (grid[0] // 2, grid[1] // 2)
        ky = torch.fft.fftfreq(grid[0], device=device)[:, None]
        kx = torch.fft.rfftfreq(grid[1], device=device)[None, :]
        self._square = ky**2 + kx**2
        self._known: dict[float, Tensor] = {}

    def spectra(self, maps: Tensor) -> Tensor:
        """Return what `window` takes: one transform for all windows."""
        found: Tensor = torch.fft.rfft2(maps)
        return found

    def size(self, sigma: float) -> tuple[int, int]:
        """Return the grid on which `window` gives maps: every other sample of smooth ones."""
        return self.half if sigma >= _SMOOTH else self.grid

    def window(self, spectra: Tensor, sigma: float) -> Tensor:
        """Return maps blurred by a Gaussian of this standard deviation [samples], on the grid of `size`."""
        grid = self.size(sigma)
        if sigma not in self._known:
            share = math.prod(grid) / math.prod(self.grid)
            self._known[sigma] = cut(share * torch.exp(-2 * (math.pi * sigma) ** 2 * self._square), grid)
        blurred: Tensor = torch.fft.irfft2(cut(spectra, grid) * self._known[sigma], s=grid)
        return blurred

    def thinned(self, maps: Tensor, sigma: float) -> Tensor:
        """Return the samples (..., y, x) of maps that `window` gives."""
        return maps if self.size(sigma) == self.grid else maps[..., ::2, ::2]


def pooled(maps: Tensor) -> Tensor:
    """Return means over tiles of (n, y, x)."""
    wide = maps[..., 0::2] + maps[..., 1::2]
    return (wide[..., 0::2, :] + wide[..., 1::2, :]) * (1 / TILE**2)


def displacement(
    now: Tensor,
    image: Tensor,
    gradient: Tensor,
    moved: Callable[[Tensor], Tensor],
    noise: Tensor,
    within: Tensor,
    blur: Blur,
    windows: Sequence[Sequence[float]] = (WINDOWS, AGAIN),
) -> tuple[Tensor, Tensor, Tensor]:
    """Estimate how far things have moved.

    Args:
        now: image (1, y, x).
        image: the image before, (1, y, x).
        gradient: of the image before, along y and x, (2, y, x).
        moved: returns the image before (1, y, x), things moved by a displacement (2, ty, tx).
        noise: variance of the difference of both images, relative to white noise of that variance where the gradients
            have their power, (ty, tx).
        within: 1 for tiles of the view, 0 for those of the margin beyond, whose mirror images move the other way,
            (ty, tx).
        blur: of the tiles' grid.
        windows: of each turn; see `WINDOWS`.

    Returns:
        Displacement (2, ty, tx) along y and x, in samples of the image: the image before at place - displacement is
        `now` at place. The difference (1, y, x) that was left before the last turn, and what that added, (2, ty, tx).
    """
    field = torch.zeros(2, *blur.grid, device=now.device)
    squares = pooled(torch.stack([gradient[0] ** 2, gradient[0] * gradient[1], gradient[1] ** 2])) * within
    products, difference, before = torch.empty_like(gradient), torch.zeros_like(now), field
    for turn, sigmas in enumerate(windows):
        difference = now - (moved(field) if turn else image)
        torch.mul(gradient, difference, out=products)
        spectra = blur.spectra(torch.cat([squares, pooled(products) * -within]))
        before, added = field, torch.zeros(2, *blur.size(sigmas[0]), device=now.device)
        for sigma in sigmas:
            added = resized(added, blur.size(sigma))
            # Means over a window hold the noise of so many samples.
            count = 4 * math.pi * (sigma * TILE) ** 2
            local = blur.thinned(noise, sigma) / count
            added = added + _added(blur.window(spectra, sigma), added, local, blur.thinned(within, sigma))
        field = field + resized(added, blur.grid)
    return field, difference, field - before


def _added(window: Tensor, done: Tensor, noise: Tensor, within: Tensor) -> Tensor:
    """Return what windows (5, ty, tx) add to what is `done` already (2, ty, tx)."""
    yy, yx, xx = window[:3]
    row = window[3] - (yy * done[0] + yx * done[1])
    column = window[4] - (yx * done[0] + xx * done[1])
    trace = (yy + xx).clamp(min=_LEAST)
    square = yy**2 + 2 * yx**2 + xx**2
    # Every window that shows something counts alike, however bright.
    seen = ((trace > 0.1 * trace.mean()) & (within > 0)) / trace**2
    excess = (row**2 + column**2 - noise * trace) * seen
    spread = excess.sum() / (square * seen).sum().clamp(min=_LEAST)
    damped = noise / spread.clamp(min=_LEAST)
    a, c = yy + damped, xx + damped
    det = (a * c - yx**2).clamp(min=_LEAST * _LEAST)
    added: Tensor = torch.stack([c * row - yx * column, a * column - yx * row]) / det
    return added
