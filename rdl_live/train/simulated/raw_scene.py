"""Scenes for networks that denoise raw frames: those of `rdl_live.train.simulated.scene`, seen frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics import expose, to_photons
from rdl_live.restore.evidence import Evidence
from rdl_live.restore.generated import GeneratedFrames
from rdl_live.train.simulated.scene import Setup, flipped, set_up
from rdl_live.train.simulated.settings import SceneSettings

_PRIOR_SEED = 0x9712


@dataclass(frozen=True)
class RawScene:
    """One specimen under one microscope, at E light levels."""

    noisy: Tensor
    """Recorded frames, (E, A, P, y, x) float32 photons."""
    generated: Tensor
    """What the prior would give under the estimated patterns, in the same shape and unit."""
    clean: Tensor
    """Frames without noise, (A, P, y, x) float32 at a mean of 1 photon."""
    photons: tuple[float, ...]
    """Light levels [photons a pixel]."""
    read_variance: float
    """[electrons^2]."""
    pixel_um: float
    cutoff: float
    """Of the OTF [cycles/um]."""


@dataclass(frozen=True)
class RawBatch:
    """Orientations side by side: the network sees one at a time."""

    noisy: Tensor
    """(n, P, y, x) photons."""
    generated: Tensor
    clean: Tensor
    mean: Tensor
    """Measured mean of the series, (n, 1, 1, 1) photons."""
    read_variance: Tensor
    """(n, 1, 1, 1) electrons^2."""
    pixel_um: Tensor
    """(n,)."""
    cutoff: Tensor
    """(n,) cycles/um."""

    def to(self, device: torch.device | str) -> "RawBatch":
        """Return the batch on another device."""
        return RawBatch(*(getattr(self, one.name).to(device) for one in fields(self)))

    def mirrored(self, *, upside_down: bool, left_right: bool) -> "RawBatch":
        """Return the batch with all frames turned over; the generated ones show the pattern, turned over as well."""
        frames = {
            name: flipped(getattr(self, name), upside_down, left_right) for name in ("noisy", "generated", "clean")
        }
        return replace(self, **frames)


def make_raw_scene(seed: int, index: int, settings: SceneSettings) -> RawScene:
    """Return scene number `index`, of the same microscope, specimen and noise as `make_scene`'s of that number."""
    rng = np.random.default_rng([seed, index])
    setup = set_up(rng, settings)
    generate = GeneratedFrames(setup.geometry, setup.patterns, setup.target, grid=settings.prior_grid)
    more = np.random.default_rng([seed, index, _PRIOR_SEED])
    noisy, generated, levels = [], [], []
    for light, series in setup.exposures(rng, settings):
        noisy.append(to_photons(series, setup.scope.camera))
        generated.append(generate(_prior(setup, light, series, more, settings.prior_series).wiener()))
        levels.append(light)
    if not levels:
        return make_raw_scene(seed, index + 2**40, settings)
    otf = setup.geometry.otf
    return RawScene(
        torch.cat(noisy),
        torch.cat(generated),
        setup.recorded.expected,
        tuple(levels),
        setup.scope.camera.read_noise_e**2,
        otf.pixel_um,
        otf.cutoff,
    )


def make_raw_batch(picks: Sequence[tuple[RawScene, int]]) -> RawBatch:
    """Return all orientations of some scenes, each scene with the number of its exposure."""
    counts = [len(scene.clean) for scene, _ in picks]

    def repeated(values: Sequence[float | Tensor], *shape: int) -> Tensor:
        """One value a scene to one an orientation."""
        column = torch.tensor([float(value) for value in values], dtype=torch.float32)
        return column.repeat_interleave(torch.tensor(counts)).reshape(-1, *shape)

    return RawBatch(
        noisy=torch.cat([scene.noisy[exposure] for scene, exposure in picks]),
        generated=torch.cat([scene.generated[exposure] for scene, exposure in picks]),
        clean=torch.cat([scene.clean * scene.photons[exposure] for scene, exposure in picks]),
        mean=repeated([scene.noisy[exposure].mean().clamp(min=0.01) for scene, exposure in picks], 1, 1, 1),
        read_variance=repeated([scene.read_variance for scene, _ in picks], 1, 1, 1),
        pixel_um=repeated([scene.pixel_um for scene, _ in picks]),
        cutoff=repeated([scene.cutoff for scene, _ in picks]),
    )


def _prior(setup: Setup, light: float, series: Tensor, rng: np.random.Generator, most: int) -> Evidence:
    """Return what the average of 1 to `most` series says, the given one among them."""
    count = int(rng.integers(1, most + 1))
    if count == 1:
        return setup.evidence(series)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    others = [
        expose(setup.recorded.expected * light, setup.scope.camera, generator=generator).to(torch.float32)[None]
        for _ in range(count - 1)
    ]
    return setup.evidence(torch.stack([series, *others]).mean(dim=0))
