"""A small simulator of SIM recordings that shares no code with the program, nor with `make_cases.py`.

Labels lie at random along lines; the light on each is the stripes' value at its place; the image is convolved with the
intensity of a pupil's transform, and each camera pixel collects the light that falls on it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

PIXEL_UM = 0.065
OFFSET_ADU, GAIN_E, NOISE_E = 100, 0.46, 1.6
FINE = 3
"""Fine points along a camera pixel's side."""


@dataclass(frozen=True)
class Scene:
    """What is recorded; lengths in um, angles in rad."""

    seed: int = 0
    shape: tuple[int, int] = (96, 96)
    angles: int = 3
    phases: int = 3
    period_um: float = 0.21
    first_rad: float = 0.35
    contrast: float = 0.75
    emission_um: float = 0.525
    na: float = 1.49
    coarse_too: bool = False
    """Three beams: stripes of twice the period are there, too."""
    defocus_um: float = 0.0


@cache
def light(scene: Scene) -> np.ndarray:
    """Return the light (angle, phase, y, x) on the camera, mean 1."""
    rng = np.random.default_rng(scene.seed)
    height, width = (FINE * n for n in scene.shape)
    step = PIXEL_UM / FINE
    at = _labels(rng, height * step, width * step)
    frames = np.empty((scene.angles, scene.phases, *scene.shape))
    transfer = _transfer((height, width), step, scene)
    for a in range(scene.angles):
        direction = scene.first_rad + np.pi * a / scene.angles
        along = 2 * np.pi / scene.period_um * (at[1] * np.cos(direction) + at[0] * np.sin(direction))
        for p in range(scene.phases):
            shift = 2 * np.pi * p / scene.phases
            bright = 1 + scene.contrast * np.cos(along + (2 if scene.coarse_too else 1) * shift)
            if scene.coarse_too:
                bright = bright + 0.6 * np.cos(along / 2 + shift)
            grid = np.histogram2d(
                at[0] / step, at[1] / step, (height, width), [[0, height], [0, width]], weights=bright
            )
            image = np.fft.irfft2(np.fft.rfft2(grid[0]) * transfer, s=(height, width))
            frames[a, p] = image.reshape(scene.shape[0], FINE, scene.shape[1], FINE).sum((1, 3))
    frames = frames.clip(0)
    return np.asarray(frames / frames.mean())


def _labels(rng: np.random.Generator, height_um: float, width_um: float) -> np.ndarray:
    """Return places (2, n) [um] along bent lines, and a thin haze of labels."""
    lines = []
    for _ in range(int(2.2 * height_um * width_um / 4) + 4):
        t = np.linspace(-1, 1, 900)[None]
        start, end, bend = rng.uniform(0, (height_um, width_um), (3, 2))
        lines.append(
            (start[:, None] * (1 - t) + end[:, None] * (1 + t)) / 2 + (bend[:, None] - start[:, None]) * 0.2 * t**2
        )
    haze = rng.uniform(0, 1, (2, 800)) * [[height_um], [width_um]]
    return np.concatenate([*lines, haze], axis=1)


def _transfer(shape: tuple[int, int], step: float, scene: Scene) -> np.ndarray:
    """Return the OTF as the transform of a pupil's intensity, with defocus as the pupil's phase."""
    y, x = (np.fft.fftfreq(n, step) for n in shape)
    radius = np.hypot(y[:, None], x[None])
    inside = radius <= scene.na / scene.emission_um
    depth = np.sqrt(np.maximum((1.518 / scene.emission_um) ** 2 - radius**2, 0))
    field = np.fft.ifft2(inside * np.exp(2j * np.pi * scene.defocus_um * depth))
    spot = np.abs(field) ** 2
    return np.asarray(np.fft.rfft2(spot / spot.sum()))


def counts(
    scene: Scene, photons: float = 60.0, noise: int = 0, offset: float = OFFSET_ADU, gain: float = GAIN_E
) -> np.ndarray:
    """Return camera counts (angle, phase, y, x), uint16, of so many photons a pixel."""
    rng = np.random.default_rng((scene.seed, noise))
    electrons = rng.poisson(light(scene) * photons) + rng.normal(0, NOISE_E, light(scene).shape)
    return np.clip(np.round(electrons / gain + offset), 0, 65535).astype(np.uint16)


def film(scene: Scene, times: int, photons: float = 60.0) -> np.ndarray:
    """Return series (time, angle, phase, y, x) of one specimen that does not move."""
    return np.stack([counts(scene, photons, noise) for noise in range(times)])


def flat(frames: np.ndarray) -> np.ndarray:
    """Return frames in one row."""
    return frames.reshape(-1, *frames.shape[-2:])


COLOURS = (("488", 488.0, 525.0), ("561", 561.0, 605.0), ("640", 640.0, 680.0))


def microscope(path: Path, scene: Scene, *names: str, **changes: Any) -> Path:
    """Write the microscope file of a scene: channels of `COLOURS` by name; `na`, `pixel_um`, `order` changed."""
    emission_nm = changes.get("emission_nm")
    listed = [one for one in COLOURS if one[0] in (names or ("488",))]
    content = {
        "name": "brought",
        "optics": {"na": changes.get("na", scene.na), "pixel_size_um": changes.get("pixel_um", PIXEL_UM)},
        "channels": [{"name": n, "excitation_nm": x, "emission_nm": emission_nm or m} for n, x, m in listed],
        "pattern": {"angles": scene.angles, "phases": scene.phases, "order": changes.get("order", "angle-phase")},
        "camera": {"offset_adu": OFFSET_ADU, "gain_e_per_adu": GAIN_E, "read_noise_e": NOISE_E},
    }
    path.write_text(yaml.safe_dump(content))
    return path
