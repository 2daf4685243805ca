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

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.restore.displacement import TILE, Blur, displacement, pooled
from rdl_live.restore.evidence import Evidence
from rdl_live.restore.grids import Grids
from rdl_live.restore.sampling import resized
from rdl_live.restore.warp import Warp, places

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
    light: Tensor
    """Local light relative to its mean."""
    noise: Tensor
    """Local variance of noise relative to its mean."""
    visible: Tensor
    """1 where what is shown came from within the view, else 0."""
    sources: Tensor
    """Row and column of the tile from which each tile came, (2, ty, tx)."""

    def carried(self, map_: Tensor) -> Tensor:
        """Return maps of tiles (n, ty, tx) as things have moved since."""
        at = [(one + 0.5) * (2 / size) - 1 for one, size in zip(self.sources, map_.shape[-2:], strict=True)]
        found: Tensor = torch.nn.functional.grid_sample(
            map_[None], torch.stack(at[::-1], dim=-1)[None], padding_mode="border", align_corners=False
        )
        return found[0]


class Comparer:
    """Compares series of one geometry, of any place; remembers nothing. Belongs to one thread at a time."""

    def __init__(self, grids: Grids, view: tuple[int, int]) -> None:
        """Prepare.

        Args:
            grids: of the geometry.
            view: (y, x) of the SR image, the first rows and columns of the evidence's grid.
        """
        device = grids.device
        self.grids = grids
        """Of the geometry."""
        inside = [size * tiles / full for size, tiles, full in zip(view, grids.tiles, grids.full, strict=True)]
        self._view = torch.tensor(inside, device=device)[:, None, None]
        self._blur = Blur(grids.tiles, device)
        self._places = places(grids.tiles, device)
        self._within = (self._places + 1 <= self._view).all(0, keepdim=True).float()
        """1 for tiles of the view. Beyond it the grid holds mirror images, which move the other way."""
        self._coarse, self._fine = Warp(grids.coarse, grids.tiles, device), Warp(grids.fine, grids.tiles, device)

    def finer(self, maps: Tensor) -> Tensor:
        """Return maps of tiles (n, ty, tx) on the fine grid."""
        return self._fine.finer(maps)

    def compare(self, evidence: Evidence, even: float, white: Tensor, worth: Tensor, floor: Tensor) -> Comparison:
        """Bring what is remembered to where things are now, and compare.

        Args:
            evidence: the newest series in units of its mean.
            even: share of its noise that is the same everywhere.
            white: what is remembered, (1, rows, columns) complex64 on the fine half-plane (`Grids.white`).
            worth: number of series that it is worth, (1, ty, tx).
            floor: noise of a series relative to what is expected of it, (1,); see `Grids.floor`.
        """
        grids = self.grids
        power, target, damping = grids.coarsely(evidence.power), grids.coarsely(evidence.target), evidence.damping
        damping = grids.coarsely(damping)
        gain, smooth = (target / (power + scale * damping).clamp(min=_LEAST) for scale in (SMOOTH, SMOOTHEST))
        matched, mean = grids.coarsely(evidence.matched), grids.coarsely(white) * grids.coarse_unwhite
        now, filtered = gain * matched, gain * mean
        jump = self._jump(now, filtered)
        turned = grids.coarse_phases(jump)
        mean, filtered = mean * turned, filtered * turned
        past, recent, light = grids.on_tiles(
            torch.cat([smooth * mean, smooth * matched, mean / evidence.power[0, 0, 0]])
        )
        faded = _bleaching(recent, past)
        light = (faded * light).clamp(min=_DARKEST)[None]
        noise, usual = even + (1 - even) * light, 1 + 1 / worth
        passed = gain**2 * power
        level = evidence.noise * floor
        disturbing = noise[0] * usual[0] * grids.coherent(level, passed, filtered)
        found = self._followed(now, filtered * faded, disturbing)
        field, difference = found
        local = pooled(difference**2) / grids.variance(level, passed)
        chance = usual * grids.chance(passed)
        quotient = self._quotients(local, noise, [VESICLE])[0]
        sources = self._places - (field + jump[:, None, None]) / TILE
        return Comparison(
            before=self._moved(white, faded, jump, field, noise),
            excess=local - usual * noise,
            sudden=(quotient - usual - CERTAIN * chance / VESICLE).clamp(min=0),
            chance=chance,
            light=light,
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
        first = self._blur.thinned(change, WINDOWS[0])
        found = ((change * self._within).mean() / (noise * self._within).mean()).expand_as(first)
        for sigma, here in zip(WINDOWS, self._quotients(change, noise, WINDOWS), strict=True):
            found = resized(found, self._blur.size(sigma))
            variance = (self._blur.thinned(chance, sigma) / sigma) ** 2
            more = (((here - found) ** 2 - variance) * self._blur.thinned(lit, sigma)).mean().clamp(min=0)
            found = found + (here - found) * (more / (more + variance))
        return resized(found, self._blur.grid).clamp(min=0)

    def _quotients(self, power: Tensor, noise: Tensor, sigmas: Sequence[float]) -> list[Tensor]:
        """Return power relative to noise in windows, of what is in the view."""
        # The quotient of means is steadier than the mean of quotients.
        spectra = self._blur.spectra(torch.cat([power, noise]) * self._within)
        windows = [self._blur.window(spectra, sigma) for sigma in sigmas]
        return [found[:1] / found[1:].clamp(min=_LEAST) for found in windows]

    def _followed(self, now: Tensor, before: Tensor, disturbing: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far things have moved [samples of the coarse grid] and the difference that is left (1, y, x)."""
        grids = self.grids
        images = grids.coarse_images(torch.cat([now, before, *(turn * before for turn in grids.slopes)]))
        splines = grids.coarse_images(before * grids.coarse_spline)
        field, difference, added = displacement(
            images[:1],
            images[1:2],
            images[2:],
            lambda moved: self._coarse(splines, moved),
            disturbing,
            self._within[0],
            self._blur,
        )
        # The last turn's share is so small that the image before is linear over it.
        step = self._coarse.finer(added)
        return field, difference.addcmul_(images[2:3], step[:1]).addcmul_(images[3:], step[1:])

    def _moved(self, white: Tensor, faded: Tensor, jump: Tensor, field: Tensor, noise: Tensor) -> Tensor:
        """Return the image of white noise of what is remembered, moved by a field of tiles, (1, y, x) on the fine grid.

        What all places have in common is a phase in the Fourier domain, which is exact; samples between samples lose
        some of what is finest, again with every series.
        """
        weight = noise * self._within
        common = (field * weight).sum((-2, -1)) / weight.sum()
        grids = self.grids
        splines = grids.fine_images(white * (grids.fine_spline * faded) * grids.fine_phases(jump + common))
        return self._fine(splines, (field - common[:, None, None]) * grids.ratio)

    def _jump(self, now: Tensor, before: Tensor) -> Tensor:
        """Return by how many samples of the coarse grid the whole field has jumped along y and x."""
        product = now * before.conj()
        product[:, 0, 0] = 0
        likeness = self.grids.coarse_images(product)[0]
        best = likeness.argmax()
        y, x = likeness.shape
        row, column = best // x, best % x
        far = likeness.flatten()[best] > JUMP * likeness[0, 0]
        return torch.stack([row - y * (2 * row > y), column - x * (2 * column > x)]) * far.float()


def _bleaching(now: Tensor, before: Tensor) -> Tensor:
    """Return how much brighter an image is than the one before, by the median over all bright places."""
    found = torch.where(before > before.mean(), now / before, torch.nan).nanmedian()
    return found.nan_to_num(1.0)
