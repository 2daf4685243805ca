"""The rolling mode: one raw frame is exchanged, and an SR image costs little more than its transform back.

The image is linear in the frames. Kept is the image's spectrum, the sum of all bands; the difference of the new frame
to the old one is transformed, weighed and added in place. Rounding errors stay in the sum, so it is made anew from
the frames in time.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Geometry, Plan

RENEWED = 128
"""Exchanges until the sum is made anew. Each leaves an error of about 1e-7 of the light; they add up like noise."""
_DARKER = 4.0
"""What was bright leaves larger errors: the sum is made anew, too, when the light has fallen by this factor since."""


class Rolling:
    """The last series, frame by frame exchanged. Belongs to one thread."""

    def __init__(self, geometry: Geometry, transform: BandTransform) -> None:
        self._geometry, self._transform = geometry, transform
        self._buffers = transform.buffers(1)
        self._factors: list[list[list[float]]] = transform.unmixing.mT.tolist()
        self._light: Tensor | None = None

    def begin(self, plan: Plan, light: Tensor, spectrum: Tensor) -> None:
        """Take over a whole series; both tensors are kept, and changed later.

        Args:
            plan: the weights that are in `spectrum`.
            light: (A, P, y, x) of `BandTransform.light`.
            spectrum: (SR rows, SR columns) of `BandTransform.spectrum`.
        """
        self._plan, self._light, self._spectrum = plan, light, spectrum
        self._exchanged = 0
        self._norms: list[list[float]] = []
        self._brightest = 0.0

    def exchange(self, plan: Plan, frame: Tensor, angle: int, phase: int) -> Tensor:
        """Replace one frame (y, x) ADU; return the image's spectrum (SR rows, SR columns), valid until the next.

        Raises:
            DataError: there is no series yet, or the frame does not fit it.
        """
        if self._light is None:
            raise DataError("rolling needs a whole series first: call the Reconstructor once, then update")
        angles, phases = self._light.shape[:2]
        if tuple(frame.shape) != self._geometry.shape or not (0 <= angle < angles and 0 <= phase < phases):
            raise DataError(
                f"frame of shape {tuple(frame.shape)} for angle {angle}, phase {phase} does not fit a series of "
                f"{angles} angles x {phases} phases of {self._geometry.shape} pixels"
            )
        light = self._transform.light(frame.to(self._light.device))
        if self._lasts(light, angle, phase) and plan is self._plan:
            old = self._light[angle, phase]
            self._add(self._transform.difference(light, old, angle, self._buffers), angle, phase)
            old.copy_(light)
            self._exchanged += 1
        else:
            self._light[angle, phase] = light
            self.begin(plan, self._light, self._transform.spectrum(plan, self._light[None])[0])
        return self._spectrum

    def _add(self, bands: tuple[Tensor, Tensor], angle: int, phase: int) -> None:
        """Add what a frame's difference changes in the bands that it has part in."""
        widefield, sidebands = bands
        level, *parts = self._factors[angle][phase]
        for block in self._plan.widefield:
            block.add(widefield, self._spectrum, level)
        for harmonic, (real, imag) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
            for block in self._plan.sidebands.get((angle, harmonic), ()):
                block.add(sidebands[harmonic], self._spectrum, complex(real, imag))

    def _lasts(self, light: Tensor, angle: int, phase: int) -> bool:
        """Note how bright the new frame is; return whether the sum can still be added to."""
        assert self._light is not None
        if not self._norms:
            self._norms = [[_norm(one) for one in row] for row in self._light]
            self._brightest = _largest(self._norms)
        self._norms[angle][phase] = _norm(light)
        now = _largest(self._norms)
        self._brightest = max(self._brightest, now)
        return self._exchanged < RENEWED and self._brightest <= _DARKER * now


def _norm(light: Tensor) -> float:
    """Return the root of the sum of squares: a scalar product is quicker than `vector_norm`."""
    pixels = light.flatten()
    return math.sqrt(float(torch.dot(pixels, pixels)))


def _largest(norms: Iterable[Iterable[float]]) -> float:
    """Return the largest number, infinite if one is not finite: such frames must not stay in a sum."""
    every = [norm for row in norms for norm in row]
    return max(every) if all(math.isfinite(norm) for norm in every) else math.inf
