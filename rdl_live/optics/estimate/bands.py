"""From frames to information bands, ready to be correlated.

Per orientation the P phase steps hold band 0 (widefield, H S) and for every harmonic h a band
H(k) S(k - h k0) m_h / 2 exp(i h phi). Nominal, equally spaced steps separate them by a phase DFT
(Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.noise_floor import noise_variance, window2d
from rdl_live.optics.otf import Otf


@dataclass(frozen=True)
class Bands:
    """Windowed frames of T series and their separated bands. x, y: raw pixels; photons throughout."""

    otf: Otf
    frames: Tensor
    """Mean-free, tapered, brought to equal brightness: (T, A, P, y, x) float32."""
    widefield: Tensor
    """Mean of all frames of a series: (T, y, x)."""
    sidebands: Tensor
    """Phase DFT at every harmonic: (harmonic, T, A, y, x) complex64; holds m/2 exp(i phi) H S(k - h k0)."""
    intensity: Tensor
    """Mean brightness of every frame relative to that of its series, averaged over time: (A, P) float64."""
    floor: Tensor
    """Noise power per Fourier sample of ONE frame, sum of window^2 x variance per pixel: (A,) float64."""
    photons: float
    """Mean of the raw frames [photons]."""
    read_noise_e: float
    """Read noise of the camera [electrons], 0 where unknown."""
    window: Tensor
    """(y, x) float32."""

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.frames.shape[-2], self.frames.shape[-1]

    @property
    def angles(self) -> int:
        """Orientations A."""
        return self.frames.shape[1]

    @property
    def phases(self) -> int:
        """Phase steps P."""
        return self.frames.shape[2]

    @property
    def frame_count(self) -> int:
        """Frames in a series."""
        return self.angles * self.phases


def phase_dft(frames: Tensor, harmonic: int) -> Tensor:
    """Return the mean over the phase axis of frames x exp(-2 pi i h j / P): (..., P, y, x) -> (..., y, x)."""
    steps = frames.shape[-3]
    angle = 2 * math.pi * harmonic * torch.arange(steps, dtype=torch.float64, device=frames.device) / steps
    real = torch.einsum("...pyx,p->...yx", frames, (torch.cos(angle) / steps).to(frames.dtype))
    imag = torch.einsum("...pyx,p->...yx", frames, (-torch.sin(angle) / steps).to(frames.dtype))
    return torch.complex(real, imag)


def separate(photons: Tensor, otf: Otf, harmonics: int, read_noise_e: float = 0.0) -> Bands:
    """Window and separate T series.

    Args:
        photons: (T, A, P, y, x) float32.
        otf: detection OTF.
        harmonics: bands per orientation.
        read_noise_e: camera's read noise, for the floor where the OTF leaves none to measure.
    """
    shape = (photons.shape[-2], photons.shape[-1])
    means = photons.mean(dim=(-2, -1), dtype=torch.float64)
    series_mean = means.mean(dim=(1, 2), keepdim=True)
    positive = torch.where(means > 0, means, torch.ones_like(means))
    relative = torch.where(means > 0, series_mean / positive, torch.ones_like(means)).to(torch.float32)
    window = window2d(shape, photons.device)
    frames = (photons - means.to(torch.float32)[..., None, None]) * (relative[..., None, None] * window)
    sidebands = torch.stack([phase_dft(frames, order) for order in range(1, harmonics + 1)])
    photon_mean = float(means.mean())
    variance = noise_variance(frames[0], otf)
    if variance is None:
        variance = torch.full_like(means[0], max(photon_mean + read_noise_e**2, 0.0))
    safe_mean = torch.where(series_mean == 0, torch.ones_like(series_mean), series_mean)
    return Bands(
        otf=otf,
        frames=frames,
        widefield=frames.mean(dim=(1, 2)),
        sidebands=sidebands,
        intensity=(means / safe_mean).mean(dim=0),
        floor=variance.mean(dim=-1) * float((window.double() ** 2).sum()),
        photons=photon_mean,
        read_noise_e=read_noise_e,
        window=window,
    )
