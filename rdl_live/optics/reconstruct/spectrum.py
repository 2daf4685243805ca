"""The damping of every frequency, from the data: noise floor and the specimen's own power spectrum.

The optimal linear estimate of an object of power spectrum S in noise N weighs a frequency by S D / (S D + N), i.e.
w^2 = N / S. N is white and measured beyond the detection OTF, where nothing else is; S is taken to depend on
|k| alone and to fall smoothly, and is fitted to the power that the bands hold above the noise.
"""

import math

import torch
from torch import Tensor

from rdl_live.optics.estimate.correlate import radial_mean
from rdl_live.optics.noise_floor import noise_variance, window2d
from rdl_live.optics.reconstruct.plan import Geometry

_SIGNIFICANT = 3.0
"""Rings count from so many standard deviations of their noise on."""
_RANGE = (1e-6, 10.0)
"""Bounds of w^2. The lower one bounds how much the band's very rim is amplified, where what leaks in from the
frame's edges outweighs any signal; nothing is left above the upper one."""


def measure_damping(geometry: Geometry, matched: Tensor, photons: Tensor, read_noise_e: float) -> tuple[Tensor, float]:
    """Return w^2 on the SR half-plane and its root at the detection cut-off, for the report.

    Args:
        geometry: bands of the reconstruction.
        matched: sum of matched bands, (SR rows, SR columns) complex64.
        photons: the series (1, A, P, y, x) that they come from.
        read_noise_e: of the camera, where the noise cannot be measured.
    """
    floor = frame_noise(geometry, photons, read_noise_e)
    radius = geometry.radius()
    rings, step = _rings(geometry, radius)
    count = int(rings.max()) + 1
    # Factor 16: the filters hold the 4 of the finer grid. A transform sums the variance of all pixels.
    noise = geometry.noise * floor * geometry.padded[0] * geometry.padded[1]
    power = radial_mean((matched.real**2 + matched.imag**2) / 16, rings, count)
    gain = radial_mean(geometry.power, rings, count)
    gain2 = radial_mean(geometry.power**2, rings, count)
    sizes = torch.bincount(rings.flatten(), minlength=count)
    excess = power - noise * gain
    certain = excess > _SIGNIFICANT * noise * gain / sizes.clamp(min=1).sqrt()
    k = torch.arange(count, dtype=torch.float64, device=power.device) * step
    usable = certain & (k > 2 * step) & (k < 0.98 * geometry.cutoff) & (gain > 1e-6)
    signal = _smooth(k, excess / gain2.clamp(min=1e-12), usable, geometry.otf.cutoff)
    damping = (noise / signal).clamp(*_RANGE)
    wiener = math.sqrt(float(damping[min(count - 1, round(geometry.otf.cutoff / step))]))
    return damping.to(torch.float32)[rings], wiener


def frame_noise(geometry: Geometry, photons: Tensor, read_noise_e: float) -> float:
    """Mean noise variance per pixel of a frame [photons^2]."""
    mean = photons.mean(dim=(-2, -1), keepdim=True)
    measured = noise_variance((photons - mean) * window2d(geometry.shape, photons.device), geometry.otf)
    floor = float(mean.mean()) + read_noise_e**2 if measured is None else float(measured.mean())
    return max(floor, 1e-6 * abs(float(mean.mean())), 1e-12)


def _rings(geometry: Geometry, radius: Tensor) -> tuple[Tensor, float]:
    """Ring number of every sample and the rings' width [cycles/um]."""
    step = 1.0 / (min(geometry.padded) * geometry.otf.pixel_um)
    return (radius / step).round().long(), step


def _smooth(k: Tensor, signal: Tensor, usable: Tensor, cutoff: float) -> Tensor:
    """Fit ln S by a quadratic in ln k over the usable rings; beyond them it falls on along its tangent."""
    if int(usable.sum()) < 4:
        # Nothing but noise: damp all there is (the mean is kept apart).
        return torch.full_like(k, float(signal.abs().max()) * 1e-6 + 1e-30)
    x = (k.clamp(min=float(k[1])) / cutoff).log()
    a = torch.stack([torch.ones_like(x), x, x * x], dim=1)[usable]
    weight = k[usable].sqrt()
    solution = torch.linalg.lstsq(a * weight[:, None], (signal[usable].log() * weight)[:, None]).solution[:, 0]
    c0, c1, c2 = (float(value) for value in solution)
    low, high = float(x[usable].min()), float(x[usable].max())
    inside = x.clamp(low, high)
    value = c0 + c1 * inside + c2 * inside**2
    value = value + torch.where(x > high, min(c1 + 2 * c2 * high, -1.0) * (x - high), 0.0)
    return value.exp()
