"""The grids on which what is remembered is moved and compared, and what takes spectra to them.

An SR image holds nothing beyond the extended cut-off, and little beyond half of it: images are compared on a coarse
grid and averaged on a finer one; both have whole samples to a tile.
"""

import math

import torch
from torch import Tensor

from rdl_live.restore.displacement import TILE
from rdl_live.restore.evidence import Evidence
from rdl_live.restore.sampling import cut, working_grid
from rdl_live.restore.warp import spline_transfer

COARSE = 1.8
"""Cut-off relative to the Nyquist frequency of the grid on which images are compared."""
FINE = 3
"""Samples to a tile each way of the grid on which images are averaged. What it does not hold is not averaged."""
WHITEST = 1e-3
"""Damping of the image of white noise, relative to D at zero frequency."""
WEAK = 0.3
"""Share of the damping that D has at most where a series shows next to no object."""
_USUAL = 30
"""So many samples' worth is believed of the noise that is expected."""
_SKIPPED = 4
"""Every so many rows of a half-plane are asked for its noise."""
_LEAST = 1e-12


class Grids:
    """Of one geometry. Half-planes are (1, rows, columns), as rfft2 gives them."""

    def __init__(self, evidence: Evidence) -> None:
        """Prepare.

        Args:
            evidence: any series of the geometry.
        """
        target = evidence.target[0]
        self.device = evidence.power.device
        self.full = evidence.grid
        """(y, x) of the evidence."""
        multiple = 4 * TILE
        found = working_grid(target, COARSE, multiple)
        y, x = (
            min(size, full * TILE // (FINE * multiple) * multiple) for size, full in zip(found, self.full, strict=True)
        )
        self.coarse, self.tiles = (y, x), (y // TILE, x // TILE)
        self.fine = FINE * self.tiles[0], FINE * self.tiles[1]
        self.ratio = FINE / TILE
        """Samples of the fine grid for one of the coarse grid."""
        self._scales = [math.prod(grid) / math.prod(self.full) for grid in (self.tiles, self.coarse, self.fine)]
        self._supported = ((evidence.power > _LEAST**0.5) & (evidence.target > 0))[..., ::_SKIPPED, :]
        held = (evidence.power > 1e-2 * WHITEST) & (evidence.target > 0)
        white = torch.where(held, 1 / (evidence.power + WHITEST).sqrt(), 0.0)
        self._white = cut(white, self.fine)
        held = cut(held, self.fine).clone()
        # The Nyquist row and column of a grid stand for two frequencies of a larger one; the mean is the series' own.
        held[..., self.fine[0] // 2, :] = held[..., -1] = held[..., 0, 0] = False
        self._unwhite = torch.where(held, 1 / self._white, 0.0)
        self._unheld = (~held).float()
        small = cut(self._white, self.coarse)
        self.coarse_unwhite = torch.where(small > 0, 1 / small, 0.0)
        """What takes the spectrum of white noise to M on the coarse half-plane."""
        self.coarse_spline, self.fine_spline = (
            1 / spline_transfer(grid, self.device)[None] for grid in (self.coarse, self.fine)
        )
        """What takes the spectrum of an image to that of its B-splines."""
        self._turns, self._fine_turns = self._all_turns(self.coarse), self._all_turns(self.fine)
        self.slopes = [1j * turn for turn in self._turns]
        """What takes spectra of the coarse grid to those of the slopes along y and x, per sample of it."""
        self._to_middle = self.coarse_phases(torch.full((2,), (1 - TILE) / 2, device=self.device))
        self._strength = self._turns[0] ** 2 + self._turns[1] ** 2
        self._twice = torch.full((1, 1, x // 2 + 1), 2.0, device=self.device)
        self._twice[..., 0] = self._twice[..., -1] = 1.0

    def _all_turns(self, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the phases by which frequencies turn from one coarse sample to the next, along y and x."""
        step = 2 * torch.pi * grid[0] / self.coarse[0]
        rows = step * torch.fft.fftfreq(grid[0], device=self.device)
        columns = step * torch.fft.rfftfreq(grid[1], device=self.device)
        return rows[None, :, None], columns[None, None, :]

    def coarsely(self, half_plane: Tensor) -> Tensor:
        """Return what the coarse half-plane holds of a larger one."""
        return cut(half_plane, self.coarse)

    def on_tiles(self, spectra: Tensor) -> Tensor:
        """Return smooth images (n, ty, tx) at the middle of the tiles, from spectra of the coarse half-plane."""
        moved = spectra * self._to_middle
        images: Tensor = torch.fft.irfft2(cut(moved, self.tiles), s=self.tiles) * self._scales[0]
        return images

    def coarse_images(self, spectra: Tensor) -> Tensor:
        """Return images (n, y, x) of spectra of the coarse half-plane."""
        images: Tensor = torch.fft.irfft2(spectra, s=self.coarse)
        return images.mul_(self._scales[1])

    def fine_images(self, spectra: Tensor) -> Tensor:
        """Return images (n, y, x) of spectra of the fine half-plane."""
        images: Tensor = torch.fft.irfft2(spectra, s=self.fine)
        return images.mul_(self._scales[2])

    def coarse_phases(self, step: Tensor) -> Tensor:
        """Return the phases that move a spectrum of the coarse half-plane by so many of its samples along y and x."""
        return _phases(step, self._turns)

    def fine_phases(self, step: Tensor) -> Tensor:
        """Return those that move one of the fine half-plane by as much: by samples of the coarse grid."""
        return _phases(step, self._fine_turns)

    def white(self, matched: Tensor) -> Tensor:
        """Return the spectrum of white noise, M / sqrt(D), of a series on the fine half-plane."""
        return cut(matched, self.fine) * self._white

    def averaged(self, matched: Tensor, before: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Return M of a series and those before it, on the full half-plane, and its spectrum of white noise.

        Args:
            matched: M of the series, (1, rows, columns).
            before: image of white noise of the series before, (1, y, x) on the fine grid.
            share: of the series before in the mean, as `before`.
        """
        own = cut(matched, self.fine)
        now = self.fine_images(own * self._white)
        white: Tensor = torch.fft.rfft2(now.lerp_(before, share)).div_(self._scales[2])
        # What the grid does not hold, and the mean, are those of the series.
        held = (white * self._unwhite).addcmul_(own, self._unheld)
        if self.fine == self.full:
            return held, white
        mean, rows, columns = matched.clone(), self.fine[0] // 2, self.fine[1] // 2
        mean[..., :rows, :columns] = held[..., :rows, :columns]
        mean[..., 1 - rows :, :columns] = held[..., 1 - rows :, :columns]
        return mean, white

    def floor(self, evidence: Evidence) -> Tensor:
        """Return the noise of a series relative to what is expected of it, (1,): seen where it shows next to no object.

        What is expected follows from the photons and the camera, and misses the truth by up to a tenth: the grid's
        margin, which holds mirror images, is brighter or darker than the view.
        """
        matched, power, damping = (
            one[..., ::_SKIPPED, :] for one in (evidence.matched, evidence.power, evidence.damping)
        )
        weak = (power < WEAK * damping) & self._supported
        # |M|^2 = N D + D^2 S, and the damping is N / S.
        expected = evidence.noise[:, None, None] * power * (1 + power / damping.clamp(min=_LEAST))
        found = (matched.real**2 + matched.imag**2) / expected.clamp(min=_LEAST)
        floor: Tensor = ((found * weak).sum((-2, -1)) + _USUAL) / (weak.sum((-2, -1)) + _USUAL)
        return floor

    def coherent(self, noise: Tensor, passed: Tensor, filtered: Tensor) -> Tensor:
        """Return the variance per coarse sample of white noise that is like one series' where the gradients are.

        Args:
            noise: N, (1,).
            passed: power that a filter leaves of noise, relative to N, on the coarse half-plane.
            filtered: spectrum of the filtered image.
        """
        strength = self._strength * (filtered.real**2 + filtered.imag**2) * self._twice
        share = (strength * passed).sum() / strength.sum().clamp(min=_LEAST)
        # White noise of variance v has the power v y x on a grid of y x samples.
        return share * noise[0] * (math.prod(self.coarse) / math.prod(self.full) ** 2)

    def variance(self, noise: Tensor, passed: Tensor) -> Tensor:
        """Return the variance of that noise in an image."""
        return (passed * self._twice).sum() * noise[0] / math.prod(self.full) ** 2

    def chance(self, passed: Tensor) -> Tensor:
        """Return the relative standard deviation of the power of such noise in a Gaussian window of one tile."""
        total, square = (passed * self._twice).sum(), (passed**2 * self._twice).sum()
        independent = total**2 / square / math.prod(self.tiles)
        return (2 / (4 * torch.pi * independent)).sqrt()


def _phases(step: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    rows, columns = (torch.polar(torch.ones_like(turn), -by * turn) for by, turn in zip(step, turns, strict=True))
    return rows * columns
