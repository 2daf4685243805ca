"""Whether a series shows what those before it showed, place by place, once they are brought to where things are now.

The mean of the series before is moved as its structures have moved: by a jump of the whole field, and by a displacement
of each place (`rdl_live.restore.displacement`). It is brought to the newest one's brightness (bleaching is no motion)
and compared. Where nothing else has changed, the difference is noise of variance N D (1 + 1/s), which follows the local
light but for the camera's share. What it is more than that is change: lasting change is measured in windows from the
whole field to a vesicle, each weighed against how much windows differ by more than chance, over some series; what
changes at once by more than chance is looked for in every series.

Structures are moved in the image of white noise, M / sqrt(D): M itself is so blurred that neighbours which move apart
would be torn out of each other's halo. Images are compared on a coarse grid and averaged on a fine one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.restore.displacement import TILE, Blur, displacement, pooled
from rdl_live.restore.evidence import Evidence
from rdl_live.restore.sampling import image_on, spectrum_of, working_grid
from rdl_live.restore.warp import finer, moved, places, spline_transfer

FINE, COARSE = 0.85, 1.8
"""Cut-off relative to the Nyquist frequency of the grid on which things are moved, and of the one on which they are
compared: there is little signal beyond half the cut-off, and it has a quarter of the samples."""
WHITEST = 1e-3
"""Damping of the image of white noise, relative to D at zero frequency."""
SMOOTH = 3.0
"""Damping of the images that are compared, relative to the Wiener estimate's."""
SMOOTHEST = 30.0
"""The same of the images by which bleaching is measured."""
VESICLE = 1.2
"""Window in which what changes at once is sought (standard deviation) [tiles]."""
WINDOWS = (16.0, 5.0, 2.0)
"""Windows in which lasting change is measured, from coarse to fine (standard deviations) [tiles]."""
CERTAIN = 3.0
"""Standard deviations by which what changes at once must exceed noise."""
JUMP = 1.05
"""How much more two images must be alike after a jump of the whole field than before it, to be taken for one."""
_DARKEST = 0.05
"""Relative to the mean: filters bring noise into darker places."""
_LEAST = 1e-12


@dataclass(frozen=True)
class Comparison:
    """A series and what came before it, brought to where things are now. Maps are of tiles, (1, ty, tx)."""

    before: Tensor
    """Image of white noise of what is remembered, (1, y, x) on the fine grid."""
    excess: Tensor
    """Power of the difference beyond noise, relative to the mean noise of one series."""
    sudden: Tensor
    """The same relative to the local noise, where it is more than chance, else 0."""
    chance: Tensor
    """Standard deviation of `excess` by chance, relative to the local noise, of a Gaussian window of one tile."""
    noise: Tensor
    """Local variance of noise relative to its mean."""
    visible: Tensor
    """1 where what is shown came from within the view, else 0."""
    sources: Tensor
    """Row and column of the tile from which each tile came, (2, ty, tx)."""

    def carried(self, map_: Tensor) -> Tensor:
        """Return a map of tiles as things have moved since."""
        at = [(one + 0.5) * (2 / size) - 1 for one, size in zip(self.sources, map_.shape[-2:], strict=True)]
        found: Tensor = torch.nn.functional.grid_sample(
            map_[None], torch.stack(at[::-1], dim=-1)[None], padding_mode="border", align_corners=False
        )
        return found[0]


class Plan:
    """Grids and filters of one geometry."""

    def __init__(self, evidence: Evidence, view: tuple[int, int]) -> None:
        """Prepare.

        Args:
            evidence: any series of the geometry.
            view: (y, x) of the SR image, the first rows and columns of the evidence's grid.
        """
        target, device = evidence.target[0], evidence.power.device
        self.full = evidence.grid
        """(y, x) of the evidence."""
        self._fine, self._coarse = (working_grid(target, share, 4 * TILE) for share in (FINE, COARSE))
        self.tiles = (self._coarse[0] // TILE, self._coarse[1] // TILE)
        """(y, x) of the tiles in which things are compared."""
        inside = [size * tiles / full for size, tiles, full in zip(view, self.tiles, self.full, strict=True)]
        self._view = torch.tensor(inside, device=device)[:, None, None]
        self._blur = Blur(self.tiles, device)
        within = (places(self.tiles, device) + 1 <= self._view).all(0, keepdim=True)
        self._within = within.float()
        """1 for tiles of the view. Beyond it the grid holds mirror images, which move the other way."""
        self._held = (evidence.power > 1e-2 * WHITEST) & (evidence.target > 0)
        self._white = torch.where(self._held, 1 / (evidence.power + WHITEST).sqrt(), 1.0)
        self._held[:, 0, 0] = False
        self._fine_spline, self._coarse_spline = (
            self._on_full(spline_transfer(grid, device)) for grid in (self._fine, self._coarse)
        )
        turns = (torch.fft.fftfreq(self.full[0], device=device), torch.fft.rfftfreq(self.full[1], device=device))
        self._turns = [
            (2 * torch.pi * turn * (full / coarse)).reshape(shape)
            for turn, full, coarse, shape in zip(turns, self.full, self._coarse, ((-1, 1), (1, -1)), strict=True)
        ]
        """Phase by which a frequency turns from one sample of the coarse grid to the next, along y and along x."""
        self._fine_places, self._coarse_places, self._tile_places = (
            places(grid, device) for grid in (self._fine, self._coarse, self.tiles)
        )

    def compare(self, evidence: Evidence, even: float, mean: Tensor, worth: Tensor) -> Comparison:
        """Bring what is remembered to where things are now, and compare.

        Args:
            evidence: the newest series in units of its mean.
            even: share of its noise that is the same everywhere.
            mean: m, (1, rows, columns) complex64.
            worth: number of series that it is worth, (1, ty, tx).
        """
        gain, smooth = (
            evidence.target / (evidence.power + scale * evidence.damping).clamp(min=_LEAST)
            for scale in (SMOOTH, SMOOTHEST)
        )
        now = gain * evidence.matched
        jump = self._jump(now, gain * mean)
        mean = mean * self._moving(jump)
        mean = mean * self._bleaching(smooth * evidence.matched, smooth * mean)
        light = pooled(self._small(mean / evidence.power[0, 0, 0])).clamp(min=_DARKEST)
        noise, usual = even + (1 - even) * light, 1 + 1 / worth
        power = gain**2 * evidence.power
        filtered = gain * mean
        disturbing = noise[0] * usual[0] * self._coherent(evidence, power, filtered)
        images = self._with_slopes(filtered)

        def before(field: Tensor) -> tuple[Tensor, Tensor]:
            found = moved(images, self._coarse_places - finer(field, self._coarse))
            return found[0], found[1:]

        current = self._small(now)[0]
        field = displacement(current, before, disturbing, self._within[0], self._blur)
        difference = pooled((current - before(field)[0])[None] ** 2)
        difference = difference / evidence.deviation(evidence.noise[:, None, None] * power)[0] ** 2
        chance = usual * self._chance(power)
        found = self._quotient(difference, noise, VESICLE)
        sources = self._tile_places - (field + jump[:, None, None]) / TILE
        return Comparison(
            before=self._followed(mean, field, noise),
            excess=difference - usual * noise,
            sudden=(found - usual - CERTAIN * chance / VESICLE).clamp(min=0),
            chance=chance,
            noise=noise,
            visible=((sources > -0.5) & (sources < self._view - 0.5)).all(0, keepdim=True).float(),
            sources=sources,
        )

    def shrunk(self, change: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
        """Return change relative to the local noise, at least 0: of the field, of regions, of places, as each is known.

        Args:
            change: for each tile, with chance in it, (1, ty, tx); see `Comparison.excess`.
            noise: see there.
            chance: standard deviation by chance, relative to the local noise, of a Gaussian window of one tile.
        """
        lit = noise * self._within
        lit = lit / lit.mean()
        found = ((change * self._within).mean() / (noise * self._within).mean()).expand_as(change)
        for sigma in WINDOWS:
            here = self._quotient(change, noise, sigma)
            variance = (chance / sigma) ** 2
            more = (((here - found) ** 2 - variance) * lit).mean().clamp(min=0)
            found = found + (here - found) * (more / (more + variance))
        return found.clamp(min=0)

    def _quotient(self, power: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """Return power relative to noise in a window, of what is in the view."""
        # The quotient of means is steadier than the mean of quotients.
        found, usual = (self._blur(one * self._within, sigma) for one in (power, noise))
        return found / usual.clamp(min=_LEAST)

    def averaged(self, matched: Tensor, before: Tensor, worth: Tensor) -> Tensor:
        """Return the spectrum (1, rows, columns) of a series and those before it.

        Args:
            matched: M of the series, (1, rows, columns).
            before: `Comparison.before`.
            worth: number of series that it is worth, (1, ty, tx).
        """
        now = image_on(matched * self._white, self.full, self._fine)
        mean = torch.lerp(now, before, finer(worth / (1 + worth), self._fine))
        # What the grid does not hold, and the mean, are those of the series.
        return torch.where(self._held, spectrum_of(mean, self.full) / self._white, matched)

    def _followed(self, mean: Tensor, field: Tensor, weight: Tensor) -> Tensor:
        """Return the image of white noise of a mean, moved by a field of tiles, (1, y, x) on the fine grid.

        What all places have in common is a phase in the Fourier domain, which is exact; samples between samples lose
        some of what is finest, again with every series.
        """
        weight = weight * self._within
        common = (field * weight).sum((-2, -1)) / weight.sum()
        mean, field = mean * self._moving(common), field - common[:, None, None]
        image = image_on(mean * self._white / self._fine_spline, self.full, self._fine)
        scale = [fine / coarse for fine, coarse in zip(self._fine, self._coarse, strict=True)]
        step = finer(field, self._fine) * torch.tensor(scale, device=field.device)[:, None, None]
        return moved(image, self._fine_places - step)

    def _jump(self, now: Tensor, before: Tensor) -> Tensor:
        """Return by how many samples of the coarse grid the whole field has jumped along y and x."""
        product = now * before.conj()
        product[:, 0, 0] = 0
        likeness = self._small(product)[0]
        best = likeness.argmax()
        if not likeness.flatten()[best] > JUMP * likeness[0, 0]:
            return torch.zeros(2, device=now.device)
        y, x = self._coarse
        row, column = best // x, best % x
        return torch.stack([row - y * (2 * row > y), column - x * (2 * column > x)]).float()

    def _moving(self, jump: Tensor) -> Tensor:
        """Return the phases that move a spectrum by samples of the coarse grid."""
        turn = -(jump[0] * self._turns[0] + jump[1] * self._turns[1])
        return torch.polar(torch.ones_like(turn), turn)

    def _bleaching(self, now: Tensor, before: Tensor) -> float:
        """Return how much brighter a series is than what is remembered, by the median over all bright places."""
        current, past = self._small(now), self._small(before)
        bright = past > past.mean()
        return float((current[bright] / past[bright]).median()) if bright.any() else 1.0

    def _with_slopes(self, spectrum: Tensor) -> Tensor:
        """Return the B-splines of an image and its gradients along y and x, (3, y, x) on the coarse grid."""
        spline = spectrum / self._coarse_spline
        return self._small(torch.cat([spline, *(1j * turn * spline for turn in self._turns)]))

    def _small(self, spectrum: Tensor) -> Tensor:
        return image_on(spectrum, self.full, self._coarse)

    def _on_full(self, transfer: Tensor) -> Tensor:
        """Return a transfer of a smaller half-plane on the full one, 1 beyond."""
        y, columns = transfer.shape
        whole = torch.ones(self.full[0], self.full[1] // 2 + 1, device=transfer.device)
        whole[: y // 2, :columns] = transfer[: y // 2]
        whole[-(y - y // 2) :, :columns] = transfer[y // 2 :]
        return whole

    def _coherent(self, evidence: Evidence, power: Tensor, filtered: Tensor) -> Tensor:
        """Return the variance per coarse sample of white noise that is like one series' where the gradients are."""
        strength = (self._turns[0] ** 2 + self._turns[1] ** 2) * (filtered.real**2 + filtered.imag**2)
        share = (strength * power).sum() / strength.sum().clamp(min=_LEAST)
        # White noise of variance v has the power v y x on a grid of y x samples.
        variance: Tensor = (
            share * evidence.noise[0] * (self._coarse[0] * self._coarse[1] / (self.full[0] * self.full[1]) ** 2)
        )
        return variance

    def _chance(self, power: Tensor) -> Tensor:
        """Return the relative standard deviation of the power of such noise in a Gaussian window of one tile."""
        independent = 2 * power.sum() ** 2 / (power**2).sum() / (self.tiles[0] * self.tiles[1])
        return (2 / (4 * torch.pi * independent)).sqrt()
