"""A recording to learn from: raw frames in memory, the microscope that made them, the patterns found in them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live.optics import Camera, Channel, Microscope, Otf, PatternSet, to_photons
from rdl_live.optics.noise import CameraMaps
from rdl_live.optics.reconstruct import Apodization
from rdl_live.optics.reconstruct.apodization import apodization
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Geometry, build_geometry, with_excess
from rdl_live.optics.series_noise import series_noise
from rdl_live.restore.evidence import Evidence, matched_spectrum, measured
from rdl_live.train.loop.held_out import fingerprint

STRIDE = 0.75
"""Distance of neighbouring tiles, relative to their size, at most."""
INSET = 8
"""Raw pixels at a tile's edges that are not judged: the filters mix the margin beyond the edges into them."""


@dataclass(frozen=True, eq=False)
class Film:
    """One recording."""

    name: str
    scope: Microscope
    channel: Channel
    patterns: PatternSet
    frames: npt.NDArray[np.generic]
    """Raw ADU of consecutive time points, (T, A, P, y, x)."""
    maps: CameraMaps | None = None
    first: int = 0
    """Time point of the file that frames[0] is."""

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x) of a frame."""
        return int(self.frames.shape[-2]), int(self.frames.shape[-1])

    @cached_property
    def fingerprint(self) -> str:
        """Names the data whatever the file is called."""
        return fingerprint(self.frames[0])

    @cached_property
    def read_noise_e(self) -> float:
        """Root-mean-square read noise of the camera [electrons]."""
        maps = self.maps
        return self.scope.camera.read_noise_e if maps is None else float(maps.read_noise_e.square().mean().sqrt())

    @cached_property
    def excess(self) -> float:
        """Fixed noise of the widefield; see `Geometry.excess`."""
        times = sorted({0, len(self) // 2, len(self) - 1})
        photons = torch.stack([self.photons(time) for time in times])
        return series_noise(photons, Otf.of(self.scope, self.channel), self.read_noise_e).excess

    def under(self, patterns: PatternSet) -> "Film":
        """Return the same recording as if its patterns were others."""
        return replace(self, patterns=patterns)

    def photons(self, time: int, tile: "Tile | None" = None) -> Tensor:
        """Return the photons (A, P, y, x) of a time point, or of a tile of it."""
        window = (slice(None), slice(None)) if tile is None else tile.window
        raw = torch.from_numpy(self.frames[time][(..., *window)].astype(np.float32))
        maps = self.maps
        if maps is not None and tile is not None:
            maps = maps.crop(tile.top, tile.left, tile.shape)
        return to_photons(raw, self.scope.camera, maps)

    def read_noise(self, tile: "Tile") -> float | Tensor:
        """Return the read noise of a tile [electrons]: a number, or a map (y, x)."""
        if self.maps is None:
            return self.scope.camera.read_noise_e
        return self.maps.crop(tile.top, tile.left, tile.shape).read_noise_e


@dataclass(frozen=True, eq=False)
class Tile:
    """A piece of the field, with its own geometry: a series of its own as far as the physics are concerned."""

    film: Film
    top: int
    left: int
    shape: tuple[int, int]
    _transform: BandTransform = field(init=False, repr=False)
    geometry: Geometry = field(init=False, repr=False)
    target: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        film = self.film
        otf, factor = Otf.of(film.scope, film.channel), film.scope.pattern.sr_factor
        geometry = build_geometry(otf, self.patterns, self.shape, factor=factor)
        geometry = with_excess(geometry, film.excess)
        object.__setattr__(self, "geometry", geometry)
        # Photons go in, so the transform needs no calibration.
        object.__setattr__(self, "_transform", BandTransform(geometry, Camera(), None))
        target = apodization(Apodization.OTF, geometry.radius(), geometry.cutoff)
        object.__setattr__(self, "target", target)

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the frame."""
        return slice(self.top, self.top + self.shape[0]), slice(self.left, self.left + self.shape[1])

    def inside(self, inset: int = INSET) -> Tensor:
        """Return what is judged of the padded SR image, (y, x) float32, 1 or 0.

        A transform takes an image as periodic, so frames are continued beyond their edges by mirror images
        (`rdl_live.optics.reconstruct.margin`). No object gave these: what is found there is made by the program, and a
        network that learns to make it, too, is no better for it.
        """
        rows, columns = self.geometry.sr_spectrum
        mask = torch.zeros(rows, 2 * (columns - 1))
        factor = self.film.scope.pattern.sr_factor
        height, width = (factor * (side - inset) for side in self.shape)
        mask[factor * inset : height, factor * inset : width] = 1
        return mask

    @property
    def patterns(self) -> PatternSet:
        """The illumination, its phases at the tile's corner."""
        pixel_um = self.film.scope.optics.pixel_size_um
        return shifted(self.film.patterns, self.left * pixel_um, self.top * pixel_um)

    def read_noise(self) -> float | Tensor:
        """Return the read noise [electrons]: a number, or a map (y, x)."""
        return self.film.read_noise(self)

    def matched(self, photons: Tensor) -> Tensor:
        """Return M (rows, columns) of a series (A, P, y, x) of photons; linear in them."""
        return matched_spectrum(self._transform, self.geometry, photons[None])[0]

    def mean(self, photons: Tensor) -> float:
        """Return the unit of `evidence`: the mean of a series (A, P, y, x) as its padded image has it."""
        rows, columns = self.geometry.sr_spectrum
        level = float(self.matched(photons)[0, 0].real) / float(self.geometry.power[0, 0])
        return max(level / (rows * 2 * (columns - 1)), 0.01)

    def evidence(self, photons: Tensor, share: float = 1.0) -> Evidence:
        """Return what a series (A, P, y, x) of photons says, a batch of one, in units of its mean.

        Args:
            photons: of this tile.
            share: of the photons that these are; the read noise has been shared likewise.
        """
        series, read = photons[None], self.film.read_noise_e * math.sqrt(share)
        return measured(self._transform, self.geometry, self.target, series, series, read).relative()


def shifted(patterns: PatternSet, x_um: float, y_um: float) -> PatternSet:
    """Return the same light with its phases at a corner that lies x_um to the right and y_um further down."""
    moved = []
    for pattern in patterns:
        turn = 2 * math.pi * (pattern.kx * x_um + pattern.ky * y_um)
        moved.append(pattern.replace(phases_rad=tuple(phase + turn for phase in pattern.phases_rad)))
    return PatternSet(patterns=tuple(moved))


def tiles(film: Film, size: int, stride: float = STRIDE, region: tuple[int, int, int, int] | None = None) -> list[Tile]:
    """Cover the field, or a region (top, left, rows, columns) of it, with tiles of `size` pixels (or the whole of it
    where it is smaller)."""
    top, left, *shape = region or (0, 0, *film.shape)
    sides = [min(size, length) for length in shape]
    places = [list(_places(length, side, stride)) for length, side in zip(shape, sides, strict=True)]
    return [Tile(film, top + y, left + x, (sides[0], sides[1])) for y in places[0] for x in places[1]]


def _places(length: int, side: int, stride: float) -> Iterator[int]:
    count = 1 + math.ceil((length - side) / (stride * side))
    for index in range(count):
        yield round(index * (length - side) / max(count - 1, 1))
