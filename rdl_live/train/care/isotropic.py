"""Pairs for isotropic restoration, from stacks alone: planes as they are, and as they would look along z.

Weigert et al. 2018, 10.1038/s41592-018-0216-7, Supplementary Note 2: planes (y, x) are blurred along one axis with what
the PSF along z has more than that in the plane, sampled as coarsely as planes lie apart, and enlarged again. The
network that undoes this is applied to slices (z, x) and (z, y) of the enlarged stack.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.errors import DataError
from rdl_live.train.care.folders import CarePair
from rdl_live.train.care.patches import FolderPairs
from rdl_live.train.care.settings import CareSettings
from rdl_live.train.care.source import Normalisation, Pair, PairSource, spans

FWHM = 2 * math.sqrt(2 * math.log(2))
LEARNT = 0.8
"""Share of the columns that is learnt from; the others are held out."""
_LOW_BAND = 0.3
"""Cycles from plane to plane up to which both directions are compared; planes hold 0.5."""


@dataclass(frozen=True)
class Axial:
    """How a stack differs along z."""

    factor: float
    """Pixels from plane to plane."""
    blur_px: float
    """Standard deviation of what the PSF is wider along z [pixels of the plane]."""


def measured_blur(stacks: Sequence[Tensor], factor: float) -> float:
    """Return the additional blur along z [pixels], by comparing the spectra along z and in the plane.

    For specimens without a preferred direction P_z(k) / P_x(k) = a exp(-4 pi^2 sigma^2 k^2). Noise is white, so that it
    has the same power in both; it is read off the highest frequencies of the plane.
    """
    slopes, weights = [], []
    for stack in stacks:
        along_z, in_plane = _spectrum(stack, 0), _spectrum(stack, 2)
        noise = float(in_plane[-max(1, len(in_plane) // 8) :].mean())
        k = torch.fft.rfftfreq(stack.shape[0], factor).double()
        other = torch.fft.rfftfreq(stack.shape[2], 1.0).double()
        there = torch.from_numpy(np.interp(k.numpy(), other.numpy(), in_plane.numpy())) - noise
        ratio = (along_z - noise) / there
        # The window mixes neighbouring frequencies; above, what was sampled coarsely is folded back.
        inner = (k > 1.5 / (stack.shape[0] * factor)) & (k <= _LOW_BAND / factor) & (ratio > 0) & (there > 0)
        if int(inner.sum()) < 3:
            continue
        x, y = -4 * math.pi**2 * k[inner] ** 2, ratio[inner].log()
        x = x - x.mean()
        slopes.append(float((x * (y - y.mean())).sum() / (x * x).sum()))
        weights.append(float((x * x).sum()))
    squared = float(np.average(slopes, weights=weights)) if slopes else 0.0
    return min(math.sqrt(max(squared, 0.0)), 3 * factor)


def _spectrum(stack: Tensor, axis: int) -> Tensor:
    """Return the power along an axis, averaged over the others."""
    moved = (stack - stack.mean()).movedim(axis, -1)
    window = torch.hann_window(moved.shape[-1], periodic=False)
    window = window / window.square().mean().sqrt()
    power: Tensor = torch.fft.rfft(moved * window, norm="ortho").abs().square().mean(dim=(0, 1)).double()
    return power


def as_along_z(plane: Tensor, axial: Axial) -> Tensor:
    """Return a plane (y, x) as it would look with y along z: blurred, coarsely sampled, enlarged again."""
    rows = plane.shape[0]
    columns = plane.mT[:, None]  # (x, 1, y)
    if axial.blur_px > 0:
        reach = max(1, math.ceil(4 * axial.blur_px))
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (steps / axial.blur_px) ** 2)
        padded = functional.pad(columns, (reach, reach), mode="replicate")
        columns = functional.conv1d(padded, (kernel / kernel.sum())[None, None])
    coarse = functional.interpolate(columns, size=max(2, round(rows / axial.factor)), mode="linear")
    return functional.interpolate(coarse, size=rows, mode="linear")[:, 0].mT.contiguous()


class IsotropicPairs(PairSource):
    """See above."""

    def __init__(self, stacks: Mapping[str, Tensor], axial: Axial, settings: CareSettings) -> None:
        """Take stacks (z, y, x) by name.

        Raises:
            DataError: their planes are smaller than a patch.
        """
        self._axial, self._settings = axial, settings
        fields = [
            CarePair(f"{name} (plane {number})", plane, plane, "")
            for name, stack in stacks.items()
            for number, plane in enumerate(stack)
            if float(plane.max()) > float(plane.min())
        ]
        if not fields:
            raise DataError(f"{next(iter(stacks), 'no stack')}: all planes are even, so there is nothing to learn from")
        # Neighbouring planes show nearly the same, so a part of the field is held out, not some of the planes.
        edges = [round(LEARNT * one.low.shape[-1]) for one in fields]
        parts = list(zip(fields, edges, strict=True))
        learnt = [CarePair(one.name, one.low[:, :edge], one.high[:, :edge], "") for one, edge in parts]
        held = [CarePair(one.name, one.low[:, edge:], one.high[:, edge:], "") for one, edge in parts]
        self._fields = FolderPairs(learnt, settings, held)
        self._count = len(fields)
        self._sum = float(torch.stack([one.low.double().mean() for one in fields]).mean())

    @cached_property
    def normalisation(self) -> Normalisation:
        """Percentiles of some patches."""
        rng = np.random.default_rng([self._settings.seed, 1])
        pairs = [self.patch(rng) for _ in range(16)]
        return spans(pairs, self._settings.low_percentile, self._settings.high_percentile, relative=False)

    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a part of a plane, turned by chance, and as it would look along z."""
        _, plane = self._fields.patch(rng)
        plane = plane.mT.contiguous() if rng.random() < 0.5 else plane
        return as_along_z(plane, self._axial), plane

    @cached_property
    def held(self) -> Sequence[Pair]:
        """Parts of the field that are not learnt from; both ways."""
        found = [plane for _, plane in self._fields.held]
        return [(as_along_z(one, self._axial), one) for plane in found for one in (plane, plane.mT.contiguous())]

    def turned(self, pair: Pair, rng: np.random.Generator) -> Pair:
        """Mirror only: rows are what z will be."""
        axes = [axis for axis in (-2, -1) if rng.random() < 0.5]
        return (pair[0].flip(axes), pair[1].flip(axes)) if axes else pair

    def identity(self) -> Mapping[str, Any]:
        """Stacks and the way along z."""
        return {"planes": self._count, "mean": self._sum, "factor": self._axial.factor, "blur_px": self._axial.blur_px}
