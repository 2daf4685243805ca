"""Where pairs come from, as the training wants it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]
"""What is shown and what is to be made of it, each (z,) y, x float32."""


@dataclass(frozen=True)
class Normalisation:
    """What is brought to 0 and 1; see `rdl_models.care.CareConfig`."""

    input_offset: float
    input_scale: float
    output_offset: float
    output_scale: float
    relative: bool = False


class PairSource(ABC):
    """Gives patches to learn from, and others that are held out. Every random number is of the generator given."""

    @property
    @abstractmethod
    def normalisation(self) -> Normalisation:
        """Of what is learnt from."""

    @abstractmethod
    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a patch to learn from."""

    @property
    @abstractmethod
    def held(self) -> Sequence[Pair]:
        """Patches that are never learnt from."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return what tells these pairs from others."""

    def turned(self, pair: Pair, rng: np.random.Generator) -> Pair:
        """Return a pair mirrored and turned by quarters in the plane, and a stack upside down, by chance."""
        low, high = pair
        axes = [axis for axis in range(-low.ndim, 0) if rng.random() < 0.5]
        if axes:
            low, high = low.flip(axes), high.flip(axes)
        if rng.random() < 0.5 and low.shape[-1] == low.shape[-2]:
            low, high = low.mT, high.mT
        return low.contiguous(), high.contiguous()

    def record(self) -> Mapping[str, Any]:
        """Return what the card is to say of them."""
        return self.identity()


def spans(pairs: Sequence[Pair], low: float, high: float, *, relative: bool) -> Normalisation:
    """Return the percentiles `low` and `high` of what is shown and of what is to be made of it."""
    found = []
    for part in (0, 1):
        values = []
        for pair in pairs:
            unit = pair[0].mean().clamp(min=1e-6) if relative else 1.0
            values.append((pair[part] / unit).flatten()[:: max(1, pair[part].numel() // 50_000)])
        bottom, top = np.percentile(torch.cat(values).numpy(), (low, high))
        found += [float(bottom), max(float(top - bottom), 1e-6 * max(1.0, abs(float(top))))]
    return Normalisation(found[0], found[1], found[2], found[3], relative)
