"""Pattern-modulated frames: what the camera would see, under the estimated patterns, of what is believed of the object.

    generated_oj = sample( H * (I_oj prior) )       Qiao et al. 2022, 10.1038/s41587-022-01471-3, eq. 1

The prior lives on the SR grid, which holds all that a SIM image shows. The published code first shrinks it to the raw
grid, where all beyond the raw Nyquist frequency is lost or aliased before the pattern could bring it down into the
OTF's support; `grid` 1 does that, to show what it costs. Modulation depths are the estimated ones, not 1.
"""

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics.forward import ForwardModel
from rdl_live.optics.pattern import PatternSet
from rdl_live.optics.reconstruct.plan import Geometry
from rdl_live.restore.frames import FrameModel

GRIDS = (1, 2)


class GeneratedFrames:
    """Of one geometry and set of patterns."""

    def __init__(self, geometry: Geometry, patterns: PatternSet, target: Tensor, *, grid: int = 2) -> None:
        """Prepare.

        Args:
            geometry: grids and OTF.
            patterns: estimated; orientations that are not trusted are taken as unmodulated.
            target: T, the prior's transfer (rows, columns).
            grid: 2 for the prior's own grid, or 1, samples for each raw pixel, as published.

        Raises:
            ValueError: another grid.
        """
        if grid not in GRIDS:
            raise ValueError(f"grid must be 1 or 2, got {grid}")
        self._target, self._shape, self._factor = target, geometry.shape, geometry.factor
        self._fine = FrameModel(geometry, patterns) if grid == 2 else None
        seen = [one if one.trusted else one.replace(modulation=(0.0,) * len(one.modulation)) for one in patterns]
        self._coarse = ForwardModel(
            geometry.otf, PatternSet(patterns=tuple(seen)), geometry.padded, upsample=1, device=geometry.power.device
        )

    def __call__(self, prior: Tensor) -> Tensor:
        """Return frames (n, angle, phase, y, x) float32 of SR images (n, y, x) on the padded grid, in their unit."""
        if self._fine is not None:
            return self._fine(torch.fft.rfft2(prior), self._target)
        shrunk = functional.avg_pool2d(prior[:, None], self._factor)[:, 0]
        y, x = self._shape
        return self._coarse.forward(shrunk)[..., :y, :x]
