"""Optical transfer functions: ideal, with the pixel's own MTF, or measured.

All OTFs here are real and radially symmetric (a centred, aberration-free PSF), 1 at zero frequency and
exactly 0 at and beyond the detection cut-off, since nothing out there is signal.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.microscope import Channel, Microscope, RadialOtf


def ideal_otf(k: Tensor, cutoff: float) -> Tensor:
    """Return the OTF of an ideal incoherent imaging system with a round pupil.

    (2/pi) (arccos s - s sqrt(1 - s^2)), s = |k| / cutoff; Goodman, Introduction to Fourier Optics, eq. 6-31.

    Args:
        k: spatial frequencies [cycles/um], any shape.
        cutoff: 2 NA / emission wavelength [cycles/um].
    """
    s = (k.abs() / cutoff).clamp(max=1)
    return (2 / math.pi) * (torch.acos(s) - s * torch.sqrt((1 - s * s).clamp(min=0)))


def pixel_mtf(kx: Tensor, ky: Tensor, pixel_um: float) -> Tensor:
    """Return the transfer function of integrating over a square pixel, sinc(kx p) sinc(ky p)."""
    return torch.sinc(kx * pixel_um) * torch.sinc(ky * pixel_um)


def radial_otf(k: Tensor, profile: RadialOtf) -> Tensor:
    """Interpolate a measured radial OTF linearly, 1 at k = 0, 0 beyond its last sample. `k` in cycles/um."""
    table = torch.tensor(profile.values, dtype=torch.float64, device=k.device) / profile.values[0]
    position = (k.abs() / profile.spacing).to(torch.float64)
    low = position.floor().clamp(max=len(profile.values) - 2).long()
    fraction = position - low
    value = table[low] * (1 - fraction) + table[low + 1] * fraction
    return torch.where(position <= len(profile.values) - 1, value, 0.0).to(k.dtype)


@dataclass(frozen=True)
class Otf:
    """Transfer function from the object (pixel areas) to the camera's pixels.

    A measured profile holds the pixel's MTF already; the ideal one is multiplied by it.
    """

    cutoff: float
    """2 NA / emission wavelength [cycles/um]."""
    pixel_um: float
    """Raw camera pixel in the sample [um]."""
    measured: RadialOtf | None = None
    integrates: bool = True
    """Whether the ideal OTF is multiplied by the pixel's MTF (not for an image that is only sampled)."""
    damping: tuple[float, float] = (0.0, 0.0)
    """(a, b) of a factor exp(-a |k| - b |k|^2) on all that, as it was measured on a recording [um, um^2]."""

    def __call__(self, kx: Tensor, ky: Tensor) -> Tensor:
        """Return the transfer at the frequencies (kx, ky) [cycles/um], broadcast against each other."""
        k = torch.hypot(kx, ky)
        transfer = self._undamped(k, kx, ky)
        a, b = self.damping
        return transfer * torch.exp(-k * (a + b * k)) if a or b else transfer

    def damped_to(self, k: float) -> float:
        """Return the factor of the damping at a frequency [cycles/um]."""
        a, b = self.damping
        return math.exp(-k * (a + b * k))

    def _undamped(self, k: Tensor, kx: Tensor, ky: Tensor) -> Tensor:
        if self.measured is None:
            ideal = ideal_otf(k, self.cutoff)
            return ideal * pixel_mtf(kx, ky, self.pixel_um) if self.integrates else ideal
        return torch.where(k < self.cutoff, radial_otf(k, self.measured), 0.0)

    @property
    def aliased(self) -> bool:
        """Whether the pixel is too coarse for this OTF (cut-off above the camera's Nyquist frequency)."""
        return self.cutoff > 0.5 / self.pixel_um

    @classmethod
    def of(cls, scope: Microscope, channel: Channel | None = None) -> "Otf":
        """Return the detection OTF of a microscope's channel: the measured one where there is one."""
        channel = channel or scope.channels[0]
        measured = channel.otf or scope.optics.otf
        return cls(scope.cutoff(channel), scope.optics.pixel_size_um, measured, damping=channel.otf_damping)
