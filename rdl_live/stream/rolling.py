"""The series that rolls: the last nine frames, whichever series they are of."""

from dataclasses import dataclass

from torch import Tensor

from rdl_live.stream.estimation import Calibrated


@dataclass(frozen=True)
class Rolled:
    """What the rolling mode keeps of one colour."""

    place: tuple[int, int]
    """Position and plane."""
    use: Calibrated
    """Patterns and weights, of which the reconstructor holds the same frames."""
    photons: Tensor
    """(angle, phase, y, x), exchanged frame by frame."""
