"""The dish: specimens without end, drawn where and when the camera looks.

The plane is tiled; each tile is a specimen of its own (`rdl_devices.sim.tiles`) and moves with the world's time. Over
the last micrometre one tile fades into the next, so that there is no seam: what is drawn of a tile reaches that far
beyond it, and the faded strips lie between the tiles.
Drawing is the dear part (4 to 14 ms for a tile of 576 x 576), so a tile is drawn anew only every `refresh_ms` of world
time, and what is out of focus, blurred over a micrometre, twenty times less often.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from rdl_devices.sim.penetration import falls_of
from rdl_devices.sim.settings import WorldSettings
from rdl_devices.sim.tiles import tile
from rdl_live.optics.incidence import Incidence
from rdl_live.specimen import Specimen, SpecimenSettings
from rdl_live.specimen.depth import slabs
from rdl_live.specimen.specimen import MARGIN_UM

Tile = tuple[int, int, int]
"""Laser line [nm], column and row of the tile."""
T = TypeVar("T")

HAZE_EVERY = 20
"""Refreshes of the focus per refresh of the haze."""
KEPT = 8
"""Windows that are kept as they were seen: some refreshes of the focus and of the haze, for whoever asks for the
truth a little later; so many of each slab."""
DRAWN = 32
"""Tiles that are kept as they were drawn; so many of each slab."""
HAZE = -1
"""Stands for the haze where there is a number of a slab."""


@dataclass(frozen=True)
class Window:
    """A rectangle of the plane, in fine pixels from the sample's origin."""

    top: int
    left: int
    shape: tuple[int, int]


_Seen = tuple[int, Window, int, int, Incidence | None]
"""Laser line, window, epoch, number of the slab, how the light falls with depth."""


class Scene:
    """Relative fluorophore density (mean about 1 at time 0) anywhere, at any time."""

    def __init__(self, settings: WorldSettings, tile_px: int, fine_um: float) -> None:
        """Prepare an empty dish.

        Args:
            settings: what grows in it.
            tile_px: side of the tiles without the strips between them [fine pixels], from the origin on.
            fine_um: fine pixel [um].
        """
        self._settings, self._tile_px, self._fine_um = settings, tile_px, fine_um
        self._fade_px = math.floor(MARGIN_UM / fine_um)
        ramp = (torch.arange(self._fade_px) + 0.5) / self._fade_px
        self._weight = torch.cat([ramp, torch.ones(tile_px), ramp.flip(0)])
        """Of a tile in the whole, along either axis; those of neighbours add up to 1."""
        self._grown: OrderedDict[Tile, Specimen] = OrderedDict()
        self._drawn: OrderedDict[tuple[Tile, int, Incidence | None], tuple[int, Tensor]] = OrderedDict()
        self._seen: OrderedDict[_Seen, Tensor] = OrderedDict()

    def slabs_um(self, nm: int) -> list[float]:
        """Return how far the middle of every slab of a dye lies from the coverslip [um]; 0 where it has no depth."""
        return [0.5 * (low + high) for low, high in slabs(self._settings.dye(nm).specimen.depth_um)]

    def density(self, nm: int, window: Window, time_s: float, slab: int = 0, light: Incidence | None = None) -> Tensor:
        """Return the structures in a slab as they are lit there, (y, x) float32; not to be changed."""
        return self._look(nm, window, time_s, slab, light)

    def haze(self, nm: int, window: Window, time_s: float, light: Incidence | None = None) -> Tensor | None:
        """Return the light from out of focus, (y, x) float32; None where there is none."""
        if not self.has_haze(nm):
            return None
        return self._look(nm, window, time_s, HAZE, light)

    def has_haze(self, nm: int) -> bool:
        """Whether a dye has light without detail."""
        specimen = self._settings.dye(nm).specimen
        return specimen.haze > 0 or specimen.glow > 0

    def seen(
        self, nm: int, window: Window, time_s: float, slab: int = 0, light: Incidence | None = None
    ) -> Tensor | None:
        """Return what `density` (or, with `HAZE`, `haze`) gave for this time, None if it was not asked or is forgotten.

        Any thread; draws nothing.
        """
        return self._seen.get(self._key(nm, window, time_s, slab, light))

    def _key(self, nm: int, window: Window, time_s: float, slab: int, light: Incidence | None) -> _Seen:
        deep = self._settings.dye(nm).specimen.depth_um > 0
        return nm, window, self.epoch(time_s, haze=slab == HAZE), slab, light if deep else None

    def _look(self, nm: int, window: Window, time_s: float, slab: int, light: Incidence | None) -> Tensor:
        key = self._key(nm, window, time_s, slab, light)
        image = self._seen.get(key)
        if image is None:
            image = self._collect(window, lambda x, y: self._draw((nm, x, y), time_s, slab, key[-1]))
            _remember(self._seen, key, image, KEPT * (len(self.slabs_um(nm)) if key[-1] else 1))
        return image

    def epoch(self, time_s: float, *, haze: bool = False) -> int:
        """Return the number of the drawing that is valid at a time."""
        return int(time_s * 1e3 / self._settings.refresh_ms) // (HAZE_EVERY if haze else 1)

    def _collect(self, window: Window, drawn: Callable[[int, int], Tensor]) -> Tensor:
        """Put a window together from the tiles under it."""
        size, fade, (height, width) = self._tile_px, self._fade_px, window.shape
        pitch = size + fade
        rows = range(window.top // pitch, (window.top + height + fade - 1) // pitch + 1)
        columns = range(window.left // pitch, (window.left + width + fade - 1) // pitch + 1)
        if len(rows) == len(columns) == 1:
            top, left = window.top - rows[0] * pitch, window.left - columns[0] * pitch
            if top + height <= size and left + width <= size:
                rows_px, columns_px = slice(fade + top, fade + top + height), slice(fade + left, fade + left + width)
                return drawn(columns[0], rows[0])[rows_px, columns_px].clone()  # the whole tile is not kept for it
        image = torch.zeros(window.shape)
        for row in rows:
            y, tile_y = _overlap(row * pitch - fade, size + 2 * fade, window.top, height)
            for column in columns:
                x, tile_x = _overlap(column * pitch - fade, size + 2 * fade, window.left, width)
                weight = torch.outer(self._weight[tile_y], self._weight[tile_x])
                image[y, x] += drawn(column, row)[tile_y, tile_x] * weight
        return image

    def _draw(self, place: Tile, time_s: float, slab: int, light: Incidence | None) -> Tensor:
        haze = slab == HAZE
        epoch, key = self.epoch(time_s, haze=haze), (place, slab, light)
        if key in self._drawn and self._drawn[key][0] == epoch:
            return self._drawn[key][1]
        specimen, falls = self._specimen(place), falls_of(light)
        moment = epoch * (HAZE_EVERY if haze else 1) * self._settings.refresh_ms * 1e-3
        image = specimen.haze(moment, falls) if haze else specimen.slab(slab, moment, falls)
        _remember(self._drawn, key, (epoch, image), DRAWN * (len(specimen.slabs_um) if light else 1))
        return image

    def _specimen(self, place: Tile) -> Specimen:
        if place not in self._grown:
            nm, x, y = place
            settings = self._settings.dye(nm).specimen
            # Tiles that differ, the same ones at every return.
            seed = settings.seed + 1_000_003 * (2 * abs(x) - (x > 0)) + 7_368_787 * (2 * abs(y) - (y > 0))
            _remember(self._grown, place, self._tile_of(settings.replace(seed=seed)), 24)
        return self._grown[place]

    def _tile_of(self, settings: SpecimenSettings) -> Specimen:
        return tile(settings, self._tile_px, self._fine_um, self._fade_px)


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
