"""What the series before still say: brought to where things are now, and averaged in as far as they agree.

A time-lapse shows the same object again and again. Let m be the mean of the spectra M of the series before, worth s
series, place by place. It is moved to where its structures are in the newest series and compared with it
(`rdl_live.restore.comparison`). What the difference is more than noise is change, of power q, and the mean is worth

    s' = 1 / (1/s + q / e),   m <- (M + s' m) / (1 + s'),   s <- 1 + s'

(a Kalman filter for each place, whose process noise is measured; Kalman 1960, 10.1115/1.3662552). e is the error of the
denoised image, not of the data: denoising takes most noise away, but what lies in a wrong place looks like an object
and stays.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.restore.comparison import Comparer
from rdl_live.restore.evidence import Evidence
from rdl_live.restore.fusion import fused_spectrum, trust
from rdl_live.restore.grids import Grids
from rdl_live.restore.sampling import interpolated

DENOISED = 1.2
"""Error of a denoised image relative to the noise of the images that are compared (powers). Measured on films: of 0.1,
0.2, 0.4, 0.8, 1.2, 1.5 and 2 it gave the least error over all films, within 2 %."""
USUAL_MEMORY = 6.0
"""Series that an image is made of at most, unless another number is said."""
NEW = 0.3
"""Share of the newest series in what is known of lasting change, and of the noise."""


@dataclass(frozen=True)
class Recalled:
    """A series together with those before."""

    evidence: Evidence
    """The mean of all of them, with the noise and the damping of one series, in units of the mean."""
    tiles: Tensor
    """Number of series that each tile of the evidence's grid is worth, (1, ty, tx), at least 1."""
    usual: Tensor
    """Mean of 1 / that over the light."""
    most: float
    """Largest worth that there may be."""

    @property
    def worth(self) -> Tensor:
        """Number of series that each place is worth, (1, y, x) on the evidence's grid, at least 1."""
        return interpolated(self.tiles, self.evidence.grid)

    def best(self) -> Evidence:
        """Return the mean as if every place were worth `most` series."""
        one, most = self.evidence, self.most
        return Evidence(one.matched, one.power, one.target, one.damping / most, one.noise / most)

    def nearness(self, grid: tuple[int, int] | None = None) -> Tensor:
        """Return how near each place is to the largest worth, from 0 (worth one series) to 1, (1, y, x)."""
        return interpolated(self.tiles.log() / math.log(self.most), grid or self.evidence.grid)

    def fused(self, spectrum: Tensor, rings: Tensor) -> Tensor:
        """Weigh the spectrum of an image against the data, as `fused_spectrum` does, but place by place.

        Args:
            spectrum: X0, (1, rows, columns) complex64.
            rings: `rings_of` its half-plane.

        Returns:
            Image (1, y, x) on the evidence's grid.
        """
        one, usual = self.evidence, self.usual
        usually = Evidence(one.matched, one.power, one.target, one.damping * usual, one.noise * usual)
        weight = trust(usually, spectrum, rings) / usual
        far = one.image(fused_spectrum(one, spectrum, rings, weight=weight))
        near = one.image(fused_spectrum(self.best(), spectrum, rings, weight=weight / self.most))
        return torch.lerp(far, near, self.nearness())


class Comparing:
    """What memories of one geometry compare with: twenty times as large as what one of them remembers, so shared."""

    def __init__(self, view: tuple[int, int]) -> None:
        """Prepare for SR images of (y, x): the grid of the evidence reaches beyond them."""
        self._view = view
        self._comparer: Comparer | None = None

    def of(self, evidence: Evidence) -> Comparer:
        """Return what compares series like this one."""
        if self._comparer is None or self._comparer.grids.full != evidence.grid:
            self._comparer = Comparer(Grids(evidence), self._view)
        return self._comparer


class Memory:
    """Of one place and colour. Series are given to it in the order of time."""

    def __init__(self, most: float, comparing: Comparing) -> None:
        """Begin with nothing.

        Args:
            most: series that the memory is worth at most, the newest included.
            comparing: shared with the other memories of the same patterns, colour and thread.
        """
        if most < 1:
            raise ValueError(f"a memory is worth at least the series itself, got {most}")
        self._most, self._comparing = most, comparing
        self._comparer: Comparer | None = None
        self._floor: Tensor
        self._white: Tensor
        """The mean, as spectrum of white noise on the fine half-plane."""
        self._worth: Tensor
        self._change: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes of what is remembered, without what memories share."""
        if self._comparer is None:
            return 0
        return sum(one.nbytes for one in (self._white, self._worth, self._change))

    @torch.no_grad()
    def recall(self, evidence: Evidence, even: float = 0.0) -> Recalled | None:
        """Add a series and return it with what is remembered; None for the first one.

        Args:
            evidence: one series in units of its mean (`Evidence.relative`).
            even: share of the noise that is the same everywhere (read noise); the rest follows the light.
        """
        if self._most <= 1:
            return None
        comparer = self._comparer
        if comparer is None or comparer.grids.full != evidence.grid:
            self._comparer = comparer = self._comparing.of(evidence)
            grids = comparer.grids
            self._floor, self._white = grids.floor(evidence), grids.white(evidence.matched)
            self._worth = torch.ones(1, *grids.tiles, device=grids.device)
            self._change = torch.zeros_like(self._worth)
            return None
        grids = comparer.grids
        self._floor = torch.lerp(self._floor, grids.floor(evidence), NEW)
        found = comparer.compare(evidence, even, self._white, self._worth, self._floor)
        carried = found.carried(torch.cat([self._change, self._worth]))
        self._change = torch.lerp(carried[:1], found.excess, NEW)
        # What is known of lasting change is a mean over series.
        lasting = comparer.shrunk(self._change, found.noise, found.chance * (NEW / (2 - NEW)) ** 0.5)
        change = (lasting + found.sudden) / DENOISED
        worth = (1 / (1 / carried[1:] + change)).clamp(max=self._most - 1) * found.visible
        self._worth = 1 + worth
        share = comparer.finer(worth / (1 + worth))
        mean, self._white = grids.averaged(evidence.matched, found.before, share)
        shown = Evidence(mean, evidence.power, evidence.target, evidence.damping, evidence.noise)
        usual = (found.light / self._worth).sum() / found.light.sum()
        return Recalled(shown, self._worth, usual, self._most)
