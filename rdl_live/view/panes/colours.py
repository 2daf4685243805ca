"""Colour tables: 256 colours from black to bright, without any file to fetch."""

from functools import cache

import numpy as np
import numpy.typing as npt

_ANCHORS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "green": ((0, 0, 0), (0, 200, 60), (210, 255, 215)),
    "magenta": ((0, 0, 0), (215, 0, 190), (255, 220, 250)),
    "cyan": ((0, 0, 0), (0, 180, 210), (215, 250, 255)),
    "yellow": ((0, 0, 0), (215, 190, 0), (255, 250, 210)),
    "fire": ((0, 0, 0), (80, 10, 110), (190, 40, 80), (245, 130, 20), (255, 235, 90), (255, 255, 255)),
    "range": ((0, 0, 0), (255, 255, 255)),
}
"""Colours at even steps; "range" is grey with what is too dark in blue and what is too bright in red."""
COLOURS = tuple(_ANCHORS)


@cache
def colour_table(name: str, gamma: float = 1.0) -> npt.NDArray[np.uint32]:
    """Return 256 opaque colours 0xAARRGGBB, dark to bright.

    Args:
        name: one of `COLOURS`.
        gamma: brightness = level ** gamma.
    """
    anchors = np.array(_ANCHORS[name], np.float64)  # (n, 3)
    level = np.linspace(0, 1, 256) ** gamma
    at = np.linspace(0, 1, len(anchors))
    red, green, blue = (np.interp(level, at, anchors[:, i]).round().astype(np.uint32) for i in range(3))
    table = np.uint32(0xFF000000) | (red << 16) | (green << 8) | blue
    if name == "range":
        table[0], table[255] = 0xFF2050FF, 0xFFFF2020
    return table.astype(np.uint32)
