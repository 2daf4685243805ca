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

TILE = 2
"""Samples of the image that a tile has each way."""
WINDOWS = (24.0, 8.0, 3.0, 1.2)
"""Windows, from coarse to fine: standard deviations of Gaussians [tiles]."""
TURNS = 2
"""How often the image before is moved and compared anew."""
_LEAST = 1e-12


class Blur:
    """Means over Gaussian windows of maps (n, y, x) on a periodic grid."""

    def __init__(self, grid: tuple[int, int], device: torch.device | str = "cpu") -> None:
        """Prepare for maps of grid (y, x)."""
        self.grid = grid
        ky = torch.fft.fftfreq(grid[0], device=device)[:, None]
        kx = torch.fft.rfftfreq(grid[1], device=device)[None, :]
        self._square = ky**2 + kx**2
        self._known: dict[float, Tensor] = {}

    def __call__(self, maps: Tensor, sigma: float) -> Tensor:
        """Return the maps blurred by a Gaussian of this standard deviation [samples]."""
        if sigma not in self._known:
            self._known[sigma] = torch.exp(-2 * (math.pi * sigma) ** 2 * self._square)
        blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(maps) * self._known[sigma], s=self.grid)
        return blurred


def pooled(maps: Tensor) -> Tensor:
    """Return means over tiles of (n, y, x)."""
    means: Tensor = torch.nn.functional.avg_pool2d(maps[None], TILE)
    return means[0]


def displacement(
    now: Tensor,
    before: Callable[[Tensor], tuple[Tensor, Tensor]],
    noise: Tensor,
    within: Tensor,
    blur: Blur,
    windows: Sequence[float] = WINDOWS,
) -> Tensor:
    """Estimate how far things have moved.

    Args:
        now: image (y, x).
        before: returns the image before and its gradients (along y and x) (2, y, x), things moved by a displacement.
        noise: variance of the difference of both images, relative to white noise of that variance where the gradients
            have their power, (ty, tx).
        within: 1 for tiles of the view, 0 for those of the margin beyond, whose mirror images move the other way,
            (ty, tx).
        blur: of the tiles' grid.
        windows: see `WINDOWS`.

    Returns:
        (2, ty, tx): along y and x, in samples of the image; `before` at place - displacement is `now` at place.
    """
    field = torch.zeros(2, *blur.grid, device=now.device)
    for _ in range(TURNS):
        image, gradient = before(field)
        difference = now - image
        sums = torch.stack([gradient[0] ** 2, gradient[0] * gradient[1], gradient[1] ** 2, *(-gradient * difference)])
        start, tiles = field, pooled(sums) * within
        for sigma in windows:
            # Means over a window hold the noise of so many samples.
            count = 4 * math.pi * (sigma * TILE) ** 2
            field = field + _added(blur(tiles, sigma), field - start, noise / count, within)
    return field


def _added(window: Tensor, done: Tensor, noise: Tensor, within: Tensor) -> Tensor:
    """Return what windows (5, ty, tx) add to what is `done` already (2, ty, tx)."""
    yy, yx, xx = window[:3]
    row = window[3] - (yy * done[0] + yx * done[1])
    column = window[4] - (yx * done[0] + xx * done[1])
    trace = (yy + xx).clamp(min=_LEAST)
    square = yy**2 + 2 * yx**2 + xx**2
    # Every window that shows something counts alike, however bright.
    seen = (trace > 0.1 * trace.mean()) & (within > 0)
    excess = ((row**2 + column**2 - noise * trace) / trace**2)[seen]
    spread = excess.sum() / (square / trace**2)[seen].sum()
    damped = noise / spread.clamp(min=_LEAST)
    a, c = yy + damped, xx + damped
    det = (a * c - yx**2).clamp(min=_LEAST * _LEAST)
    added: Tensor = torch.stack([c * row - yx * column, a * column - yx * row]) / det
    return added
