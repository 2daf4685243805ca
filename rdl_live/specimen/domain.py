"""The periodic piece of cell in which structures grow, larger than the view: nothing ends at an edge."""

from dataclasses import dataclass

import numpy as np

from rdl_live.specimen.cloud import Floats


@dataclass(frozen=True)
class Domain:
    """A torus of `size_um`, with the randomness and the density with which to fill it."""

    size_um: tuple[float, float]
    """(y, x) [um]."""
    rng: np.random.Generator
    density: float = 1.0
    """Amount relative to the typical one."""

    @property
    def area_um2(self) -> float:
        """Area [um^2]."""
        return self.size_um[0] * self.size_um[1]

    def count(self, per_um2: float) -> int:
        """Return how many members to grow where `per_um2` is typical; at least 1."""
        return max(1, round(per_um2 * self.density * self.area_um2))

    def places(self, count: int, *, clumping: float = 0.0) -> Floats:
        """Return random places (count, 2), x and y [um].

        Args:
            count: how many.
            clumping: 0 spreads them evenly, 1 leaves them mostly in some regions a few um across.
        """
        y, x = self.size_um
        tried = self.rng.random((8 * count + 16, 2)) * (x, y)
        chance = np.ones(len(tried))
        for _ in range(4):
            waves = np.array([_whole_waves(x, self.rng), _whole_waves(y, self.rng)])
            phase = 2 * np.pi * (tried / (x, y) @ waves + self.rng.random())
            chance *= 1 - clumping * (0.5 + 0.5 * np.cos(phase))
        best = np.argsort(self.rng.random(len(tried)) / np.maximum(chance, 1e-9), kind="stable")
        return np.asarray(tried[best[:count]])


def _whole_waves(length_um: float, rng: np.random.Generator) -> int:
    """Return a number of waves, 3 um or longer, that fits the torus."""
    most = max(1, int(length_um / 3.0))
    return int(rng.integers(-most, most + 1))
