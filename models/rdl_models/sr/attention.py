"""Channel attention: x times one number for each channel, decided from the whole field. Three kinds.

    spatial     gain = sigmoid(W2 relu(W1 mean(x)))
    Fourier     gain = sigmoid(W2 relu(W1 mean(relu(conv(|FFT(x)|^gamma)))))
    none        gain = 1

Zhang et al. 2018, arXiv:1807.02758; Qiao et al. 2021, 10.1038/s41592-020-01048-5.

The published Fourier attention takes the spectrum of the whole field and resizes it to 128 x 128 samples, so that what
it decides depends on how large the field is. Here the spectrum is averaged over windows of fixed size (Welch 1967,
10.1109/TAU.1967.1161901): the same specimen gets the same attention in a field of any size. In a field of one window,
such as a training patch of 128 pixels with a window of 128, it is the published one but for the scale of the Fourier
transform.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdl_models.blocks import SQUEEZE, conv

NONE, SPATIAL, FOURIER = "none", "spatial", "fourier"
LEAST_WINDOW = 8
_LEAST = 1e-6
"""Added to the modulus, whose power has no slope at 0."""


@dataclass(frozen=True)
class Part:
    """A tile of a field, in pixels of the network's input: where it lies, and what of it is nobody else's."""

    field: tuple[int, int]
    """(y, x) of the whole field."""
    low: tuple[int, int]
    """First row and column of the tile, margin included."""
    keep: tuple[slice, slice]
    """Rows and columns of the field that are this tile's own."""


class Gate(nn.Module):
    """An attention whose statistic can be measured tile by tile, and held at what the whole field gave."""

    def __init__(self, level: int) -> None:
        """Make it for features that have one pixel for `level` of the network's input, each way."""
        super().__init__()
        self.level = level
        self.part: Part | None = None
        """The tile that is being computed; None for a whole field."""
        self.found: Tensor | None = None
        """Sum of the statistic over the own part of the last tile."""
        self.weight = 0.0
        """What the sum is to be divided by, once it is that of all tiles."""
        self.held: Tensor | None = None
        """Statistic to use in place of the input's own."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, channels, y, x)."""
        if self.part is not None:
            self.found, self.weight = self.summed(x, self.part)
        gains = self.gains(self.statistic(x) if self.held is None else self.held)
        return x * gains[..., None, None]

    def statistic(self, x: Tensor) -> Tensor:
        """Return what the attention sees of a whole field."""
        raise NotImplementedError

    def summed(self, x: Tensor, part: Part) -> tuple[Tensor, float]:
        """Return the sum of the statistic over a tile's own part, and the number of what was summed."""
        raise NotImplementedError

    def gains(self, statistic: Tensor) -> Tensor:
        """Return the channels' gains, (n, channels)."""
        raise NotImplementedError


class SpatialAttention(Gate):
    """Decided from the channels' means."""

    def __init__(self, channels: int, level: int = 1) -> None:
        """Make it for so many channels."""
        super().__init__(level)
        waist = max(1, channels // SQUEEZE)
        self.down, self.up = nn.Linear(channels, waist), nn.Linear(waist, channels)

    def statistic(self, x: Tensor) -> Tensor:
        """Return the channels' means, (n, channels)."""
        return x.mean(dim=(-2, -1))

    def summed(self, x: Tensor, part: Part) -> tuple[Tensor, float]:
        """See `Gate`."""
        rows, columns = (
            slice((own.start - low) // self.level, (own.stop - low) // self.level)
            for own, low in zip(part.keep, part.low, strict=True)
        )
        own = x[..., rows, columns]
        return own.sum(dim=(-2, -1)), float(own.shape[-2] * own.shape[-1])

    def gains(self, statistic: Tensor) -> Tensor:
        """See `Gate`."""
        return torch.sigmoid(self.up(functional.relu(self.down(statistic))))


class FourierChannelAttention(Gate):
    """Decided from how the channels' power is spread over spatial frequencies."""

    def __init__(self, channels: int, gamma: float, window: int, level: int = 1) -> None:
        """Make it for spectra of windows of `window` pixels of the network's input, each way."""
        super().__init__(level)
        self._gamma, self.window = gamma, max(LEAST_WINDOW, window // level)
        waist = max(1, channels // SQUEEZE)
        self.mix = conv(channels, channels)
        self.down, self.up = nn.Linear(channels, waist), nn.Linear(waist, channels)

    def statistic(self, x: Tensor) -> Tensor:
        """Return the mean modulus of the windows' spectra, (n, channels, window, window), zero frequency first."""
        return _moduli(torch.stack(list(_windows(x.float(), self.window)))).mean(dim=0)

    def spectrum(self, x: Tensor) -> Tensor:
        """Return the mean modulus of the windows' spectra, (n, channels, window, window), zero frequency centred."""
        return _centred(self.statistic(x))

    def summed(self, x: Tensor, part: Part) -> tuple[Tensor, float]:
        """See `Gate`; a window belongs to the tile that its first row and column are in."""
        sides = []
        for length, low, own in zip(part.field, part.low, part.keep, strict=True):
            first, end = own.start // self.level, own.stop // self.level
            starts = _starts(length // self.level, self.window)
            sides.append([start - low // self.level for start in starts if first <= start < end])
        size = self.window
        windows = [x[..., top : top + size, left : left + size].float() for top in sides[0] for left in sides[1]]
        if not windows:
            return x.new_zeros((*x.shape[:2], size, size), dtype=torch.float32), 0.0
        return _moduli(torch.stack(windows)).sum(dim=0), float(len(windows))

    def gains(self, statistic: Tensor) -> Tensor:
        """See `Gate`."""
        spectrum = self.mix(_centred(statistic) ** self._gamma)
        pooled = functional.relu(spectrum).mean(dim=(-2, -1))
        return torch.sigmoid(self.up(functional.relu(self.down(pooled))))


def gate(kind: str, channels: int, gamma: float, window: int, level: int = 1) -> nn.Module:
    """Return an attention of a kind: `NONE`, `SPATIAL` or `FOURIER`."""
    if kind == FOURIER:
        return FourierChannelAttention(channels, gamma, window, level)
    return SpatialAttention(channels, level) if kind == SPATIAL else nn.Identity()


def gates(network: nn.Module) -> list[Gate]:
    """Return the attentions of a network, in the order in which they are made."""
    return [part for part in network.modules() if isinstance(part, Gate)]


def widest_window(network: nn.Module) -> int:
    """Return how many pixels of its input the windows of a network's attentions span, each way."""
    spans = [one.window * one.level for one in gates(network) if isinstance(one, FourierChannelAttention)]
    return max(spans, default=0)


def _centred(moduli: Tensor) -> Tensor:
    centred: Tensor = torch.fft.fftshift(moduli, dim=(-2, -1))
    return centred + _LEAST


def _moduli(windows: Tensor) -> Tensor:
    # Of a field that is alike everywhere every window has the same modulus; "ortho" keeps it the same for windows of
    # any size.
    moduli: Tensor = torch.fft.fft2(windows, norm="ortho").abs()
    return moduli


def _windows(x: Tensor, size: int) -> Iterator[Tensor]:
    """Give windows (..., size, size) that cover all of (..., y, x); smaller fields are continued periodically."""
    short = [max(0, size - length) for length in x.shape[-2:]]
    if any(short):
        rows = torch.arange(x.shape[-2] + short[0], device=x.device) % x.shape[-2]
        columns = torch.arange(x.shape[-1] + short[1], device=x.device) % x.shape[-1]
        x = x[..., rows, :][..., columns]
    tops, lefts = (_starts(length, size) for length in x.shape[-2:])
    return (x[..., top : top + size, left : left + size] for top in tops for left in lefts)


def _starts(length: int, size: int) -> list[int]:
    count = math.ceil(length / size)
    return [round(index * (length - size) / max(1, count - 1)) for index in range(count)]
