"""The camera's white noise, read off the frames themselves: beyond the OTF's cut-off there is nothing else."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

TAPER = 0.3
"""Share of the field that fades to zero at its edges (both sides together), against wrap-around."""
_BEYOND = 1.08
"""The floor is read beyond this multiple of the cut-off."""
_NEAR = 1.25
"""Up to this multiple noise is like that within the OTF, even where pixels were interpolated."""
_LEAST_NEAR = 0.15
"""Share of the samples beyond the cut-off that are at least counted as near it."""
SMOOTHED = 0.4
"""Noise farther beyond the cut-off, relative to that near it, below which it is not white."""
_LEAST_SHARE = 0.02
"""Share of the spectrum that must lie out there for a measurement."""


def tukey(n: int, taper: float = TAPER, device: torch.device | str = "cpu") -> Tensor:
    """Return a flat window of n samples whose ends fade as a cosine over `taper` n / 2 samples each; float32."""
    x = (torch.arange(n, dtype=torch.float64, device=device) + 0.5) / n
    edge = torch.minimum(x, 1 - x) / (taper / 2)
    return torch.where(edge < 1, 0.5 - 0.5 * torch.cos(torch.pi * edge.clamp(max=1)), 1.0).to(torch.float32)


def window2d(shape: tuple[int, int], device: torch.device | str = "cpu", taper: float = TAPER) -> Tensor:
    """Return the separable window of a frame, (y, x) float32."""
    return tukey(shape[0], taper, device)[:, None] * tukey(shape[1], taper, device)


def power_beyond(power: Tensor, otf: Otf) -> Tensor | None:
    """Return the noise power of a spectrum, read beyond the OTF's cut-off.

    Where pixels were interpolated or smoothed the noise is not white: it is then read next to the cut-off, where it is
    most like that within.

    Args:
        power: |fft2|^2, (..., y, x), float32.
        otf: detection OTF.

    Returns:
        (...,) float64, or None where the OTF fills the whole spectrum (pixels too coarse to tell noise from signal).
    """
    rings = _rings_outside(otf, (power.shape[-2], power.shape[-1]), power.device)
    if rings is None:
        return None
    near, far = (power.flatten(-2) @ rings.T).to(torch.float64).unbind(-1)
    size_near, size_far = rings.sum(dim=1, dtype=torch.float64).tolist()
    everywhere, near, far = (near + far) / (size_near + size_far), near / size_near, far / size_far
    return torch.where(far < SMOOTHED * near, near, everywhere)


def half_power_beyond(power: Tensor, otf: Otf, columns: int) -> Tensor | None:
    """Return `power_beyond` from the half-plane of real images.

    Args:
        power: |rfft2|^2, (..., y, columns // 2 + 1), float32.
        otf: detection OTF.
        columns: of the images.
    """
    zones = zones_beyond(power, otf, columns)
    return None if zones is None else zones.level


@dataclass(frozen=True)
class Zones:
    """The spectrum beyond the cut-off in two zones: next to it, and farther out."""

    powers: Tensor
    """Mean power, (..., 2) float64."""
    sizes: Tensor
    """Samples of the whole plane, (2,) float64."""

    @property
    def smoothed(self) -> Tensor:
        """Whether the noise is not white: pixels were interpolated or smoothed; (...,) bool."""
        return self.powers[..., 1] < SMOOTHED * self.powers[..., 0]

    @property
    def level(self) -> Tensor:
        """Noise power, (...,) float64; see `power_beyond`."""
        return torch.where(self.smoothed, self.powers[..., 0], (self.powers * self.sizes).sum(-1) / self.sizes.sum())


def zones_beyond(power: Tensor, otf: Otf, columns: int) -> Zones | None:
    """Return the mean power next to the cut-off and farther beyond it.

    White noise has the same in both; what leaks out of the OTF's support at the frame's edges falls off.

    Args:
        power: |rfft2|^2, (..., y, columns // 2 + 1), float32.
        otf: detection OTF.
        columns: of the images.

    Returns:
        None as `power_beyond`.
    """
    weights = _zone_weights(otf, (power.shape[-2], columns), power.device)
    if weights is None:
        return None
    sizes = weights.sum(dim=1, dtype=torch.float64)
    return Zones((power.flatten(-2) @ weights.T).to(torch.float64) / sizes, sizes)


@lru_cache(maxsize=8)
def _zone_weights(otf: Otf, shape: tuple[int, int], device: torch.device) -> Tensor | None:
    """Weights (2, y x (x // 2 + 1)) of the samples in `zones_beyond`; None where they are too few."""
    kx, ky = frequencies(shape, otf.pixel_um, half=True, device=device)
    k = torch.hypot(kx, ky)
    weight = torch.full_like(k, 2.0)
    # All columns but the first and, of an even number, the last stand for two.
    weight[:, 0] = 1
    if shape[1] % 2 == 0:
        weight[:, -1] = 1
    beyond = k > _BEYOND * otf.cutoff
    if float(weight[beyond].sum()) < _LEAST_SHARE * shape[0] * shape[1]:
        return None
    middle = _border(k[beyond], otf)
    zones = torch.stack([weight * (beyond & (k <= middle)), weight * (beyond & (k > middle))])
    return zones.flatten(1).to(torch.float32)


def noise_variance(tapered: Tensor, otf: Otf) -> Tensor | None:
    """Measure the noise per pixel.

    Args:
        tapered: mean-free frames times `window2d`, (..., y, x).
        otf: detection OTF.

    Returns:
        Variance per pixel of every frame (...,), float64; None as `power_beyond`.
    """
    spectra: Tensor = torch.fft.fft2(tapered)
    power = power_beyond(spectra.real**2 + spectra.imag**2, otf)
    shape = (tapered.shape[-2], tapered.shape[-1])
    return None if power is None else power / float((window2d(shape, tapered.device).double() ** 2).sum())


@lru_cache(maxsize=8)
def _rings_outside(otf: Otf, shape: tuple[int, int], device: torch.device) -> Tensor | None:
    """Masks of the frequencies near the cut-off and farther beyond it, (2, y x x) float32; None where too few."""
    kx, ky = frequencies(shape, otf.pixel_um, device=device)
    k = torch.hypot(kx, ky)
    beyond = k > _BEYOND * otf.cutoff
    if int(beyond.sum()) < _LEAST_SHARE * k.numel():
        return None
    near = k <= _border(k[beyond], otf)
    return torch.stack([beyond & near, beyond & ~near]).flatten(1).to(torch.float32)


def _border(beyond: Tensor, otf: Otf) -> Tensor:
    """Return up to which |k| of those beyond the cut-off noise is near it."""
    return (
        torch.quantile(beyond[:: max(1, beyond.numel() // 2**20)], _LEAST_NEAR)
        .clamp(min=_NEAR * otf.cutoff)
        .minimum(beyond.median())
    )
