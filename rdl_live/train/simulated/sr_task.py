"""Scenes and loss of networks that super-resolve in one step: widefield, or the frames of a series, to the truth.

Everything is in units of the series' mean: a fixed scaling, so that photons come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rdl_live.optics import to_photons
from rdl_live.train.loop.ssim import ssim
from rdl_live.train.simulated.loss import Judged, curbed
from rdl_live.train.simulated.raw_loss import SSIM
from rdl_live.train.simulated.scene import flipped, set_up
from rdl_live.train.simulated.settings import SceneSettings
from rdl_models import Network

_LEAST = 1e-3


@dataclass(frozen=True)
class SrScene:
    """One specimen at E light levels."""

    frames: Tensor
    """Recorded frames, (E, A P, y, x) float32 photons."""
    truth: Tensor
    """(2y, 2x) float32 in units of the light."""
    photons: tuple[float, ...]


@dataclass(frozen=True)
class SrBatch:
    """Series and truths side by side, in units of the measured mean."""

    frames: Tensor
    """(n, A P, y, x); (n, 1, y, x) where the series have different numbers of frames: the widefield images."""
    truth: Tensor
    """(n, 2y, 2x)."""

    def to(self, device: torch.device | str) -> "SrBatch":
        """Return the batch on another device."""
        return SrBatch(self.frames.to(device), self.truth.to(device))

    def mirrored(self, *, upside_down: bool, left_right: bool) -> "SrBatch":
        """Return the batch with everything turned over."""
        return SrBatch(flipped(self.frames, upside_down, left_right), flipped(self.truth, upside_down, left_right))


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


def judge_sr(network: Network, batch: SrBatch, *, half: bool = False) -> Judged:
    """Super-resolve a batch; errors count relative to those of the enlarged widefield image.

    Args:
        network: for `Task.SUPER_RESOLUTION`, made for one image (it is given the widefield image) or for as many as
            the series has frames.
        batch: series and truths.
        half: compute the convolutions in bfloat16.
    """
    truth, widefield = batch.truth[:, None], batch.frames.mean(dim=1, keepdim=True)
    inputs = widefield if network.config.channels == 1 else batch.frames
    with torch.autocast(truth.device.type, torch.bfloat16, enabled=half):
        out = network(inputs).float()[:, None]
    enlarged = functional.interpolate(widefield, size=truth.shape[-2:], mode="bicubic")
    error = ((out - truth) ** 2).mean(dim=(1, 2, 3))
    reference = ((enlarged - truth) ** 2).mean(dim=(1, 2, 3))
    least = _LEAST * truth.var(dim=(1, 2, 3), correction=0) + 1e-8
    ratio = (error + least) / (reference + least)
    span = (truth.amax(dim=(1, 2, 3)) - truth.amin(dim=(1, 2, 3))).clamp(min=1e-3)
    loss = curbed(ratio).mean() + SSIM * (1 - ssim(out, truth, span)).mean()
    return Judged(loss, ratio.detach(), enlarged[:, 0], out.detach()[:, 0], batch.truth)
