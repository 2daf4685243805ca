"""The rDL denoiser of raw SIM frames as published: what it should see, what it sees, and two branches for them.

Qiao et al., "Rationalized deep learning super-resolution microscopy for sustained live imaging of rapid subcellular
processes", Nat. Biotechnol. 2022, 10.1038/s41587-022-01471-3, Fig. 1 and Supplementary Fig. 2. For the P frames of one
orientation it is shown

    generated    the frames that an estimate of the object would give under the known patterns through the known OTF,
    noisy        the frames that were recorded,

each through residual groups of its own, added, and through a common trunk. It is run once for each orientation.

4.74 million parameters and 4.69 million multiplications a raw pixel and orientation at the published size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rdl_live.errors import ConfigError
from rdl_models.architecture import Architecture, Image, Scenes, Task
from rdl_models.blocks import ChannelAttention, conv, lrelu, rcan_groups
from rdl_models.fnsm import CUTOFF_PER_UM, SLOPE_UM, FnsmConfig, FourierMask
from rdl_models.limits import check_flags, check_number, check_whole
from rdl_models.sample import Light, Sample, pixel

TAIL = 4
"""Times as many channels before the last convolution."""


@dataclass(frozen=True)
class RdlSimConfig:
    """Size of the network; by default as published."""

    phases: int = 3
    """P, frames an orientation."""
    width: int = 64
    """Channels."""
    generated_groups: int = 2
    """Residual groups of the generated frames' branch; 0 leaves it out, and the network sees noisy frames only."""
    noisy_groups: int = 5
    trunk_groups: int = 5
    blocks: int = 5
    """RCABs a group."""
    fnsm: bool = False
    """Whether half of the noisy branch's first features see the frames within the OTF's support only (FNSM)."""
    cutoff: float = CUTOFF_PER_UM
    """Where FNSM's cut-off starts from; see `relative`."""
    slope: float = SLOPE_UM
    """Where FNSM's slope starts from."""
    relative: bool = False
    """Whether that cut-off is given in units of the OTF's cut-off, so that it is right for every objective and colour,
    instead of in cycles/um."""
    residual: bool = False
    """Whether the network gives a correction of the generated (or else noisy) frames instead of the frames."""

    def __post_init__(self) -> None:
        sizes = {
            "phases": (3, 16),
            "width": (2, 512),
            "generated_groups": (0, 32),
            "noisy_groups": (1, 32),
            "trunk_groups": (1, 32),
            "blocks": (1, 64),
        }
        check_whole(self, sizes)
        check_flags(self, "fnsm", "relative", "residual")
        check_number(self, {"cutoff": (1e-3, 1e3), "slope": (1e-3, 1e6)})


class RdlSim(nn.Module):
    """Denoises the frames of one orientation: two (n, P, y, x) to one, any y and x, any unit (one for both)."""

    def __init__(self, config: RdlSimConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__()
        self.config = config = config or RdlSimConfig()
        width, phases = config.width, config.phases
        self.generated = _Branch(phases, config.generated_groups, config) if config.generated_groups else None
        self.mask = FourierMask(FnsmConfig(config.cutoff, config.slope)) if config.fnsm else None
        self.noisy = _Branch(phases, config.noisy_groups, config, masked=config.fnsm)
        self.first = conv(width, width)
        self.trunk = rcan_groups(config.trunk_groups, config.blocks, width)
        self.widen = conv(width, TAIL * width)
        self.attention = ChannelAttention(TAIL * width)
        self.last = conv(TAIL * width, phases)
        _calm(self.widen, config.trunk_groups)
        if config.residual:
            nn.init.zeros_(self.last.weight)
        # Channels last is what CPUs and tensor cores convolve quickest.
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    @property
    def reach(self) -> int:
        """Pixels beyond which nothing but the attention's means matters to an output pixel."""
        config = self.config
        longest = max(config.generated_groups, config.noisy_groups) + config.trunk_groups
        return 2 * config.blocks * longest + 5

    def forward(self, generated: Tensor, noisy: Tensor, pixel: float | Tensor = 1.0) -> Tensor:
        """Denoise.

        Args:
            generated: frames that an estimate of the object would give, (n, P, y, x) float32; not looked at where the
                network has no branch for them.
            noisy: frames that were recorded, in the same unit.
            pixel: raw pixel [um], or pixel x OTF cut-off for `relative` ones; one number or (n,). Only FNSM needs it.

        Returns:
            (n, P, y, x) float32 in that unit.
        """
        return self.local(self.inputs(generated, noisy, pixel))

    def inputs(self, generated: Tensor, noisy: Tensor, pixel: float | Tensor = 1.0) -> Tensor:
        """Return all that `local` needs, (n, 2 P or 3 P, y, x): the only step that sees all of the field at once."""
        parts = [generated, noisy]
        if self.mask is not None:
            parts.append(self.mask(noisy, pixel))
        return torch.cat(parts, dim=1)

    def local(self, inputs: Tensor) -> Tensor:
        """Denoise what `inputs` gives, or a tile of it: (n, P, y, x)."""
        phases = self.config.phases
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        generated, seen = inputs[:, :phases], inputs[:, phases:]
        features = self.noisy(seen)  # (n, width, y, x)
        if self.generated is not None:
            features = features + self.generated(generated)
        features = lrelu(self.first(features))
        features = features + self.trunk(features)
        out: Tensor = self.last(self.attention(lrelu(self.widen(features)))).float()
        if not self.config.residual:
            return out
        return out + (seen[:, :phases] if self.generated is None else generated)


class _Branch(nn.Module):
    """(n, P, y, x), or with the same frames masked (n, 2 P, y, x), to features (n, width, y, x)."""

    def __init__(self, phases: int, groups: int, config: RdlSimConfig, *, masked: bool = False) -> None:
        super().__init__()
        width = config.width
        self._phases = phases
        half = width // 2 if masked else 0
        self.stem = conv(phases, width - half)
        self.within = conv(phases, half) if masked else None
        self.groups = rcan_groups(groups, config.blocks, width)
        self.end = conv(width, width)
        _calm(self.end, groups)

    def forward(self, x: Tensor) -> Tensor:
        features = self.stem(x[:, : self._phases])
        if self.within is not None:
            features = torch.cat([self.within(x[:, self._phases :]), features], dim=1)
        features = lrelu(features)
        end: Tensor = lrelu(self.end(features + self.groups(features)))
        return end


def _calm(after: nn.Conv2d | nn.Conv3d, groups: int) -> None:
    """Make the layer after some residual groups small at first: each group, x + blocks(x), doubles its input."""
    with torch.no_grad():
        after.weight *= 0.5**groups


def _sample(config: RdlSimConfig) -> tuple[Sample, ...]:
    light = Light()
    return light.images("generated", config.phases), light.images("noisy", config.phases), pixel()


def _fields(wanted: Mapping[str, Any], scenes: Scenes) -> dict[str, Any]:
    """Unlike the published network ours is trained for all optics at once."""
    ours = RdlSimConfig(phases=scenes.phases[0], fnsm=True, cutoff=1.0, relative=True, residual=True)
    return {**vars(ours), **wanted}


def _suits(config: RdlSimConfig, scenes: Scenes) -> None:
    if {config.phases} != set(scenes.phases):
        raise ConfigError(
            f"a network for {config.phases} phases cannot be trained on scenes of {sorted(set(scenes.phases))}"
        )


ARCHITECTURE = Architecture(
    name="rdl-sim",
    config=RdlSimConfig,
    network=RdlSim,
    takes=Image.RAW_FRAMES,
    gives=Image.RAW_FRAMES,
    task=Task.RAW_FRAMES,
    words="denoises the raw frames of a SIM orientation (rationalized deep learning)",
    sample=_sample,
    fields=_fields,
    suits=_suits,
)
