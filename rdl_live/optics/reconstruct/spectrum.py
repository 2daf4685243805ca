"""The damping of every frequency, from the data: noise floor and the specimen's own power spectrum.

The optimal linear estimate of an object of power spectrum S in noise N weighs a frequency by S D / (S D + N), i.e.
w^2 = N / S. N is white and measured beyond the detection OTF, where nothing else is; S is taken to depend on
|k| alone and to fall smoothly (`object_spectrum`), and is fitted to the power of the bands.
"""

import math

import torch
from torch import Tensor

from rdl_live.optics.estimate.correlate import radial_mean
from rdl_live.optics.reconstruct.object_spectrum import Rings, fitted_spectrum
from rdl_live.optics.reconstruct.plan import Geometry
from rdl_live.optics.series_noise import SeriesNoise

_RANGE = (1e-6, 10.0)
"""Bounds of w^2. The lower one bounds how much the band's very rim is amplified, where what leaks in from the
frame's edges outweighs any signal; nothing is left above the upper one."""


def measure_damping(geometry: Geometry, matched: Tensor, noise: SeriesNoise) -> tuple[Tensor, float]:
    """Return w^2 on the SR half-plane and its root at the detection cut-off, for the report.

    Args:
        geometry: bands of the reconstruction, `with_excess` of this noise.
        matched: sum of matched bands, (SR rows, SR columns) complex64.
        noise: of the series that they come from.
    """
    floor = noise.changing
    radius = geometry.radius()
    rings, step = _rings(geometry, radius)
    count = int(rings.max()) + 1
    # The filters hold the square of the factor, for the finer grid. A transform sums the variance of all pixels.
    level = geometry.noise * floor * geometry.padded[0] * geometry.padded[1]
    power = radial_mean((matched.real**2 + matched.imag**2) / geometry.factor**4, rings, count)
    gain = radial_mean(geometry.power, rings, count)
    gain2 = radial_mean(geometry.power**2, rings, count)
    sizes = torch.bincount(rings.flatten(), minlength=count)
    k = torch.arange(count, dtype=torch.float64, device=power.device) * step
    inside = (k > 2 * step) & (k < 0.98 * geometry.cutoff) & (gain > 1e-6)
    seen = Rings(k / geometry.otf.cutoff, sizes, power, level * gain, gain2, inside)
    damping = (level / fitted_spectrum(seen)).clamp(*_RANGE)
    wiener = math.sqrt(float(damping[min(count - 1, round(geometry.otf.cutoff / step))]))
    return damping.to(torch.float32)[rings], wiener


def _rings(geometry: Geometry, radius: Tensor) -> tuple[Tensor, float]:
    """Ring number of every sample and the rings' width [cycles/um]."""
    step = 1.0 / (min(geometry.padded) * geometry.otf.pixel_um)
    return (radius / step).round().long(), step
