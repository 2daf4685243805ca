"""How far structures move between time points, measured on the noisy spectra themselves.

Between two time points whose structures moved at random by s (root mean square, each way) the spectra agree up to

    rho(k) = Re <M_t M*_t+lag> / (<|M_t|^2> - N D) = exp(-2 pi^2 k^2 s^2)

Noise is independent, so it drops out of the upper product, and is known in the lower. Averages run over rings, tiles
and time points; s is fitted where the rings hold signal, up to the detection's cut-off.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.restore.evidence import Evidence
from rdl_live.restore.fusion import rings_of
from rdl_live.train.recordings.film import Film, Tile, tiles
from rdl_live.train.recordings.settings import Scheme

LARGEST = 0.1
"""Motion, relative to the widefield resolution emission / (2 NA), up to which neighbours show the same: 18 % of the
contrast of the finest widefield detail are then lost in the target, and half of that where it is steady."""
LAGS = (3, 7, 15)
"""Distances in time over which it is measured as well, as long as little moves."""
_MOMENTS = 10
_TILES = 6
_RANGE = (0.15, 0.95)
"""Rings that are used, relative to the cut-off: below is background that fades, above is hardly signal."""
_LEAST_AGREEMENT = 0.02


@dataclass(frozen=True)
class Motion:
    """What was measured on one recording."""

    per_point_nm: float
    """Root-mean-square motion from one time point to the next, each way [nm]; infinite if nothing agrees."""
    farther_nm: tuple[tuple[int, float], ...]
    """(time points, the same over so many of them); none in recordings too short for it."""
    limit_nm: float
    """Up to which neighbours show the same."""

    @property
    def scheme(self) -> Scheme:
        """The scheme that suits."""
        return Scheme.TIS if self.per_point_nm <= self.limit_nm else Scheme.SPLIT

    @property
    def reach(self) -> int:
        """How far a target may be away, in time points: the more of them, the less noise it has."""
        farthest = 1
        for lag, moved_nm in self.farther_nm:
            if moved_nm > self.limit_nm:
                break
            farthest = lag
        return farthest

    @property
    def words(self) -> str:
        """What was found and what follows, for the user."""
        if math.isinf(self.per_point_nm):
            found = "one time point does not resemble the next"
        else:
            found = f"structures move {max(self.per_point_nm, 1):.0f} nm from a time point to the next"
        if self.scheme is Scheme.TIS:
            return (
                f"{found}, less than the {self.limit_nm:.0f} nm up to which neighbours show the same: comparing time "
                "points (tis) is the right scheme"
            )
        return (
            f"{found}, more than the {self.limit_nm:.0f} nm up to which neighbours show the same: photon splitting "
            "(split), which compares a moment with itself, is the right scheme"
        )


def measure_motion(film: Film, tile: int = 128) -> Motion | None:
    """Return how far things move; None where a recording has a single time point."""
    if len(film) < 2:
        return None
    limit_nm = 1e3 * LARGEST / film.scope.cutoff(film.channel)
    near_nm = 1e3 * _displacement_um(film, tile, 1)
    farther: list[tuple[int, float]] = []
    for lag in LAGS:
        if len(film) <= lag or max([near_nm, *(moved for _, moved in farther)]) > limit_nm:
            break
        farther.append((lag, 1e3 * _displacement_um(film, tile, lag)))
    return Motion(near_nm, tuple(farther), limit_nm)


def longest(motions: Sequence[Motion]) -> Motion | None:
    """Return the fastest of several recordings."""
    return max(motions, key=lambda one: one.per_point_nm, default=None)


def _displacement_um(film: Film, size: int, lag: int) -> float:
    """Return s [um], each way."""
    places = tiles(film, size)
    places = places[:: max(1, len(places) // _TILES)][:_TILES]
    starts = sorted(
        set(np.linspace(0, len(film) - 1 - lag, min(_MOMENTS, len(film) - lag)).round().astype(int).tolist())
    )
    upper: Tensor | None = None
    lower: Tensor | None = None
    for place in places:
        rings = rings_of(*place.geometry.sr_spectrum)
        for start in starts:
            one, other = (place.evidence(film.photons(time, place)) for time in (start, start + lag))
            product, power = _agreement(one, other, rings)
            upper = product if upper is None else upper + product
            lower = power if lower is None else lower + power
    if upper is None or lower is None:
        raise ValueError("a film without tiles or time points")
    return _fitted(film, places[0], upper, lower)


def _agreement(one: Evidence, other: Evidence, rings: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums over rings of the product of two spectra, and of their power without noise."""
    count = int(rings.max()) + 1
    product = (one.matched * other.matched.conj()).real
    power = 0.0 * product
    for look in (one, other):
        power = power + 0.5 * (look.matched.abs().square() - look.noise[:, None, None] * look.power)
    zeros = torch.zeros(count, dtype=torch.float64)
    index = rings.flatten()
    return (
        zeros.index_add(0, index, product.flatten().double()),
        zeros.index_add(0, index, power.flatten().double()),
    )


def _fitted(film: Film, tile: Tile, upper: Tensor, lower: Tensor) -> float:
    """Fit -ln rho = 2 pi^2 k^2 s^2, each ring weighed by its signal."""
    step = 1 / (min(tile.geometry.padded) * film.scope.optics.pixel_size_um)
    k = torch.arange(len(upper), dtype=torch.float64) * step
    cutoff = film.scope.cutoff(film.channel)
    usable = (k > _RANGE[0] * cutoff) & (k < _RANGE[1] * cutoff) & (lower > 0)
    if not bool(usable.any()) or float(upper[usable].sum()) < _LEAST_AGREEMENT * float(lower[usable].sum()):
        return math.inf
    loss = -(upper[usable] / lower[usable]).clamp(_LEAST_AGREEMENT, 1.5).log()
    squared = k[usable] ** 2
    weight = lower[usable]
    s2 = (weight * squared * loss).sum() / (weight * squared**2).sum() / (2 * math.pi**2)
    return math.sqrt(max(float(s2), 0.0))
