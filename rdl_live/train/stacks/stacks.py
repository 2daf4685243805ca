"""Z-stack time-lapses to learn from, divided into what is learnt from and what judges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics import Channel, Microscope, to_photons
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.quality.frc import thin
from rdl_live.train.loop.held_out import fingerprint, held_count, neighbours
from rdl_live.train.stacks.settings import VolumeScheme, VolumeSettings

LEAST_TIMES = {VolumeScheme.TIS: 6, VolumeScheme.SIS: 3}
LEAST_PLANES = {VolumeScheme.TIS: 1, VolumeScheme.SIS: 6}
REACH = 1
"""Neighbours up to so many time points away are targets."""
JUDGED = 12
"""Held-out patches that are looked at."""
SHOWN = 0.8
"""Share of the photons that the network is shown in judging."""


@dataclass(frozen=True, eq=False)
class VolumeFilm:
    """One recording."""

    name: str
    scope: Microscope
    channel: Channel
    frames: npt.NDArray[np.generic]
    """Raw ADU of consecutive time points, (T, Z, y, x)."""
    maps: CameraMaps | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def fingerprint(self) -> str:
        """Names the data whatever the file is called."""
        return fingerprint(self.frames[0])

    @property
    def pixel(self) -> float:
        """Of x and y, as pixel x OTF cut-off."""
        return self.scope.optics.pixel_size_um * self.scope.cutoff(self.channel)

    def photons(self, time: int, place: "Place | None" = None) -> Tensor:
        """Return the photons (z, y, x) of a time point, or of a piece of it."""
        z, y, x = (slice(None),) * 3 if place is None else place.window
        raw = torch.from_numpy(self.frames[time][z, y, x].astype(np.float32))
        maps = self.maps if place is None or self.maps is None else self.maps.crop(place.y, place.x, place.shape[1:])
        return to_photons(raw, self.scope.camera, maps)

    def read_noise(self, place: "Place") -> float | Tensor:
        """Return the read noise of a piece [electrons]: a number, or a map (y, x)."""
        if self.maps is None:
            return self.scope.camera.read_noise_e
        return self.maps.crop(place.y, place.x, place.shape[1:]).read_noise_e

    @cached_property
    def means(self) -> tuple[float, ...]:
        """Mean photons of every time point, at least a hundredth."""
        return tuple(max(0.01, float(self.photons(time).mean())) for time in range(len(self)))


@dataclass(frozen=True)
class Place:
    """A piece of the stacks."""

    z: int
    y: int
    x: int
    shape: tuple[int, int, int]

    @property
    def window(self) -> tuple[slice, slice, slice]:
        """Planes, rows and columns."""
        first = (self.z, self.y, self.x)
        z, y, x = (slice(start, start + size) for start, size in zip(first, self.shape, strict=True))
        return z, y, x


@dataclass(frozen=True)
class Looks:
    """A batch: what is shown and what judges, in units of the stack's mean."""

    shown: Tensor
    """(n, z, y, x)."""
    target: Tensor
    """The same; for SiS the same as `shown`, of which the even and the odd planes are compared."""
    read_variance: Tensor
    """Of the target's noise, relative, (n,)."""
    light: Tensor
    """(n,) photons that are one unit of the target: its noise has the variance value / light + read_variance."""
    pixel: Tensor
    """(n,) pixel x OTF cut-off."""

    def to(self, device: torch.device | str) -> "Looks":
        """Return the batch on another device."""
        tensors = (self.shown, self.target, self.read_variance, self.light, self.pixel)
        return Looks(*(one.to(device) for one in tensors))


class Stacks:
    """The recordings, divided."""

    def __init__(self, films: Sequence[VolumeFilm], settings: VolumeSettings) -> None:
        """Divide.

        Raises:
            DataError: too few time points or planes.
        """
        self.settings, self.films = settings, list(films)
        self.held = {id(film): held_times(film, settings.scheme) for film in films}
        self._learnt = [(film, time) for film in films for time in range(len(film)) if time not in self.held[id(film)]]

    def batch(self, step: int) -> Looks:
        """Return what a step learns from: depends on the seed and the step alone."""
        rng = np.random.default_rng([self.settings.seed, 0x701E, step])
        return joined([self._look(rng) for _ in range(self.settings.batch)])

    def judged(self) -> list[Looks]:
        """Return held-out pieces, their photons divided: the same ones each time."""
        rng = np.random.default_rng([self.settings.seed, 0x4E1D])
        generator = torch.Generator().manual_seed(self.settings.seed)
        wanted = [(film, time) for film in self.films for time in sorted(self.held[id(film)])]
        return [self._split(*wanted[index % len(wanted)], rng, generator) for index in range(JUDGED)]

    def _look(self, rng: np.random.Generator) -> Looks:
        film, time = self._learnt[int(rng.integers(len(self._learnt)))]
        place = self._place(film, rng)
        shown = film.photons(time, place) / film.means[time]
        others = [time]
        if self.settings.scheme is VolumeScheme.TIS:
            learnt = [one for one in range(len(film)) if one not in self.held[id(film)]]
            others = neighbours(time, learnt, REACH)
        target = torch.stack([film.photons(one, place) / film.means[one] for one in others]).mean(dim=0)
        flips = [axis for axis in range(3) if rng.integers(2)]
        light = 1 / float(np.mean([1 / film.means[one] for one in others])) * len(others)
        read = film.read_noise(place)
        variance = float(torch.as_tensor(read).square().mean()) * float(
            np.mean([film.means[one] ** -2.0 for one in others])
        )
        return _looks(shown.flip(flips), target.flip(flips), variance / len(others), light, film.pixel)

    def _split(self, film: VolumeFilm, time: int, rng: np.random.Generator, generator: torch.Generator) -> Looks:
        place, mean = self._place(film, rng), film.means[time]
        read = film.read_noise(place)
        shown, kept = thin(film.photons(time, place), SHOWN, read_noise_e=read, generator=generator)
        # The noise of the division stands for what read noise the parts share: counts + read noise^2 are divided.
        variance = float(torch.as_tensor(read).square().mean()) / ((1 - SHOWN) * mean**2)
        return _looks(shown / (SHOWN * mean), kept / ((1 - SHOWN) * mean), variance, (1 - SHOWN) * mean, film.pixel)

    def _place(self, film: VolumeFilm, rng: np.random.Generator) -> Place:
        planes, rows, columns = film.frames.shape[1:]
        shape = (min(self.settings.depth, planes), min(self.settings.patch, rows), min(self.settings.patch, columns))
        z, y, x = (
            int(rng.integers(length - size + 1)) for length, size in zip((planes, rows, columns), shape, strict=True)
        )
        return Place(z, y, x, shape)


def held_times(film: VolumeFilm, scheme: VolumeScheme) -> set[int]:
    """Return the time points that are held out: the last ones.

    Raises:
        DataError: too few time points or planes.
    """
    times, planes = film.frames.shape[:2]
    if times < LEAST_TIMES[scheme] or planes < LEAST_PLANES[scheme]:
        raise DataError(
            f"{film.name}: {times} time points of {planes} planes are too little to learn from by {scheme}: "
            f"{LEAST_TIMES[scheme]} and {LEAST_PLANES[scheme]} are needed (the last time points judge); record more"
        )
    return set(range(times - held_count(times), times))


def joined(looks: Sequence[Looks]) -> Looks:
    """Return looks of pieces of one size side by side.

    Raises:
        DataError: pieces of different sizes, from stacks that are smaller than a patch.
    """
    if len({one.shown.shape for one in looks}) > 1:
        raise DataError("stacks of different sizes, some smaller than a patch: train on those of one size")
    kinds = ([getattr(one, name) for one in looks] for name in ("shown", "target", "read_variance", "light", "pixel"))
    return Looks(*(torch.cat(kind) for kind in kinds))


def _looks(shown: Tensor, target: Tensor, read_variance: float, light: float, pixel: float) -> Looks:
    numbers = (torch.tensor([value], dtype=torch.float32) for value in (read_variance, light, pixel))
    return Looks(shown[None], target[None], *numbers)
