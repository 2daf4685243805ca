"""RCAN in space or space-time with FNSM in front: the network of TiS-rDL and SiS-rDL.

Qiao et al., Nat. Biotechnol. 2022, 10.1038/s41587-022-01471-3, Methods ("TiS-rDL and SiS-rDL"). The first axis of the
stacks is time (temporally interleaved training) or z (spatially interleaved); FNSM masks each plane in x and y.
3.8 million parameters at the published size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rdl_models.architecture import Architecture, Image, Task
from rdl_models.blocks import conv, lrelu, rcan_groups
from rdl_models.fnsm import CUTOFF_PER_UM, SLOPE_UM, Fnsm, FnsmConfig
from rdl_models.limits import check_flags, check_number, check_whole
from rdl_models.sample import Light, Sample, pixel

TAIL = 4


@dataclass(frozen=True)
class Rcan3dConfig:
    """Size of the network; by default as published."""

    channels: int = 1
    """Of the stacks: 1, or the frames of a SIM series, which must not be mixed along the first axis."""
    width: int = 64
    groups: int = 3
    blocks: int = 5
    """RCABs a group."""
    cutoff: float = CUTOFF_PER_UM
    """Where FNSM's cut-off starts from [cycles/um]; in units of the OTF's cut-off where `relative`."""
    slope: float = SLOPE_UM
    relative: bool = False

    def __post_init__(self) -> None:
        check_whole(self, {"channels": (1, 64), "width": (2, 256), "groups": (1, 32), "blocks": (1, 64)})
        check_number(self, {"cutoff": (1e-3, 1e3), "slope": (1e-3, 1e6)})
        check_flags(self, "relative")


class Rcan3d(nn.Module):
    """Denoises stacks (n, channels, t or z, y, x) of any size; any unit."""

    def __init__(self, config: Rcan3dConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__()
        self.config = config = config or Rcan3dConfig()
        width = config.width
        self.fnsm = Fnsm(config.channels, width, 3, FnsmConfig(config.cutoff, config.slope))
        self.groups = rcan_groups(config.groups, config.blocks, width, 3)
        self.widen = conv(width, TAIL * width, 3)
        with torch.no_grad():
            self.widen.weight *= 0.5**config.groups  # each group doubles its input at first
        self.last = conv(TAIL * width, config.channels, 3)

    def forward(self, x: Tensor, pixel: float | Tensor) -> Tensor:
        """Denoise.

        Args:
            x: (n, channels, t or z, y, x) float32.
            pixel: of x and y [um], or pixel x OTF cut-off where `relative`; one number or (n,).

        Returns:
            The same shape and unit.
        """
        features = lrelu(self.fnsm(x, pixel))
        out: Tensor = self.last(lrelu(self.widen(self.groups(features))))
        return out.float()

    def denoised(self, stack: Tensor, pixel: float | Tensor) -> Tensor:
        """Denoise stacks: what lies within the OTF's support, plus what the network adds.

        Args:
            stack: (n, z, y, x) float32, in units of its mean.
            pixel: as in `forward`.

        Returns:
            The same shape and unit.
        """
        whole = stack[:, None]
        out: Tensor = self.fnsm.mask(whole, pixel) + self(whole, pixel)
        return out[:, 0]


def _sample(config: Rcan3dConfig) -> tuple[Sample, ...]:
    return Light().stack("stack", config.channels), pixel()


ARCHITECTURE = Architecture(
    name="rcan3d",
    config=Rcan3dConfig,
    network=Rcan3d,
    takes=Image.STACK,
    gives=Image.STACK,
    task=Task.STACKS,
    words="denoises z-stacks of a light sheet or a confocal (RCAN in space behind a Fourier noise suppression)",
    sample=_sample,
)
