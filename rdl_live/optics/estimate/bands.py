"""From frames to information bands, ready to be correlated.

Per orientation the P phase steps hold band 0 (widefield, H S) and for every harmonic h a band
H(k) S(k - h k0) m_h / 2 exp(i h phi). Nominal, equally spaced steps separate them by a phase DFT
(Gustafsson 2000, 10.1046/j.1365-2818.2000.00710.x), whose order h is the sideband of harmonic h.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.estimate.grid import Grid, grid_of
from rdl_live.optics.estimate.hot import without_hot_pixels
from rdl_live.optics.noise_floor import power_beyond
from rdl_live.optics.otf import Otf


@dataclass(frozen=True)
class Bands:
    """Windowed frames of T series and their separated bands. x, y: raw pixels; photons throughout."""

    grid: Grid
    frames: Tensor
    """Mean-free, tapered, brought to equal brightness: (T, A, P, y, x) float32."""
    widefield: Tensor
    """Mean of all frames of a series: (T, y, x)."""
    spectra: Tensor
    """Transforms of the phase DFT's orders 0 ... P // 2: (order, T, A, y, x) complex64."""
    harmonics: int
    """Orders that carry a sideband of the pattern, from 1 on."""
    intensity: Tensor
    """Mean brightness of every frame relative to that of its series, averaged over time: (A, P) float64."""
    floor: Tensor
    """Noise power per Fourier sample of ONE frame, sum of window^2 x variance per pixel: (A,) float64."""
    photons: float
    """Mean of the raw frames [photons]."""
    read_noise_e: float
    """Read noise of the camera [electrons], 0 where unknown."""

    @property
    def otf(self) -> Otf:
        """Detection OTF."""
        return self.grid.otf

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
    def times(self) -> int:
        """Time points T."""
        return self.frames.shape[0]

    @property
    def frame_count(self) -> int:
        """Frames in a series."""
        return self.angles * self.phases


def phase_dft(frames: Tensor, order: int) -> Tensor:
    """Return the mean over the phase axis of frames x exp(-2 pi i order j / P): (..., P, y, x) -> (..., y, x).

    Real where it has to be (orders 0 and P / 2), else complex.
    """
    steps = frames.shape[-3]
    turn = 2 * math.pi * order / steps
    cosine = [math.cos(turn * step) / steps for step in range(steps)]
    sine = [-math.sin(turn * step) / steps for step in range(steps)]
    real = _weighted(frames, cosine)
    return real if 2 * order % steps == 0 else torch.complex(real, _weighted(frames, sine))


def _weighted(frames: Tensor, weights: list[float]) -> Tensor:
    total = frames[..., 0, :, :] * weights[0]
    for step, weight in enumerate(weights[1:], start=1):
        total.add_(frames[..., step, :, :], alpha=weight)
    return total


def separate(photons: Tensor, otf: Otf, harmonics: int, read_noise_e: float = 0.0) -> Bands:
    """Window and separate T series.

    Args:
        photons: (T, A, P, y, x) float32.
        otf: detection OTF.
        harmonics: bands per orientation.
        read_noise_e: camera's read noise, for the floor where the OTF leaves none to measure.
    """
    grid = grid_of(otf, (photons.shape[-2], photons.shape[-1]), photons.device)
    photons = without_hot_pixels(photons)
    means = photons.mean(dim=(-2, -1)).to(torch.float64)
    series_mean = means.mean(dim=(1, 2), keepdim=True)
    positive = torch.where(means > 0, means, torch.ones_like(means))
    relative = torch.where(means > 0, series_mean / positive, torch.ones_like(means)).to(torch.float32)
    frames = photons - means.to(torch.float32)[..., None, None]
    frames *= relative[..., None, None]
    frames *= grid.window
    orders = [phase_dft(frames, order) for order in range(frames.shape[2] // 2 + 1)]
    photon_mean = float(means.mean())
    spectra = torch.stack([torch.fft.fft2(order) for order in orders])
    area = float((grid.window.double() ** 2).sum())
    floor = power_beyond(spectra[1].abs().square_().mean(dim=0), otf)
    if floor is None:
        floor = torch.full_like(means[0, :, 0], area * max(photon_mean + read_noise_e**2, 0.0) / frames.shape[2])
    safe_mean = torch.where(series_mean == 0, torch.ones_like(series_mean), series_mean)
    return Bands(
        grid=grid,
        frames=frames,
        widefield=orders[0].mean(dim=1),
        spectra=spectra,
        harmonics=harmonics,
        intensity=(means / safe_mean).mean(dim=0),
        # A phase DFT is a mean of P frames, with 1 / P of the noise of one.
        floor=floor * frames.shape[2],
        photons=photon_mean,
        read_noise_e=read_noise_e,
    )
