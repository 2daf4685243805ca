"""The synthetic series that the benchmark runs on: an object of its own, seen through the forward model.

The object is unlike straight lines: curved filaments (random walks), rings and blobs over a background. It
lies on a field larger than the camera's and is cropped, so that nothing in the frames is periodic.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rdl_live.optics import (
    Camera,
    Channel,
    ForwardModel,
    Microscope,
    Optics,
    Otf,
    Pattern,
    PatternSet,
    sr_target,
)

UPSAMPLE = 4
MARGIN_PX = 32
"""Raw pixels simulated around the field of view."""
FILAMENTS, RINGS, BLOBS = 300, 200, 300
"""How many of each in a field of 512 x 512 raw pixels; other sizes in proportion to their area."""

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A raw series and all that is true of it."""

    scope: Microscope
    otf: Otf
    patterns: PatternSet
    """The true illumination."""
    adu: NDArray[np.uint16]
    """Series (angle, phase, y, x), camera units."""
    truth: NDArray[np.float32]
    """What an SR image should be, (2y, 2x), photons per raw pixel area."""
    expected: torch.Tensor
    """The series without noise, (angle, phase, y, x) float32 [photons]."""

    @property
    def photons(self) -> Real:
        """The series in photons, float64."""
        camera = self.scope.camera
        return (self.adu.astype(np.float64) - camera.offset_adu) * camera.gain_e_per_adu


def microscope() -> Microscope:
    """Return the benchmark's microscope: NA 1.42, 525 nm, 80 nm pixels, 3 x 3 frames."""
    return Microscope(
        name="benchmark",
        optics=Optics(na=1.42, pixel_size_um=0.08),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.5),
    )


def make_scene(
    size: int = 512,
    *,
    photons: float = 200.0,
    modulation: float = 0.8,
    period_um: float = 0.19,
    seed: int = 1,
    image: Real | None = None,
) -> Scene:
    """Simulate one series.

    Args:
        size: raw pixels in y and in x.
        photons: mean photons per raw pixel and frame.
        modulation: depth of the pattern.
        period_um: about the period of the pattern; every orientation differs by up to 0.5 %.
        seed: of the object, the pattern's phases and the noise.
        image: another object on the fine grid, `UPSAMPLE` x (size + 2 `MARGIN_PX`) each way, of mean 1.

    Raises:
        ValueError: so many photons that the 16-bit camera saturates.
    """
    random = np.random.default_rng(seed)
    scope = microscope()
    otf = Otf(scope.cutoff(), scope.optics.pixel_size_um)
    patterns = _patterns(random, period_um, modulation)
    total = size + 2 * MARGIN_PX
    fine = torch.from_numpy(photons * (make_object(total, random) if image is None else image)).float()
    seen = ForwardModel(otf, _moved(patterns, otf.pixel_um), (total, total), upsample=UPSAMPLE).forward(fine)
    target = sr_target(fine, otf, patterns, upsample=UPSAMPLE, sr_factor=scope.pattern.sr_factor)
    view = slice(MARGIN_PX, -MARGIN_PX)
    sr_view = slice(2 * MARGIN_PX, -2 * MARGIN_PX)
    expected = seen[..., view, view].clamp(min=0)
    counts = random.poisson(expected.numpy())
    adu = np.rint(counts / scope.camera.gain_e_per_adu + scope.camera.offset_adu)
    if adu.max() > np.iinfo(np.uint16).max:
        raise ValueError(f"{photons:g} photons a pixel saturate the camera; 1000 do not")
    return Scene(scope, otf, patterns, adu.astype(np.uint16), target[sr_view, sr_view].numpy(), expected)


def make_object(size: int, random: np.random.Generator) -> Real:
    """Return an object on the fine grid, (4 size, 4 size), mean 1."""
    share = (size / 512) ** 2
    points = [
        *(_filament(random, size) for _ in range(max(1, round(FILAMENTS * share)))),
        *(_ring(random, size) for _ in range(max(1, round(RINGS * share)))),
    ]
    thin = _drawn(points, size)
    blobs = [random.uniform(0, size, (1, 2)) for _ in range(max(1, round(BLOBS * share)))]
    image = 20 * gaussian_filter(thin, 1.5) + 3000 * gaussian_filter(_drawn(blobs, size), 10)
    image += 0.3 * image.mean()
    return np.asarray(image / image.mean())


def _patterns(random: np.random.Generator, period_um: float, modulation: float) -> PatternSet:
    """Orientations 60 degrees apart but for a little, steps of 120 degrees from a random phase."""
    first = random.uniform(0, math.pi)
    found = []
    for index in range(3):
        angle = first + index * math.pi / 3 + random.normal(0, math.radians(0.3))
        k0 = (1 + random.uniform(-0.005, 0.005)) / period_um
        start = random.uniform(-math.pi, math.pi)
        found.append(
            Pattern(
                kx=k0 * math.cos(angle),
                ky=k0 * math.sin(angle),
                phases_rad=tuple(start + 2 * math.pi * step / 3 for step in range(3)),
                modulation=(modulation,),
            ).canonical()
        )
    return PatternSet(patterns=tuple(found))


def _moved(patterns: PatternSet, pixel_um: float) -> PatternSet:
    """Return the same light with its phases at the corner of the simulated field."""
    back = -MARGIN_PX * pixel_um
    return PatternSet(
        patterns=tuple(
            pattern.replace(
                phases_rad=tuple(phase + 2 * math.pi * back * (pattern.kx + pattern.ky) for phase in pattern.phases_rad)
            )
            for pattern in patterns
        )
    )


def _filament(random: np.random.Generator, size: int) -> Real:
    """Points (n, 2) [raw pixels] of a smooth random walk: its direction drifts."""
    steps = int(random.uniform(150, 900))
    bend = np.cumsum(random.normal(0, 0.0015, steps)) + random.normal(0, 0.004)
    direction = random.uniform(0, 2 * math.pi) + np.cumsum(bend)
    path = np.cumsum(np.stack([np.sin(direction), np.cos(direction)], axis=1) * 0.25, axis=0)
    return np.asarray(random.uniform(0, size, 2) + path)


def _ring(random: np.random.Generator, size: int) -> Real:
    """Points (n, 2) [raw pixels] of a slightly oval ring."""
    turn = np.arange(0, 2 * math.pi, 0.02)
    radii = random.uniform(2, 10) * random.uniform(0.85, 1.15, 2)
    return np.asarray(random.uniform(0, size, 2) + radii * np.stack([np.sin(turn), np.cos(turn)], axis=1))


def _drawn(points: list[Real], size: int) -> Real:
    """Count the points on the fine grid; those outside are left out."""
    everything = np.concatenate(points)
    edges = np.arange(size * UPSAMPLE + 1) / UPSAMPLE
    return np.histogram2d(everything[:, 0], everything[:, 1], bins=(edges, edges))[0]
