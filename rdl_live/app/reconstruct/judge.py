"""The patterns in force for a recording, and the verdict on each of its series."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics import Channel, Microscope, PatternSet, to_photons
from rdl_live.optics.modality import modality_of
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.quality.in_step import SeriesVerdict, same_pixels, usual_levels

_BEST = 0.8
"""Series whose stripes have this share of the best contrast serve for the patterns."""
_ROUNDS = 3
"""Estimations at most until the series that they are made of fit them."""

Raw = npt.NDArray[np.generic]
"""A raw series (angle, phase, y, x) in ADU."""
Estimate = Callable[[Raw], PatternSet]
"""Patterns of series (time, angle, phase, y, x)."""


class SeriesJudge:
    """Judges the raw series of one recording; any thread may call it."""

    def __init__(
        self,
        patterns: PatternSet,
        scope: Microscope,
        channel: Channel,
        shape: tuple[int, int],
        maps: CameraMaps | None = None,
        levels: npt.NDArray[np.float64] | None = None,
        contrast: Sequence[float] | None = None,
    ) -> None:
        """Prepare.

        Args:
            patterns: in force.
            scope: the microscope.
            channel: colour.
            shape: (y, x) of a raw frame.
            maps: per-pixel camera calibration.
            levels: light of every frame (angle, phase) relative to its series, as it usually is.
            contrast: of every orientation, as `contrast` gave it of the series that the patterns were found in.
        """
        self._scope, self._maps = scope, maps
        self._judge = modality_of(scope).judge(patterns, scope, channel, shape, levels=levels, contrast=contrast)

    def __call__(self, series: Raw) -> SeriesVerdict:
        """Judge one series."""
        verdict = self._judge.judge(self._photons(series))
        twice = same_pixels(series, self._scope.pattern)
        return replace(verdict, why=twice, checked=True) if twice else verdict

    def contrast(self, series: Sequence[Raw]) -> tuple[float, ...]:
        """Return the best contrast of every orientation in some series."""
        found = [self._judge.contrast(self._photons(one)) for one in series]
        return tuple(max(values) for values in zip(*found, strict=True))

    def levels(self, series: Raw) -> npt.NDArray[np.float64]:
        """Return the mean of every frame (angle, phase) of one series [photons]."""
        return self._judge.levels(self._photons(series))

    def _photons(self, series: Raw) -> Tensor:
        light = torch.from_numpy(np.ascontiguousarray(series).astype(np.float32))
        return to_photons(light, self._scope.camera, self._maps)


def patterns_in_force(
    series: Sequence[Raw], estimate: Estimate, judge: Callable[[PatternSet], SeriesJudge]
) -> tuple[PatternSet, npt.NDArray[np.float64] | None]:
    """Estimate the patterns of a recording from those of some series that carry them best and fit each other.

    A series that is out of step, or a plane out of focus, would blur phases and contrast of all.

    Args:
        series: some series of the recording.
        estimate: how to estimate.
        judge: makes a judge for patterns.

    Returns:
        The patterns, and the usual light of every frame (angle, phase) where there are enough series.
    """
    patterns = estimate(np.stack(series))
    if len(series) == 1:
        return patterns, None
    chosen = list(range(len(series)))
    levels = usual_levels([judge(patterns).levels(one) for one in series])
    for attempt in range(_ROUNDS):
        good = _serving(judge(patterns), series)
        if attempt == 0 and _contradicted(patterns, good, len(series)):
            alone = [estimate(one[None]) for one in series]
            best = max(range(len(alone)), key=lambda index: _merit(alone[index]))
            if _merit(alone[best]) > _merit(patterns):
                patterns, chosen = alone[best], [best]
                continue
        if not good or good == chosen:
            break
        patterns, chosen = estimate(np.stack([series[index] for index in good])), good
    return patterns, levels


def _serving(judge: SeriesJudge, series: Sequence[Raw]) -> list[int]:
    """Return the series that fit the patterns, and carry them about as well as the best one."""
    verdicts = [judge(one) for one in series]
    contrasts = [min((value for value in one.contrast if value > 0), default=0.0) for one in verdicts]
    judged = [index for index, one in enumerate(verdicts) if one.checked and one.trusted]
    if not judged:
        return [index for index, one in enumerate(verdicts) if one.trusted]
    best = max(contrasts[index] for index in judged)
    return [index for index in judged if contrasts[index] >= _BEST * best]


def _contradicted(patterns: PatternSet, good: list[int], count: int) -> bool:
    """Whether the patterns may themselves be those of series that do not belong together."""
    return not patterns.trusted or len(good) < count


def _merit(patterns: PatternSet) -> tuple[int, float]:
    """Trusted orientations, and the contrast of the weakest of them."""
    trusted = [pattern.modulation[0] for pattern in patterns if pattern.trusted]
    return len(trusted), min(trusted, default=0.0)
