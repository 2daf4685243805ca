"""What a network is shown in the test of an exported package: small random tensors with named axes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE, PLANES = 64, 12
_SEED = 0xB10


@dataclass(frozen=True)
class Sample:
    """One input or output."""

    name: str
    axes: tuple[str, ...]
    """batch, channel, z, y, x."""
    values: npt.NDArray[np.float32]

    @property
    def file(self) -> str:
        """Name in the package."""
        return f"test-{self.name}.npy"


class Light:
    """Draws samples of photon noise around 1, the same ones each time."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(_SEED)

    def images(self, name: str, channels: int) -> Sample:
        """Return images of so many channels."""
        return Sample(name, ("batch", "channel", "y", "x"), self._drawn(channels, SIDE, SIDE))

    def stack(self, name: str, channels: int) -> Sample:
        """Return a stack of so many channels."""
        return Sample(name, ("batch", "channel", "z", "y", "x"), self._drawn(channels, PLANES, SIDE, SIDE))

    def _drawn(self, *shape: int) -> npt.NDArray[np.float32]:
        return (self._rng.poisson(5.0, (1, *shape)) / 5.0).astype(np.float32)


def pixel() -> Sample:
    """Return a pixel in units of the inverse of the OTF's cut-off."""
    return Sample("pixel", ("batch",), np.array([0.4], np.float32))
