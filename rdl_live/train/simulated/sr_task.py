"""Scenes for networks that super-resolve in one step: widefield, or the frames of a series, to the truth.

Everything is in units of the series' mean: a fixed scaling, so that photons come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics import to_photons
from rdl_live.train.loop.super_resolution import SrBatch
from rdl_live.train.simulated.scene import set_up
from rdl_live.train.simulated.settings import SceneSettings


@dataclass(frozen=True)
class SrScene:
    """One specimen at E light levels."""

    frames: Tensor
    """Recorded frames, (E, A P, y, x) float32 photons."""
    truth: Tensor
    """(factor y, factor x) float32 in units of the light."""
    photons: tuple[float, ...]


def make_sr_scene(seed: int, index: int, settings: SceneSettings) -> SrScene:
    """Return scene number `index`, of the same microscope, specimen and noise as `make_scene`'s of that number."""
    rng = np.random.default_rng([seed, index])
    setup = set_up(rng, settings)
    frames, levels = [], []
    for light, series in setup.exposures(rng, settings):
        frames.append(to_photons(series, setup.scope.camera).flatten(1, 2))
        levels.append(light)
    if not levels:
        return make_sr_scene(seed, index + 2**40, settings)
    return SrScene(torch.cat(frames), setup.recorded.total, tuple(levels))


def make_sr_batch(picks: Sequence[tuple[SrScene, int]]) -> SrBatch:
    """Return a batch of scenes, each with the number of its exposure.

    Series of different numbers of frames have only their widefield images in common.
    """
    series = [scene.frames[exposure] for scene, exposure in picks]
    if len({len(one) for one in series}) > 1:
        series = [one.mean(dim=0, keepdim=True) for one in series]
    frames = torch.stack(series)
    mean = frames.mean(dim=(1, 2, 3)).clamp(min=0.01)
    light = torch.tensor([scene.photons[exposure] for scene, exposure in picks])
    truth = torch.stack([scene.truth for scene, _ in picks]) * (light / mean)[:, None, None]
    return SrBatch(frames / mean[:, None, None, None], truth)
