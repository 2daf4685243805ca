"""A camera's fixed pattern from ordinary recordings: what their mean images have in common and their specimens do not.

With m_r the mean image of recording r (photons), smoothed background taken off, x_r its specimen, o the pattern (white,
of variance f^2, the same in all) and n_r the noise of the mean,

    m_r = x_r + o + n_r,    C = <m m^T> = <x x^T> + f^2 1 1^T + diag(v),

where <> averages over a pixel's surroundings. The linear estimate of least error is o = f^2 1^T C^-1 m, of variance
f^2 (1 - f^2 1^T C^-1 1). In the dark it is nearly m itself; where one specimen was recorded at several brightnesses
the inverse takes out what is proportional to it; where there are only structures it leaves o at 0, and its variance
says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics.otf import Otf
from rdl_live.optics.series_noise import SeriesNoise, series_noise

SURROUNDINGS_PX = 4.0
"""Radius (standard deviation) over which covariances are averaged: about 200 pixels."""
BACKGROUND_PX = 6.0
"""What varies more slowly than this is background, and no part of the pattern that is estimated."""
MOST_TOGETHER = 6
"""Mean images in one covariance; more are taken batch by batch."""
_STRIP = 256
"""Rows that are solved at a time."""


@dataclass(frozen=True)
class MeanImage:
    """A recording, or a part of one."""

    mean: Tensor
    """(y, x) float32 [photons]."""
    noise: SeriesNoise
    """Of its frames; `fixed` as measured in it."""
    frames: int
    """In the mean."""

    @classmethod
    def of(cls, photons: Tensor, otf: Otf, read_noise_e: float = 0.0) -> Self:
        """Return the mean of series (T, A, P, y, x) of photons."""
        noise = series_noise(photons, otf, read_noise_e)
        return cls(photons.mean(dim=(0, 1, 2)), noise, math.prod(photons.shape[:3]))

    @property
    def variance(self) -> float:
        """Noise of the mean per pixel [photons^2]."""
        return self.noise.changing / self.frames


@dataclass(frozen=True)
class FixedPattern:
    """What is known of a camera's fixed pattern, in photons."""

    offset: Tensor
    """(y, x) float32, mean about 0."""
    variance: Tensor
    """(y, x) float32: what remains unknown of every pixel."""
    rms: float
    """f, as measured."""

    @property
    def known(self) -> float:
        """Share of the pattern's variance that is known, mean over the pixels; 0 to 1."""
        return 1 - float(self.variance.mean()) / self.rms**2 if self.rms > 0 else 0.0


def pooled_variance(images: Sequence[MeanImage]) -> float:
    """Return f^2 from several recordings, those that show it best counting most; 0 where none shows it."""
    weights = [1 / one.noise.fixed_sigma**2 if one.noise.fixed_sigma > 0 else 0.0 for one in images]
    total = sum(weights)
    if total <= 0:
        return 0.0
    mean = sum(weight * one.noise.fixed_measured for weight, one in zip(weights, images, strict=True)) / total
    return mean if mean > 4 / math.sqrt(total) else 0.0


def fixed_pattern(images: Sequence[MeanImage]) -> FixedPattern:
    """Estimate the pattern.

    Args:
        images: mean images of one camera region, of any specimens.
    """
    squared = pooled_variance(images)
    shape = images[0].mean.shape
    if squared <= 0:
        return FixedPattern(torch.zeros(shape), torch.zeros(shape), 0.0)
    ordered = sorted(images, key=lambda one: one.variance)
    batches = -(-len(ordered) // MOST_TOGETHER)
    # Every batch spans all brightnesses.
    found = [_batch(ordered[start::batches], squared) for start in range(batches)]
    precision = sum((1 / variance - 1 / squared for _, variance in found), torch.full(shape, 1 / squared))
    weighted = sum((offset / variance for offset, variance in found), torch.zeros(shape))
    return FixedPattern(weighted / precision, 1 / precision, math.sqrt(squared))


def _batch(images: Sequence[MeanImage], squared: float) -> tuple[Tensor, Tensor]:
    """Return the estimate (y, x) from some mean images alone, and its variance."""
    detail = torch.stack([one.mean - smoothed(one.mean, BACKGROUND_PX) for one in images])
    # Taking the background off takes a little of the pattern as well.
    base = torch.diag(torch.tensor([one.variance for one in images], dtype=torch.float64)) + squared
    count = len(images)
    products = {(i, j): smoothed(detail[i] * detail[j], SURROUNDINGS_PX) for i in range(count) for j in range(i, count)}
    offset, variance = torch.empty_like(detail[0]), torch.empty_like(detail[0])
    for top in range(0, detail.shape[-2], _STRIP):
        rows = slice(top, top + _STRIP)
        measured = torch.empty(*detail[0, rows].shape, count, count, dtype=torch.float64)
        for (i, j), product in products.items():
            measured[..., i, j] = measured[..., j, i] = product[rows]
        weights = _weights(measured, base, squared)
        offset[rows] = torch.einsum("yxr,ryx->yx", weights, detail[:, rows].double()).float()
        variance[rows] = (squared * (1 - weights.sum(dim=-1))).clamp(min=1e-3 * squared).float()
    return offset, variance


def _weights(measured: Tensor, base: Tensor, squared: float) -> Tensor:
    """Return f^2 C^-1 1 of every pixel, (y, x, r): the specimens' covariance is what a measured one has more."""
    values, vectors = torch.linalg.eigh(measured - base)
    specimen = (vectors * values.clamp(min=0)[..., None, :]) @ vectors.mT
    ones = torch.ones(*measured.shape[:-1], 1, dtype=torch.float64)
    weights: Tensor = squared * torch.linalg.solve(specimen + base, ones)[..., 0]
    return weights


def smoothed(image: Tensor, radius: float) -> Tensor:
    """Return an image (y, x) averaged by a Gaussian of this standard deviation [pixels], mirrored at its edges."""
    reach = min(math.ceil(3 * radius), min(image.shape) - 1)
    steps = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (steps / radius) ** 2)
    kernel /= kernel.sum()
    padded = functional.pad(image[None, None], (reach,) * 4, mode="reflect")
    lines = functional.conv2d(padded, kernel[None, None, None, :])
    result: Tensor = functional.conv2d(lines, kernel[None, None, :, None])[0, 0]
    return result
