"""Patches of pairs in memory: where there is signal, some anywhere; the last files, or a part of one, held out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.errors import DataError
from rdl_live.train.care.folders import CarePair
from rdl_live.train.care.settings import CareSettings
from rdl_live.train.care.source import Normalisation, Pair, PairSource, spans

HELD_OUT = 0.2
"""Share of the files, or of the columns of a single one."""
GAP_PX = 16
"""Columns between both parts of a single file that are used for neither."""
MOST_HELD = 12
ANYWHERE = 0.1
"""Share of the patches that are taken wherever they lie, so that empty places are learnt, too."""
SIGNAL = 0.4
"""Brightness of a patch, between the dimmest and nearly the brightest ones, from which it holds signal."""
_STEPS = 4
"""Places of patches for each side of a patch."""


class FolderPairs(PairSource):
    """See above."""

    def __init__(
        self, pairs: Sequence[CarePair], settings: CareSettings, held: Sequence[CarePair] | None = None
    ) -> None:
        """Take fields to learn from, and those that are held out: see `_divided`, where `held` is left out.

        Raises:
            DataError: there are none, or they are smaller than a patch.
        """
        if not pairs:
            raise DataError("there are no pairs to learn from")
        self._settings, self._all = settings, list(pairs)
        self._learnt, self._kept = _divided(pairs) if held is None else (list(pairs), list(held))
        for one in self._learnt:
            _check_patch(one, settings)
        self._places = [_places(one.high, settings.patch_shape) for one in self._learnt]

    @cached_property
    def normalisation(self) -> Normalisation:
        """Percentiles of all that is learnt from."""
        settings = self._settings
        pairs = [(one.low, one.high) for one in self._learnt]
        return spans(pairs, settings.low_percentile, settings.high_percentile, relative=False)

    def patch(self, rng: np.random.Generator) -> Pair:
        """Return a patch of a field."""
        index = int(rng.integers(len(self._learnt)))
        pair, shape = self._learnt[index], self._settings.patch_shape
        most = [length - size for length, size in zip(pair.low.shape, shape, strict=True)]
        places = self._places[index]
        if len(places) and rng.random() >= ANYWHERE:
            # Not only on the grid of the places.
            near = places[int(rng.integers(len(places)))]
            jitter = [int(rng.integers(-(size // (2 * _STEPS)), size // (2 * _STEPS) + 1)) for size in shape]
            start = [min(max(0, at + by), end) for at, by, end in zip(near, jitter, most, strict=True)]
        else:
            start = [int(rng.integers(end + 1)) for end in most]
        return _cut(pair, start, shape)

    @cached_property
    def held(self) -> Sequence[Pair]:
        """Patches of the fields that are held out, those with signal first."""
        found: list[Pair] = []
        for one in self._kept:
            shape = [min(*sizes) for sizes in zip(one.low.shape, self._settings.patch_shape, strict=True)]
            if one.low.ndim == 2 or len(one.low) >= self._settings.planes:
                places = _places(one.high, shape)
                apart = _apart(places, shape) or [[0] * one.low.ndim]
                found += [_cut(one, start, shape) for start in apart]
        if not found:
            planes = min(len(one.low) for one in self._kept)
            raise DataError(
                f"{self._kept[0].name}: what is held out has {planes} planes, and a patch {self._settings.planes}; "
                f"choose --patch-planes {planes} or less"
            )
        step = max(1, len(found) // MOST_HELD)
        return found[::step][:MOST_HELD]

    def identity(self) -> Mapping[str, Any]:
        """The pairs, by what they hold."""
        return {"pairs": [one.fingerprint for one in self._all]}

    def record(self) -> Mapping[str, Any]:
        """Names and shifts as well."""
        return {
            "pairs": [
                {
                    "name": one.name,
                    "fingerprint": one.fingerprint,
                    "moved_px": [round(by, 2) for by in one.moved_px],
                }
                for one in self._all
            ],
            "held_out": [one.name for one in self._kept],
        }


def fitting(pairs: Sequence[CarePair], settings: CareSettings, fixed: tuple[bool, bool]) -> CareSettings:
    """Return settings whose patches fit into the fields, down to 16 pixels and 4 planes.

    Args:
        pairs: of which the first are learnt from.
        settings: of the training.
        fixed: whether planes and pixels of a patch are as the user wants them.
    """
    learnt, kept = _divided(pairs)
    planes, patch = settings.planes, settings.patch
    if settings.dims == 3 and not fixed[0]:
        planes = max(4, min(planes, min(len(one.low) for one in [*learnt, *kept]) // 4 * 4))
    if not fixed[1]:
        patch = max(16, min(patch, min(min(one.low.shape[-2:]) for one in learnt) // 8 * 8))
    return settings.replace(planes=planes, patch=patch)


def _divided(pairs: Sequence[CarePair]) -> tuple[list[CarePair], list[CarePair]]:
    """Return what is learnt from and what is held out: the last files, or a part of the field of a single one.

    Planes and time points of a file show one place, so that some of them would judge what others have taught.
    """
    files = list(dict.fromkeys(one.source for one in pairs))
    if len(files) > 1:
        last = set(files[-max(1, round(HELD_OUT * len(files))) :])
        return [one for one in pairs if one.source not in last], [one for one in pairs if one.source in last]
    return [_part(one, "left") for one in pairs], [_part(one, "right") for one in pairs]


def _part(one: CarePair, side: str) -> CarePair:
    """Return the left of a field, or its right end beyond a gap, so that no structure reaches from one to the other."""
    width = one.low.shape[-1]
    edge = round((1 - HELD_OUT) * width)
    part = slice(0, edge - min(GAP_PX, width // 16)) if side == "left" else slice(edge, None)
    return replace(one, name=f"{one.name} ({side})", low=one.low[..., part], high=one.high[..., part])


def _check_patch(pair: CarePair, settings: CareSettings) -> None:
    for length, size, option in zip(
        reversed(pair.low.shape), reversed(settings.patch_shape), ("--size", "--size", "--patch-planes"), strict=False
    ):
        if length < size:
            raise DataError(
                f"{pair.name}: {length} {'planes' if option == '--patch-planes' else 'pixels'} are learnt from, "
                f"patches have {size}; choose {option} {max(4, length // 4 * 4)} or less"
            )


def _places(image: Tensor, shape: Sequence[int]) -> list[list[int]]:
    """Return where patches with signal begin, on a grid: those that are bright among all."""
    steps = [max(1, size // _STEPS) for size in shape]
    pool = functional.avg_pool2d if image.ndim == 2 else functional.avg_pool3d
    seen = pool(image[None, None], list(shape), steps)[0, 0]
    dim, bright = (float(seen.flatten().quantile(q)) for q in (0.0, 0.99))
    if not math.isfinite(bright) or bright <= dim:
        return []
    index = (seen >= dim + SIGNAL * (bright - dim)).nonzero()
    return (index * torch.tensor(steps)).tolist()


def _apart(places: Sequence[Sequence[int]], shape: Sequence[int]) -> list[Sequence[int]]:
    """Return those of the places whose patches do not overlap."""
    kept: list[Sequence[int]] = []
    for place in places:
        if all(any(abs(a - b) >= size for a, b, size in zip(place, other, shape, strict=True)) for other in kept):
            kept.append(place)
    return kept


def _cut(pair: CarePair, start: Sequence[int], shape: Sequence[int]) -> Pair:
    inner = tuple(slice(at, at + size) for at, size in zip(start, shape, strict=True))
    return pair.low[inner], pair.high[inner]
