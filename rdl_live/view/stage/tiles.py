"""The images of places where the stage has been, small, for a map. Without Qt."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.view.live.session import Images, Snapshot
from rdl_live.view.panes.picture import Picture

SIDE, MOST = 96, 400
"""Pixels along a tile, and tiles that are kept: the oldest go first."""
REST_S = 1.0
"""An image belongs to a place where the stage has been at rest for so long and twice the delay of images."""
_SHOWN = ("widefield", "sim", "raw")
_SAME_UM = 0.05


@dataclass(frozen=True, eq=False)
class Tile:
    """What was seen at a place."""

    x_um: float
    """Of the stage, while the image was taken."""
    y_um: float
    height_um: float
    """Of the field."""
    width_um: float
    grey: npt.NDArray[np.uint8]
    """The image (y, x), dark to bright."""


class Tiles:
    """Collects them while images come."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[int, int], Tile] = {}
        self._at: tuple[float, float] | None = None
        self._since_s = 0.0
        self._latency_s = 0.0
        self._now_s = 0.0

    @property
    def all(self) -> list[Tile]:
        """The oldest first, to be painted in this order."""
        return list(self._tiles.values())

    def clear(self) -> None:
        """Forget them."""
        self._tiles.clear()

    def see_snapshot(self, snapshot: Snapshot) -> None:
        """Take note of where the stage is."""
        here, self._now_s = snapshot.stage.xy_um, snapshot.at_s
        self._latency_s = (snapshot.readings.latency_ms or 0.0) / 1e3
        same = here is not None and self._at is not None and _near(here, self._at)
        if snapshot.stage.moving or not same:
            self._since_s = self._now_s
        self._at = here

    def see_images(self, images: Images) -> bool:
        """Keep an image of the place, if the stage has been at rest for long enough; return whether it was kept."""
        picture = next((images[name] for name in _SHOWN if images[name] is not None), None)
        rests_s = self._now_s - self._since_s
        if self._at is None or picture is None or rests_s < REST_S + 2 * self._latency_s:
            return False
        height_um, width_um = picture.field_um
        x, y = self._at
        key = (round(4 * x / max(width_um, 1e-6)), round(4 * y / max(height_um, 1e-6)))
        self._tiles.pop(key, None)
        self._tiles[key] = Tile(x, y, height_um, width_um, _grey(picture))
        while len(self._tiles) > MOST:
            del self._tiles[next(iter(self._tiles))]
        return True


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= _SAME_UM


def _grey(picture: Picture) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(picture.pixels)
    step = max(1, -(-max(pixels.shape) // SIDE))
    small = pixels[::step, ::step].astype(np.float32)
    low, high = np.nanpercentile(small, (1.0, 99.5))
    shown = np.clip((small - low) / max(float(high - low), 1e-9), 0, 1) * 255
    return np.asarray(shown, np.uint8)
