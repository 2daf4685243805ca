"""DFCAN, the deep Fourier channel attention network: a super-resolved image straight from diffraction-limited ones.

Qiao et al., "Evaluation and development of deep neural networks for image super-resolution in optical microscopy",
Nat. Methods 2021, 10.1038/s41592-020-01048-5, Fig. 1. From one widefield image, or from the frames of a SIM series.
Channels are weighed by how their power is spread over spatial frequencies:

    gain = sigmoid(W2 relu(W1 mean(relu(conv(|FFT(x)|^gamma)))))

The published code takes the spectrum of the whole field and resizes it to 128 x 128 samples, so that what an attention
decides depends on how large the field is. Here the spectrum is averaged over windows of fixed size (Welch 1967,
10.1109/TAU.1967.1161901): the same specimen gets the same attention in a field of any size.
1.9 million parameters at the published size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_live.errors import ConfigError
from rdl_models.architecture import Architecture, Image, Scenes, Task
from rdl_models.blocks import SQUEEZE, START, ResidualGroup, conv
from rdl_models.limits import check_flags, check_number, check_whole
from rdl_models.sample import Light, Sample

_LEAST = 1e-6
"""Added to the modulus, whose power has no slope at 0."""


@dataclass(frozen=True)
class DfcanConfig:
    """Size of the network; by default as published."""

    channels: int = 1
    """Of the input: 1 widefield image, or the A x P frames of a series, orientation-major."""
    width: int = 64
    groups: int = 4
    blocks: int = 4
    """FCABs a group."""
    scale: int = 2
    """Pixels of the output for one of the input, each way."""
    gamma: float = 0.8
    """Power to which moduli are raised (0.8 for DFCAN, 0.1 in later code of the authors)."""
    window: int = 64
    """Pixels each way of the windows whose spectra are averaged."""
    bounded: bool = False
    """End in a sigmoid, as published, for images normalised to 0 ... 1; photons have no such bounds."""
    residual: bool = False
    """Whether the network gives a correction of the enlarged mean of its input instead of the image."""

    def __post_init__(self) -> None:
        sizes = {
            "channels": (1, 256),
            "width": (2, 512),
            "groups": (1, 32),
            "blocks": (1, 64),
            "scale": (1, 4),
            "window": (8, 512),
        }
        check_whole(self, sizes)
        check_number(self, {"gamma": (0.01, 2)})
        check_flags(self, "bounded", "residual")


class Dfcan(nn.Module):
    """(n, channels, y, x) -> (n, scale y, scale x), any y and x."""

    def __init__(self, config: DfcanConfig | None = None) -> None:
        """Make a network, of the published size by default."""
        super().__init__()
        self.config = config = config or DfcanConfig()
        width = config.width
        self.stem = conv(config.channels, width)
        self.groups = nn.Sequential(
            *(ResidualGroup([_Fcab(config) for _ in range(config.blocks)]) for _ in range(config.groups))
        )
        self.widen = conv(width, width * config.scale**2)
        with torch.no_grad():
            self.widen.weight *= 0.5**config.groups  # each group doubles its input at first
        self.last = conv(width, 1)
        if config.residual:
            nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Super-resolve; the corners of both grids coincide.

        Args:
            x: (n, channels, y, x) float32.

        Returns:
            (n, scale y, scale x) float32.
        """
        features = self.groups(functional.gelu(self.stem(x)))  # (n, width, y, x)
        features = functional.pixel_shuffle(functional.gelu(self.widen(features)), self.config.scale)
        image = self.last(features).float()
        if self.config.residual:
            mean = x.mean(dim=1, keepdim=True)
            image = image + functional.interpolate(mean, scale_factor=self.config.scale, mode="bicubic")
        return (torch.sigmoid(image) if self.config.bounded else image)[:, 0]


class FourierChannelAttention(nn.Module):
    """x times one number for each channel, decided from their power spectra; (n, channels, y, x) to the same."""

    def __init__(self, channels: int, gamma: float, window: int) -> None:
        """Make it for spectra of `window` x `window` samples."""
        super().__init__()
        self._gamma, self._window = gamma, window
        waist = max(1, channels // SQUEEZE)
        self.mix = conv(channels, channels)
        self.down, self.up = nn.Linear(channels, waist), nn.Linear(waist, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        spectrum = self.mix(self.spectrum(x) ** self._gamma)
        pooled = functional.relu(spectrum).mean(dim=(-2, -1))
        gains = torch.sigmoid(self.up(functional.relu(self.down(pooled))))
        return x * gains[..., None, None]

    def spectrum(self, x: Tensor) -> Tensor:
        """Return the mean modulus of the windows' spectra, (n, channels, window, window), zero frequency centred."""
        windows = torch.stack(list(_windows(x.float(), self._window)))
        # Of a field that is alike everywhere every window has the same modulus; "ortho" keeps it the same for windows
        # of any size.
        modulus = torch.fft.fft2(windows, norm="ortho").abs().mean(dim=0)
        centred: Tensor = torch.fft.fftshift(modulus, dim=(-2, -1))
        return centred + _LEAST


class _Fcab(nn.Module):
    """x + attention(gelu(conv(gelu(conv(x)))))."""

    def __init__(self, config: DfcanConfig) -> None:
        super().__init__()
        width = config.width
        self.first, self.second = conv(width, width), conv(width, width)
        self.attention = FourierChannelAttention(width, config.gamma, config.window)
        with torch.no_grad():
            self.second.weight *= START

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.attention(functional.gelu(self.second(functional.gelu(self.first(x)))))
        return x + changed


def _windows(x: Tensor, size: int) -> list[Tensor]:
    """Return windows (..., size, size) that cover all of (..., y, x); smaller fields are continued periodically."""
    short = [max(0, size - length) for length in x.shape[-2:]]
    if any(short):
        rows = torch.arange(x.shape[-2] + short[0], device=x.device) % x.shape[-2]
        columns = torch.arange(x.shape[-1] + short[1], device=x.device) % x.shape[-1]
        x = x[..., rows, :][..., columns]
    tops, lefts = (_starts(length, size) for length in x.shape[-2:])
    return [x[..., top : top + size, left : left + size] for top in tops for left in lefts]


def _starts(length: int, size: int) -> list[int]:
    count = math.ceil(length / size)
    return [round(index * (length - size) / max(1, count - 1)) for index in range(count)]


def _sample(config: DfcanConfig) -> tuple[Sample, ...]:
    return (Light().images("frames", config.channels),)


def _fields(wanted: Mapping[str, Any], _scenes: Scenes) -> dict[str, Any]:
    """Unlike the published network ours gives photons, which have no bounds."""
    return {**vars(DfcanConfig(residual=True)), **wanted}


def _suits(config: DfcanConfig, scenes: Scenes) -> None:
    if config.channels != 1 and scenes.frames != {config.channels}:
        raise ConfigError(
            f"a network for {config.channels} frames cannot be trained on scenes of {sorted(scenes.frames)}"
        )


ARCHITECTURE = Architecture(
    name="dfcan",
    config=DfcanConfig,
    network=Dfcan,
    takes=Image.ONE,
    gives=Image.FINER,
    task=Task.SUPER_RESOLUTION,
    words="super-resolves widefield images or SIM frames in one step",
    sample=_sample,
    fields=_fields,
    suits=_suits,
)
