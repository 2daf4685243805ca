"""CARE: content-aware restoration of images and stacks of any microscope by a residual U-Net, or several of them.

Weigert et al., Nat. Methods 15, 1090 (2018), 10.1038/s41592-018-0216-7, Supplementary Note 2: depth 2, 32 filters,
convolutions of 5 x 5 or 3 x 3 x 3, two a level, rectifiers, maxima of 2 on the way down, repetition on the way up, the
input added to the result. With a probabilistic head each network gives the mean and the scale of a Laplace
distribution of every pixel (softplus + 0.001), and an ensemble of them where they disagree (`rdl_models.laplace`).

Any unit goes in and comes out: the affine normalisation of input and output is part of the configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.architecture import Architecture, Image, Scenes, Task
from rdl_models.laplace import disagreement, mixture
from rdl_models.limits import check_flags, check_number, check_whole
from rdl_models.recipe import Size
from rdl_models.sample import Light, Sample

LEAST_SCALE = 1e-3
LEAST_UNIT = 1e-6
FIRST_SCALE = -3.0
"""Of every pixel before anything was learnt, before the softplus: 0.05 of the span."""
_WIDE = 1e30


@dataclass(frozen=True)
class CareConfig:
    """Size of the networks, by default as published for images; their number; and the normalisation."""

    dims: int = 2
    """2: images, 3: stacks."""
    width: int = 32
    """Filters of the finest level."""
    depth: int = 2
    """Halvings of the grid."""
    kernel: int = 5
    """Voxels of a convolution, each way; 3 is published for stacks."""
    residual: bool = True
    """Whether the input is added to the result."""
    probabilistic: bool = False
    """Whether every pixel gets the mean and the scale of a Laplace distribution instead of a value alone."""
    members: int = 1
    """Networks of the ensemble."""
    relative: bool = False
    """Whether input and output are in units of the mean of the image (or stack) first: for any amount of light."""
    input_offset: float = 0.0
    input_scale: float = 1.0
    """The networks are shown (input - offset) / scale."""
    output_offset: float = 0.0
    output_scale: float = 1.0
    """What they give is multiplied by the scale, then the offset is added."""
    sigma_factor: float = 1.0
    """Calibration of the Laplace scale on held-out images."""

    def __post_init__(self) -> None:
        check_whole(self, {"dims": (2, 3), "width": (1, 256), "depth": (1, 5), "kernel": (1, 9), "members": (1, 32)})
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        check_flags(self, "residual", "probabilistic", "relative")
        check_number(self, {"input_offset": (-_WIDE, _WIDE), "output_offset": (-_WIDE, _WIDE)})
        check_number(self, {"input_scale": (1e-12, _WIDE), "output_scale": (1e-12, _WIDE), "sigma_factor": (0.01, 100)})

    @property
    def multiple(self) -> int:
        """Sides of what the networks see are continued to a multiple of so many voxels; tiles begin at one."""
        return 1 << self.depth

    @property
    def reach(self) -> int:
        """Voxels beyond which nothing counts for a voxel of the result."""
        radius = self.kernel // 2
        return 4 * radius * (self.multiple - 1) + 2 * radius * self.multiple + self.multiple


class UnetMember(nn.Module):
    """One network: (n, 1, [z,] y, x) -> (n, 1 or 2, [z,] y, x), whose sides are multiples of `CareConfig.multiple`."""

    def __init__(self, config: CareConfig) -> None:
        """Make one of random numbers."""
        super().__init__()
        width, depth = config.width, config.depth
        self._config = config
        down, up = [], []
        for level in range(depth):
            before = 1 if level == 0 else width << (level - 1)
            down.append(self._block(before, width << level, width << level))
            up.append(self._block(2 * (width << level), width << level, width << max(0, level - 1)))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.bottom = self._block(width << (depth - 1), width << depth, width << (depth - 1))
        self.last = self._conv(width, 2 if config.probabilistic else 1, 1)
        # A correction begins with none, and the scale of a distribution near what is usual.
        if config.residual:
            nn.init.zeros_(self.last.weight)
        if config.probabilistic and self.last.bias is not None:
            nn.init.constant_(self.last.bias[1:], FIRST_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        """Compute."""
        seen, skips = x, []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2) if x.ndim == 4 else functional.max_pool3d(x, 2)
        x = self.bottom(x)
        for level, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = level(torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1))
        out: Tensor = self.last(x)
        if not self._config.residual:
            return out
        return out + seen if out.shape[1] == 1 else torch.cat([out[:, :1] + seen, out[:, 1:]], dim=1)

    def _block(self, before: int, middle: int, after: int) -> nn.Sequential:
        size = self._config.kernel
        first, second = self._conv(before, middle, size), self._conv(middle, after, size)
        return nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True))

    def _conv(self, before: int, after: int, size: int) -> nn.Conv2d | nn.Conv3d:
        kind = nn.Conv2d if self._config.dims == 2 else nn.Conv3d
        made = kind(before, after, size, padding=size // 2)
        nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
        if made.bias is not None:
            nn.init.zeros_(made.bias)
        return made


class Care(nn.Module):
    """(n, 1, [z,] y, x) -> (n, parts, [z,] y, x) of any size: the mean, then its scale, then the disagreement."""

    def __init__(self, config: CareConfig | None = None) -> None:
        """Make networks, of the published size for images by default."""
        super().__init__()
        self.config = config = config or CareConfig()
        self.members = nn.ModuleList(UnetMember(config) for _ in range(config.members))

    def forward(self, x: Tensor, unit: Tensor | float | None = None) -> Tensor:
        """Restore.

        Args:
            x: (n, 1, [z,] y, x) float32, in the unit of the images that were learnt from.
            unit: mean of the whole image of which `x` is a tile, one number or (n,), where the networks are `relative`;
                that of `x` where left out.

        Returns:
            (n, parts, [z,] y, x) float32 in the unit of the targets: the mean; the scale of its Laplace distribution,
            where the networks are probabilistic; their disagreement, 0 to 1, where there are several.
        """
        config = self.config
        factor = self.unit_of(x, unit)
        means, scales = self.normalised((x / factor - config.input_offset) / config.input_scale)
        if not config.probabilistic:
            return (means.mean(dim=0) * config.output_scale + config.output_offset) * factor
        mean, scale = mixture(means, scales)
        parts = [mean * config.output_scale + config.output_offset, scale * config.output_scale * config.sigma_factor]
        parts = [part * factor for part in parts]
        if config.members > 1:
            parts.append(disagreement(means, scales))
        return torch.cat(parts, dim=1)

    def normalised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what every member says of a normalised input (n, 1, ...): means and scales, (members, n, 1, ...)."""
        spatial = x.shape[2:]
        wide = self._continued(x)
        given = [self.said(member, wide) for member in self.members]
        means, scales = (torch.stack([one[part] for one in given]) for part in (0, 1))
        for axis, length in enumerate(spatial, start=3):
            means, scales = means.narrow(axis, 0, length), scales.narrow(axis, 0, length)
        return means, scales

    def said(self, member: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and scale of a member for an input whose sides fit; the scale is 1 where it gives none."""
        out = member(x).float()
        mean = out[:, :1]
        if not self.config.probabilistic:
            return mean, torch.ones_like(mean)
        return mean, functional.softplus(out[:, 1:]) + LEAST_SCALE

    def _continued(self, x: Tensor) -> Tensor:
        """Return the input with sides that fit, its last planes, rows and columns repeated."""
        more = [-length % self.config.multiple for length in reversed(x.shape[2:])]
        return functional.pad(x, [n for one in more for n in (0, one)], mode="replicate") if any(more) else x

    def unit_of(self, x: Tensor, unit: Tensor | float | None = None) -> Tensor:
        """Return what inputs (n, 1, ...) are divided by before all else; it broadcasts against them."""
        if not self.config.relative:
            return torch.ones((), device=x.device)
        mean = x.mean(dim=tuple(range(1, x.ndim))) if unit is None else torch.as_tensor(unit, device=x.device)
        return mean.float().clamp(min=LEAST_UNIT).reshape(-1, *(1 for _ in range(x.ndim - 1)))


def parts_of(config: CareConfig) -> tuple[str, ...]:
    """Return the names of what a network gives, in order."""
    if not config.probabilistic:
        return ("restored",)
    return ("restored", "sigma", "disagreement") if config.members > 1 else ("restored", "sigma")


def _sample(config: CareConfig) -> tuple[Sample, ...]:
    return (Light().images("image", 1) if config.dims == 2 else Light().stack("stack", 1),)


def _fields(wanted: Mapping[str, Any], _scenes: Scenes) -> dict[str, Any]:
    """Stacks have smaller kernels, as published."""
    return {**({"kernel": 3} if wanted.get("dims") == 3 else {}), **wanted}


ARCHITECTURE = Architecture(
    name="care",
    config=CareConfig,
    network=Care,
    takes=Image.IMAGE_OR_STACK,
    gives=Image.IMAGE_OR_STACK,
    task=Task.RESTORATION,
    words="restores images or stacks of any microscope as it was taught by pairs (CARE), and can say how sure it is",
    sample=_sample,
    fields=_fields,
    learning_rate=4e-4,
    small=Size({"width": 16, "kernel": 3}, 1e-3),
    sees_patterns=False,
)
