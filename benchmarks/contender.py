"""What the benchmark asks of every program that it compares."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rdl_live.optics import PatternSet


class MissingError(Exception):
    """A program to compare with is not installed; the message says how to install it."""

    def __init__(self, program: str, remedy: str) -> None:
        super().__init__(f"{program} is not installed and left out; to compare with it: {remedy}")


class Contender(Protocol):
    """A program on one scene. Made once a scene; its methods are called many times, from one thread."""

    name: str

    def estimate(self) -> None:
        """Find the patterns blind and make ready to reconstruct. Timed."""

    def reconstruct(self) -> object:
        """Reconstruct the whole series with what is ready. Timed."""

    def update(self) -> object:
        """Replace one raw frame and bring the image up to date. Timed; follows a `reconstruct`."""

    def scored(self, truth: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the image (2y, 2x) to be compared with the truth, photons per raw pixel area."""

    @property
    def mean(self) -> float:
        """Mean of the image as the program gives it."""

    @property
    def patterns(self) -> PatternSet:
        """The patterns found by `estimate`."""
