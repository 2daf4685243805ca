"""rdl-live as one of the contenders: estimated patterns, everything by default, camera counts in."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.scene import Scene
from rdl_live.optics import PatternSet, Reconstructor, estimate_patterns


class Ours:
    """rdl-live on one scene; see `benchmarks.contender.Contender`."""

    name = "rdl-live"

    def __init__(self, scene: Scene) -> None:
        """Estimate once, so that everything is ready."""
        self._scope = scene.scope
        self._series = scene.adu
        self._turn = 0
        self.estimate()

    def find(self) -> PatternSet:
        """Estimate the patterns only."""
        return estimate_patterns(self._series, self._scope)

    def plan(self, patterns: PatternSet) -> Reconstructor:
        """Build the filters only."""
        return Reconstructor(self._scope, patterns, shape=self._series.shape[-2:], device="cpu")

    def estimate(self) -> None:
        """Find the patterns and build the filters."""
        self._patterns = self.find()
        self._reconstructor = self.plan(self._patterns)

    def reconstruct(self) -> object:
        """Reconstruct the series with the patterns found."""
        return self._reconstructor(self._series)

    def update(self) -> object:
        """Replace one raw frame of the series and return the new image."""
        angles, phases = self._series.shape[:2]
        self._turn = (self._turn + 1) % (angles * phases)
        angle, phase = divmod(self._turn, phases)
        return self._reconstructor.update(self._series[angle, phase], angle, phase)

    def scored(self, truth: NDArray[np.float32]) -> NDArray[np.float64]:  # noqa: ARG002  # nothing is fitted
        """Return the image as it comes."""
        return self._reconstructor(self._series).numpy().astype(np.float64)

    @property
    def mean(self) -> float:
        """Mean of the image."""
        return float(self._reconstructor(self._series).mean())

    @property
    def patterns(self) -> PatternSet:
        """What was found."""
        return self._patterns
