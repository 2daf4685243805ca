"""The dish: specimens without end, drawn where and when the camera looks.

The plane is tiled; each tile is a specimen of its own (`rdl_devices.sim.tiles`) and moves with the world's time.
Drawing is the dear part (4 to 14 ms for a tile of 576 x 576), so a tile is drawn anew only every `refresh_ms` of world
time, and what is out of focus, blurred over a micrometre, twenty times less often.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from rdl_devices.sim.settings import WorldSettings
from rdl_devices.sim.tiles import tile
from rdl_live.specimen import Specimen

Tile = tuple[int, int, int]
"""Laser line [nm], column and row of the tile."""
T = TypeVar("T")

HAZE_EVERY = 20
"""Refreshes of the focus per refresh of the haze."""


@dataclass(frozen=True)
class Window:
    """A rectangle of the plane, in fine pixels from the sample's origin."""

    top: int
    left: int
    shape: tuple[int, int]


class Scene:
    """Relative fluorophore density (mean about 1 at time 0) anywhere, at any time."""

    def __init__(self, settings: WorldSettings, tile_px: int, fine_um: float) -> None:
        """Prepare an empty dish.

        Args:
            settings: what grows in it.
            tile_px: side of a tile [fine pixels].
            fine_um: fine pixel [um].
        """
        self._settings, self._tile_px, self._fine_um = settings, tile_px, fine_um
        self._grown: OrderedDict[Tile, Specimen] = OrderedDict()
        self._drawn: OrderedDict[tuple[Tile, bool], tuple[int, Tensor]] = OrderedDict()

    def density(self, nm: int, window: Window, time_s: float) -> Tensor:
        """Return what is in focus, (y, x) float32."""
        return self._collect(window, lambda x, y: self._draw((nm, x, y), time_s, haze=False))

    def haze(self, nm: int, window: Window, time_s: float) -> Tensor | None:
        """Return the light from out of focus, (y, x) float32; None where there is none."""
        if self._settings.dye(nm).specimen.haze == 0:
            return None
        return self._collect(window, lambda x, y: self._draw((nm, x, y), time_s, haze=True))

    def epoch(self, time_s: float, *, haze: bool = False) -> int:
        """Return the number of the drawing that is valid at a time."""
        return int(time_s * 1e3 / self._settings.refresh_ms) // (HAZE_EVERY if haze else 1)

    def _collect(self, window: Window, drawn: Callable[[int, int], Tensor]) -> Tensor:
        """Put a window together from the tiles under it."""
        size, (height, width) = self._tile_px, window.shape
        if window.top % size == 0 and window.left % size == 0 and window.shape == (size, size):
            return drawn(window.left // size, window.top // size)
        image = torch.empty(window.shape)
        for row in range(window.top // size, (window.top + height - 1) // size + 1):
            for column in range(window.left // size, (window.left + width - 1) // size + 1):
                y, tile_y = _overlap(row * size, size, window.top, height)
                x, tile_x = _overlap(column * size, size, window.left, width)
                image[y, x] = drawn(column, row)[tile_y, tile_x]
        return image

    def _draw(self, place: Tile, time_s: float, *, haze: bool) -> Tensor:
        epoch, key = self.epoch(time_s, haze=haze), (place, haze)
        if key in self._drawn and self._drawn[key][0] == epoch:
            return self._drawn[key][1]
        specimen = self._specimen(place)
        moment = epoch * (HAZE_EVERY if haze else 1) * self._settings.refresh_ms * 1e-3
        image = specimen.haze(moment) if haze else specimen.density(moment)
        _remember(self._drawn, key, (epoch, image), 32)
        return image

    def _specimen(self, place: Tile) -> Specimen:
        if place not in self._grown:
            nm, x, y = place
            settings = self._settings.dye(nm).specimen
            # Tiles that differ, the same ones at every return.
            seed = settings.seed + 1_000_003 * (2 * abs(x) - (x > 0)) + 7_368_787 * (2 * abs(y) - (y > 0))
            _remember(self._grown, place, tile(settings.replace(seed=seed), self._tile_px, self._fine_um), 24)
        return self._grown[place]


def _overlap(tile: int, tile_size: int, window: int, window_size: int) -> tuple[slice, slice]:
    """Return where a tile and a window overlap along one axis: in the window and in the tile."""
    first, last = max(tile, window), min(tile + tile_size, window + window_size)
    return slice(first - window, last - window), slice(first - tile, last - tile)


K = TypeVar("K")


def _remember(cache: "OrderedDict[K, T]", key: K, value: T, most: int) -> None:
    """Keep a value, and forget the oldest ones."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)
