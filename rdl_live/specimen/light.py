"""Light as it is: beams that are uneven, patterns of uneven contrast, a stage that does not stand still."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from rdl_live.optics._base import Description
from rdl_live.optics.geometry import UnitGeometry
from rdl_live.optics.pattern import PatternSet

_Share = Annotated[float, Field(ge=0, le=1)]
SPECKLE_UM = 0.9
"""Standard deviation of the blur that makes white noise a speckled beam [um]."""


class LightSettings(Description):
    """How the illumination differs from the nominal one; the defaults are ideal light."""

    contrast_spread: _Share = 0.0
    """Each orientation's contrast lies below the nominal one by up to this share, drawn evenly."""
    contrast_fall: _Share = 0.0
    """Share of the contrast that is lost from one side of the field to the other."""
    dark_frame: _Share = 0.0
    """By how much one frame of every series is darker, relative."""
    bleaching: _Share = 0.0
    """Share of the light that is lost from the first to the last frame of a series."""
    vignetting: _Share = 0.0
    """Share of the light that is missing in the corners (Gaussian beam)."""
    speckle: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of the beam's own unevenness, relative; the same in every frame."""
    second_harmonic: _Share = 0.0
    """Depth of a second harmonic that no one knows of, relative to the first one's."""
    drift_nm: Annotated[float, Field(ge=0, le=500)] = 0.0
    """How far the specimen moves from frame to frame within a series [nm]."""

    @property
    def ideal(self) -> bool:
        """Whether nothing is wrong."""
        return self == LightSettings()


LIGHTS = {
    "ideal": LightSettings(),
    "usual": LightSettings(
        contrast_spread=0.3,
        contrast_fall=0.15,
        dark_frame=0.05,
        bleaching=0.02,
        vignetting=0.2,
        speckle=0.03,
        drift_nm=1.0,
    ),
    "poor": LightSettings(
        contrast_spread=0.7,
        contrast_fall=0.4,
        dark_frame=0.15,
        bleaching=0.1,
        vignetting=0.5,
        speckle=0.1,
        second_harmonic=0.15,
        drift_nm=4.0,
    ),
}
"""Settings by the name that a user chooses them by."""


@dataclass(frozen=True)
class Light:
    """The light of one recording on the fine grid."""

    frames: Tensor
    """Relative to the mean, (angle, phase, y, x) float32."""
    envelope: Tensor | None
    """What of the beam is the same in all frames, (y, x) float32 of mean 1; None for an even one."""
    drift_um: np.ndarray
    """(x, y) by which the specimen has moved in every frame, (angle, phase, 2) [um]; mean 0. `frames` is the light as
    the specimen sees it, which moves through the pattern."""


def weakened(patterns: PatternSet, settings: LightSettings, rng: np.random.Generator) -> PatternSet:
    """Return the patterns with the contrast that each orientation has on average over the field."""
    if settings.contrast_spread == 0 and settings.contrast_fall == 0:
        return patterns
    changed = []
    for pattern in patterns:
        left = (1 - settings.contrast_spread * rng.random()) * (1 - settings.contrast_fall / 2)
        changed.append(pattern.replace(modulation=tuple(depth * left for depth in pattern.modulation)))
    return PatternSet(patterns=tuple(changed))


def fading(frames: int, settings: LightSettings, rng: np.random.Generator) -> np.ndarray:
    """Return the brightness of every frame of a series relative to their mean, in the order of acquisition."""
    level = np.exp(math.log(1 - min(settings.bleaching, 0.99)) * np.arange(frames) / max(1, frames - 1))
    if settings.dark_frame > 0:
        level[rng.integers(frames)] *= 1 - min(settings.dark_frame, 0.99)
    return np.asarray(level / level.mean())


def turns_of(geometry: UnitGeometry) -> np.ndarray:
    """Return when each frame of a unit is taken, 0, 1, 2, ..., (angle, phase)."""
    turns = np.zeros(geometry.counts, np.int64)
    for turn, slot in enumerate(geometry.slots):
        turns[slot] = turn
    return turns


def shine(
    patterns: PatternSet,
    settings: LightSettings,
    shape: tuple[int, int],
    pixel_um: float,
    rng: np.random.Generator,
    turns: np.ndarray,
    light: Callable[[PatternSet], Tensor],
) -> Light:
    """Return the light that really falls on the specimen.

    Args:
        patterns: nominal patterns, phases at the grid's corner.
        settings: what is wrong.
        shape: (y, x) of the fine grid.
        pixel_um: its pixel [um].
        rng: of what is random.
        turns: when each frame is taken within a series, 0, 1, 2, ..., (angle, phase).
        light: gives the frames (angle, phase, y, x) of patterns; see `Modality.light`.
    """
    drift = _walk(turns.size, settings, rng)[turns]
    frames = light(_passed(patterns, drift))
    if len(patterns) and (settings.contrast_fall > 0 or settings.second_harmonic > 0):
        fall = _fall(settings.contrast_fall, shape, rng)
        for one, pattern in zip(frames, patterns, strict=len(frames) == len(patterns)):
            _spoil(one, torch.tensor(pattern.gains)[:, None, None], pattern.modulation[0], fall, settings)
    return Light(frames, _envelope(settings, shape, pixel_um, rng), drift)


def _spoil(frames: Tensor, gains: Tensor, depth: float, fall: Tensor, settings: LightSettings) -> None:
    """Change the frames (phase, y, x) of one orientation in place: contrast uneven, a second harmonic."""
    wave = frames.div_(gains).sub_(1.0)
    if settings.second_harmonic > 0:
        # cos 2u = 2 cos^2 u - 1
        wave.add_((wave / max(depth, 1e-6)).square_().mul_(2).sub_(1), alpha=settings.second_harmonic * depth)
    wave.mul_(fall).add_(1.0).clamp_(min=0).mul_(gains)


def _fall(share: float, shape: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Return the contrast relative to its mean, 1 on one side for 1 - share on the other, in a random direction."""
    turn = rng.uniform(0, 2 * math.pi)
    y, x = (torch.linspace(-0.5, 0.5, size) for size in shape)
    way = (y[:, None] * math.sin(turn) + x[None, :] * math.cos(turn)) / (abs(math.sin(turn)) + abs(math.cos(turn)))
    return (1 - share * (0.5 + way)) / (1 - share / 2)


def _envelope(
    settings: LightSettings, shape: tuple[int, int], pixel_um: float, rng: np.random.Generator
) -> Tensor | None:
    if settings.vignetting == 0 and settings.speckle == 0:
        return None
    middle = rng.uniform(-0.25, 0.25, 2)
    y, x = (np.linspace(-1, 1, size) - off for size, off in zip(shape, middle, strict=True))
    steep = -math.log(1 - min(settings.vignetting, 0.95)) / 2
    beam = np.exp(-steep * (y[:, None] ** 2 + x[None, :] ** 2))
    if settings.speckle > 0:
        fy, fx = np.fft.fftfreq(shape[0], pixel_um)[:, None], np.fft.rfftfreq(shape[1], pixel_um)[None, :]
        blur = np.exp(-2 * (math.pi * SPECKLE_UM) ** 2 * (fy**2 + fx**2))
        speckle = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * blur, s=shape)
        beam = beam * np.exp(settings.speckle * speckle / max(float(speckle.std()), 1e-30))
    return torch.as_tensor(np.asarray(beam / beam.mean(), dtype=np.float32))


def _walk(count: int, settings: LightSettings, rng: np.random.Generator) -> np.ndarray:
    """Return a walk (count, 2) that keeps its direction for the most part, as stages and cells do [um]."""
    if settings.drift_nm == 0:
        return np.zeros((count, 2))
    turn = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.4, count))
    way = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1) * settings.drift_nm * 1e-3, axis=0)
    return np.asarray(way - way.mean(axis=0))


def _passed(patterns: PatternSet, drift_um: np.ndarray) -> PatternSet:
    """Return the patterns as a specimen sees them that has moved by (x, y) in each frame."""
    if not len(patterns):
        return patterns
    moved = []
    every = np.broadcast_to(drift_um, (len(patterns), *drift_um.shape[1:]))
    for pattern, ways in zip(patterns, every, strict=True):
        turn = 2 * math.pi * (pattern.kx * ways[:, 0] + pattern.ky * ways[:, 1])
        phases = tuple(phase + float(more) for phase, more in zip(pattern.phases_rad, turn, strict=True))
        moved.append(pattern.replace(phases_rad=phases))
    return PatternSet(patterns=tuple(moved))
