"""A z-stack time-lapse as a light sheet records it, with its truth: structure in space -> PSF -> camera.

Threads and vesicles in a box, which sway and drift; a PSF of the detection's cut-off in the plane and Gaussian along
z; photon and read noise. 16 planes of 128 x 128 take about 0.1 s a time point on one CPU thread.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from torch import Tensor

from rdl_live.optics._base import Description
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.noise import expose
from rdl_live.optics.otf import Otf

Floats = NDArray[np.float64]

FINE = 2
"""Samples of the structure for each voxel, each way in the plane."""
THREADS_PER_UM2 = 0.3
VESICLES_PER_UM3 = 0.03
"""Typical numbers."""
STEP_UM = 0.03
"""From one label of a thread to the next."""
PERSISTENCE_UM = 6.0
SWAY_UM = 3.0
"""Wavelength of the swaying, about."""
PERIOD_S = 40.0
MARGIN_UM = 1.0
"""How far the box reaches beyond the view on every side in the plane."""
_SIGMA_OF_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))


class VolumeSettings(Description):
    """What is grown and how it is recorded."""

    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = (
        16,
        128,
        128,
    )
    """(z, y, x) voxels."""
    step_um: PositiveFloat = 0.25
    """From one plane to the next [um]."""
    axial_um: PositiveFloat = 1.0
    """Width (FWHM) of the PSF along z [um]: of light sheet and detection together."""
    photons: PositiveFloat = 5.0
    """Mean photons a voxel at time 0, background included."""
    background: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of them that is even."""
    density: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Amount of structure relative to the typical one."""
    time_points: Annotated[int, Field(ge=1)] = 1
    interval_s: Annotated[float, Field(ge=0)] = 1.0
    speed_um_s: Annotated[float, Field(ge=0, le=100)] = 0.02
    """Root-mean-square speed of the structures, each way [um/s]."""
    bleach_time_s: PositiveFloat | None = None
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class SimulatedVolume:
    """One time point."""

    adu: Tensor
    """What the camera gave, (z, y, x) uint16 [ADU]."""
    expected: Tensor
    """The same without noise, (z, y, x) float32 [photons]."""


class VolumeSimulation:
    """A recording that is computed volume by volume, on demand. Iterable; any time point can be asked for."""

    def __init__(self, microscope: Microscope, settings: VolumeSettings, channel: Channel | None = None) -> None:
        """Grow the structure."""
        self.microscope, self.settings = microscope, settings
        self._otf = Otf.of(microscope, channel)
        z, y, x = settings.shape
        pixel = self._otf.pixel_um
        self._margin = math.ceil(MARGIN_UM / pixel)
        self._deep = math.ceil(2 * settings.axial_um / settings.step_um)
        self._grid = (z + 2 * self._deep, y + 2 * self._margin, x + 2 * self._margin)
        self._box_um = np.array([self._grid[2] * pixel, self._grid[1] * pixel, self._grid[0] * settings.step_um])
        self._place_um, self._weight, member = self._grown()
        self._moved = _Swaying(self._place_um, member, settings.speed_um_s, np.random.default_rng([settings.seed, 2]))
        first = self._seen(0.0)
        self._scale = (1 - settings.background) * settings.photons / max(float(first.mean()), 1e-12)

    def __len__(self) -> int:
        return self.settings.time_points

    def __iter__(self) -> Iterator[SimulatedVolume]:
        """Go through the time points."""
        return (self.volume(index) for index in range(len(self)))

    def volume(self, index: int) -> SimulatedVolume:
        """Return one time point; the same each time it is asked for."""
        settings = self.settings
        time = index * settings.interval_s
        light = 1.0 if settings.bleach_time_s is None else math.exp(-time / settings.bleach_time_s)
        even = settings.background * settings.photons
        expected = (self._seen(time) * self._scale + even) * light
        state = np.random.SeedSequence([settings.seed, 1, index]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
        return SimulatedVolume(expose(expected, self.microscope.camera, generator=generator), expected)

    def _grown(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Return places (n, 3), x, y and z [um], brightness (n,) and the member that each belongs to."""
        rng, box = np.random.default_rng([self.settings.seed, 0]), self._box_um
        threads = max(1, round(THREADS_PER_UM2 * self.settings.density * box[0] * box[1]))
        places, member = random_threads(threads, box, rng)
        weight = rng.gamma(2.0, 0.5, len(places))
        vesicles = max(1, round(VESICLES_PER_UM3 * self.settings.density * float(np.prod(box))))
        dots = rng.random((vesicles, 3)) * box
        bright = rng.lognormal(math.log(8.0), 0.6, vesicles)
        return (
            np.concatenate([places, dots]),
            np.concatenate([weight, bright]),
            np.concatenate([member, threads + np.arange(vesicles)]),
        )

    def _seen(self, time_s: float) -> Tensor:
        """Return the view, (z, y, x) float32, in a unit of its own."""
        z, y, x = self.settings.shape
        depth, rows, columns = self._grid
        fine = (depth, FINE * rows, FINE * columns)
        drawn = splat_volume(self._moved(time_s), self._weight, fine, self._box_um)
        spectrum = torch.fft.rfftn(drawn) * self._transfer
        image = torch.fft.irfftn(spectrum, s=fine).clamp(min=0)
        # The OTF holds the pixel's own area, so its values at every FINE-th point are the voxels'.
        view = image[:, ::FINE, ::FINE]
        m, d = self._margin, self._deep
        inside: Tensor = view[d : d + z, m : m + y, m : m + x]
        return inside.contiguous()

    @cached_property
    def _transfer(self) -> Tensor:
        """Return the OTF of the fine box, (z, y, x / 2 + 1)."""
        depth, rows, columns = self._grid
        pitch = self._otf.pixel_um / FINE
        kz = torch.fft.fftfreq(depth, self.settings.step_um)[:, None, None]
        ky = torch.fft.fftfreq(FINE * rows, pitch)[None, :, None]
        kx = torch.fft.rfftfreq(FINE * columns, pitch)[None, None, :]
        sigma = self.settings.axial_um * _SIGMA_OF_FWHM
        axial = torch.exp(-2 * (math.pi * sigma * kz) ** 2)
        transfer: Tensor = self._otf(kx, ky) * axial
        return transfer


class _Swaying:
    """Where the labels are at a time: bending with their neighbours, drifting with their member."""

    def __init__(
        self, place_um: Floats, member: NDArray[np.int64], speed_um_s: float, rng: np.random.Generator
    ) -> None:
        self._rest, self._member, self._speed = place_um, member, speed_um_s
        omega = 2 * math.pi / PERIOD_S
        self._omega = omega * rng.uniform(1.0, 3.0, (3, 3))
        self._q = rng.normal(0.0, 2 * math.pi / SWAY_UM / math.sqrt(3), (3, 3, 3))
        self._phase = place_um @ self._q.reshape(3, 9) + rng.uniform(0, 2 * math.pi, 9)  # (n, axis x mode)
        members = int(member.max()) + 1
        self._own = rng.normal(0.0, 1.0, (members, 3))
        self._turn = rng.uniform(0, 2 * math.pi, (members, 3))

    def __call__(self, time_s: float) -> Floats:
        """Return the places (n, 3) [um]."""
        if self._speed == 0:
            return self._rest
        # Half of the mean square speed is the swaying's (three waves an axis), half the members' own.
        size = self._speed * math.sqrt(0.5) * math.sqrt(2 / 3) / self._omega  # (axis, mode)
        waves = np.sin(self._phase.reshape(-1, 3, 3) + self._omega * time_s)
        swayed = (waves * size).sum(axis=2)
        omega = 2 * math.pi / PERIOD_S
        own = self._speed * math.sqrt(0.5) * math.sqrt(2) / omega * self._own * np.sin(self._turn + omega * time_s)
        moved: Floats = self._rest + swayed + own[self._member]
        return moved


def simulate_volume(
    microscope: Microscope, settings: VolumeSettings | None = None, *, channel: Channel | None = None, **more: object
) -> VolumeSimulation:
    """Return a z-stack time-lapse; loop over it for one `SimulatedVolume` per time point.

    Args:
        microscope: optics and camera; its patterns do not matter.
        settings: what is grown and how it is recorded.
        channel: colour; the first one by default.
        more: fields of `VolumeSettings` that differ.

    Raises:
        pydantic.ValidationError: an unknown setting, or one out of range.
    """
    return VolumeSimulation(microscope, (settings or VolumeSettings()).replace(**more), channel)


def random_threads(count: int, box_um: Floats, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Return labels (n, 3) [um] along random walks in space, and the thread of each."""
    places, members = [], []
    for index in range(count):
        steps = max(8, round(rng.gamma(3.0, 3.0) / STEP_UM))
        heading = rng.normal(0.0, 1.0, 3) * (1.0, 1.0, 0.5)
        turns = rng.normal(0.0, math.sqrt(STEP_UM / PERSISTENCE_UM), (steps, 3)).cumsum(axis=0)
        direction = heading / np.linalg.norm(heading) + turns
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        places.append(rng.random(3) * box_um + STEP_UM * direction.cumsum(axis=0))
        members.append(np.full(steps, index))
    return np.concatenate(places), np.concatenate(members)


def splat_volume(place_um: Floats, weight: Floats, grid: tuple[int, int, int], box_um: Floats) -> Tensor:
    """Return labels on a periodic grid (z, y, x), each shared among the eight nearest samples."""
    scale = np.array([grid[2], grid[1], grid[0]]) / box_um
    place = torch.from_numpy(place_um * scale)  # (n, 3), x, y, z
    floor = place.floor()
    share = (place - floor).float()
    low = [floor[:, axis].long().remainder(size) for axis, size in enumerate((grid[2], grid[1], grid[0]))]
    high = [(one + 1).remainder(size) for one, size in zip(low, (grid[2], grid[1], grid[0]), strict=True)]
    image = torch.zeros(grid[0] * grid[1] * grid[2])
    light = torch.from_numpy(weight).float()
    for corner in range(8):
        sides = [corner >> axis & 1 for axis in range(3)]
        x, y, z = ((high if side else low)[axis] for axis, side in enumerate(sides))
        part = light.clone()
        for axis, side in enumerate(sides):
            part *= share[:, axis] if side else 1 - share[:, axis]
        image.index_add_(0, (z * grid[1] + y) * grid[2] + x, part)
    return image.view(grid)
