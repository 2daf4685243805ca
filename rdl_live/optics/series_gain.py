"""A camera's gain and read noise from a series of any specimen, where nobody measured them: photon transfer within it.

Beyond the OTF's cut-off frames hold noise alone. Their part out there, its mean over the frames taken off (which the
camera's fixed pattern goes with), is squared and averaged over the surroundings of each pixel; noise of variance
v = r^2 + g (m - o) [ADU^2] of a pixel with the mean m, offset o and g ADU an electron leaves it the share of the
spectrum that lies out there. Pixels are sorted by m, and a line is fitted to the means of their groups.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rdl_live.optics.fixed_pattern import smoothed
from rdl_live.optics.fourier import frequencies
from rdl_live.optics.otf import Otf

_BEYOND = 1.1
"""Cut-offs from which on there is noise alone."""
_LEAST_SHARE = 0.05
_SURROUNDINGS_PX = 3.0
_GROUPS = 24
_RIM = 12
"""This part of the frame is left out at each edge: a transform takes opposite edges for neighbours."""
_LEAST_RANGE = 1.5
"""The brightest group must be so many times as bright as the darkest, above the offset."""
_MOST_ERROR = 0.2
_LEAST_READ = 0.05
"""Read noise squared, relative to the light, below which a line through photon noise says nothing of it."""


@dataclass(frozen=True)
class SeriesGain:
    """What a series says of its camera."""

    gain_e_per_adu: float
    read_noise_e: float
    """0 where photon noise hides it."""
    error: float
    """Relative standard error of the gain."""


def series_gain(adu: Tensor, otf: Otf, offset_adu: float = 0.0) -> SeriesGain | None:
    """Measure gain and read noise.

    Args:
        adu: one series (A, P, y, x).
        otf: detection OTF.
        offset_adu: level in the dark; read noise is the line's height there.

    Returns:
        None where the pixels are too coarse to part noise from structure, or the light too even to fit a line.
    """
    frames = adu.flatten(0, 1).to(torch.float32)
    shape, count = (frames.shape[-2], frames.shape[-1]), len(frames)
    kx, ky = frequencies(shape, otf.pixel_um, device=frames.device)
    beyond = torch.hypot(kx, ky) > _BEYOND * otf.cutoff
    share = float(beyond.double().mean())
    if share < _LEAST_SHARE or count < 2:
        return None
    spectra = torch.fft.rfft2(frames - frames.mean(dim=(-2, -1), keepdim=True)) * beyond[:, : shape[1] // 2 + 1]
    noise = torch.fft.irfft2(spectra, s=shape)
    noise -= noise.mean(dim=0)
    rim = max(4, min(shape) // _RIM)
    inner = (slice(rim, -rim), slice(rim, -rim))
    variance = smoothed(noise.square().sum(dim=0) / (count - 1) / share, _SURROUNDINGS_PX)[inner].flatten()
    level = smoothed(frames.mean(dim=0), _SURROUNDINGS_PX)[inner].flatten()
    order = level.argsort()
    groups = [one for one in order.chunk(_GROUPS) if len(one)]
    x = torch.stack([level[one].mean() for one in groups]).double() - offset_adu
    y = torch.stack([variance[one].mean() for one in groups]).double()
    # The error of a variance is proportional to it.
    line = torch.stack([torch.ones_like(x), x], dim=1) / y[:, None]
    solution = torch.linalg.lstsq(line, torch.ones_like(y)[:, None]).solution[:, 0]
    height, slope = float(solution[0]), float(solution[1])
    if slope <= 0 or float(x.max()) < _LEAST_RANGE * max(float(x.min()), 0.0):
        return None
    misfit = (line @ solution - 1).square().sum() / max(len(x) - 2, 1)
    error = float((misfit * torch.linalg.inv(line.T @ line)[1, 1]).sqrt()) / slope
    if error > _MOST_ERROR:
        return None
    read, photons = max(height, 0.0) / slope**2, float(x.mean()) / slope
    return SeriesGain(1 / slope, read**0.5 if read > _LEAST_READ * photons else 0.0, error)
