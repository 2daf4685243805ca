"""Whether the patterns are still as good as they were; each change is reported once."""

import math
from collections.abc import Callable

from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.quality.dim_frames import dim_frames

FALLEN = 0.5
"""A score below this share of the best one so far is reported."""
RECOVERED = 0.7
"""Score and modulation must rise to this share of the best before a new fall is reported."""

Warn = Callable[[str], None]


class PatternHealth:
    """Watches the estimations of one channel."""

    def __init__(self, channel: str, warn: Warn) -> None:
        """Watch a colour; `warn` gets sentences for the user."""
        self._channel, self._warn = channel, warn
        self._best: dict[int, float] = {}
        self._depth: dict[int, float] = {}
        self._fallen: set[int] = set()
        self._doubted: set[int] = set()
        self._dim: set[tuple[int, int]] = set()

    def judge(self, estimated: PatternSet, photons: float | None = None) -> None:
        """Compare the newest estimation with those before.

        Args:
            estimated: the newest.
            photons: mean of the raw frames it is made of. Scores grow as its root, so that less light, which the user
                may have chosen, is no fall.
        """
        self._judge_light(estimated)
        root = math.sqrt(photons) if photons is not None and photons > 0 else 1.0
        for orientation, pattern in enumerate(estimated):
            where = f"channel {self._channel}, orientation {orientation + 1}"
            if pattern.trusted:
                depth = self._depth[orientation] = max(pattern.modulation[0], self._depth.get(orientation, 0.0))
                if pattern.modulation[0] >= RECOVERED * depth:  # series from before it went out lift it a little
                    self._doubted.discard(orientation)
                self._judge_score(orientation, pattern.score, root, where)
            elif orientation not in self._doubted:
                self._doubted.add(orientation)
                self._warn(f"{where}: {pattern.doubt or 'its pattern is not trusted'}")

    def _judge_light(self, estimated: PatternSet) -> None:
        """Name frames that are always dimmer than the others of their pattern, each once until it is mended."""
        dim = dim_frames(estimated)
        for place in dim.keys() - self._dim:
            self._warn(f"channel {self._channel}: {dim[place]}")
        self._dim = set(dim)

    def _judge_score(self, orientation: int, score: float, root: float, where: str) -> None:
        highest = self._best[orientation] = max(score / root, self._best.get(orientation, 0.0))
        best = highest * root
        if score < FALLEN * best:
            if orientation not in self._fallen:
                self._fallen.add(orientation)
                self._warn(
                    f"{where}: the pattern's score fell from {best:.1f} to {score:.1f}; check focus and polarisation, "
                    "or whether the dye has bleached"
                )
        elif score > RECOVERED * best:
            self._fallen.discard(orientation)
