"""From a picture to what is painted: only the part that is seen, at the screen's resolution, as colours.

The screen has fewer pixels than the pictures of a good camera, and drawing is nothing but a courtesy to the eye: what
lies outside of the pane or below a screen pixel is left out before anything is computed. 1024 x 1024 float32 onto a
pane of 450 x 450: 1.5 ms.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.view.panes.colours import colour_table
from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.viewport import Mapping

DOUBT_FROM, DOUBT_TO = 0.25, 0.75
"""Relative standard errors between which the shading of doubt grows from nothing to its full strength."""
DOUBT_COLOUR = (255, 140, 0)
DOUBT_STRENGTH = 0.6
WORTH_FULL = 6.0
"""Number of series from which on the shading of places that are known from several is at its full strength."""
WORTH_COLOUR = (40, 170, 255)
WORTH_STRENGTH = 0.5
OPAQUE = np.uint32(0xFF000000)
BLOCK = 65536
"""Pixels that are taken through all steps at a time: so they stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Shaded:
    """A part of a picture, ready to be painted."""

    colours: npt.NDArray[np.uint32]
    """(rows, columns) 0xFFRRGGBB."""
    left_um: float
    top_um: float
    pixel_um: float
    """Place of its corner, and side of its pixels, in the sample [um]."""


def shade(
    picture: Picture,
    contrast: Contrast,
    mapping: Mapping,
    size: tuple[float, float],
    *,
    doubt: bool = False,
    worth: bool = False,
    room: npt.NDArray[np.uint32] | None = None,
) -> Shaded | None:
    """Return the part of a picture that a pane shows.

    Args:
        picture: the picture.
        contrast: how values become colours.
        mapping: from the sample to the pane [device pixels].
        size: width and height of the pane [device pixels].
        doubt: shade where the standard error is large, if the picture knows it.
        worth: shade where several series make the image, the more the stronger, if the picture knows it.
        room: colours that nobody needs any more; theirs is the memory of the new ones, if it fits. (New memory costs
            as much as all the arithmetic.)

    Returns:
        None if nothing of it is seen.
    """
    shown = mapping.scale * picture.pixel_um
    step = max(1, int(1 / shown + 1e-6))
    rows = _range(-mapping.top / shown, (size[1] - mapping.top) / shown, picture.pixels.shape[0], step)
    columns = _range(-mapping.left / shown, (size[0] - mapping.left) / shown, picture.pixels.shape[1], step)
    if rows is None or columns is None:
        return None
    part = reduced(picture.pixels[rows, columns], step)
    colours = coloured(part, contrast.low, contrast.high, colour_table(contrast.colour, contrast.gamma), room)
    if doubt and picture.sigma is not None:
        floor = max(float(picture.sample().mean()), 1e-6)
        colours = _doubted(colours, part, reduced(picture.sigma[rows, columns], step), floor)
    if worth and picture.worth is not None:
        known = np.log(np.maximum(reduced(picture.worth[rows, columns], step), 1)) / np.log(WORTH_FULL)
        colours = _tinted(colours, np.minimum(known, 1) * WORTH_STRENGTH, WORTH_COLOUR)
    return Shaded(colours, columns.start * picture.pixel_um, rows.start * picture.pixel_um, step * picture.pixel_um)


def coloured(
    pixels: npt.NDArray[Any],
    low: float,
    high: float,
    table: npt.NDArray[np.uint32],
    room: npt.NDArray[np.uint32] | None = None,
) -> npt.NDArray[np.uint32]:
    """Return a colour for each pixel: the table's first at `low` and below, its last at `high` and above.

    What is not a number is taken for dark.

    Args:
        pixels: (rows, columns).
        low: darkest value.
        high: brightest value.
        table: 256 colours.
        room: see `shade`.
    """
    rows, columns = pixels.shape
    fits = room is not None and room.shape == (rows, columns) and room.flags.c_contiguous
    colours = room if room is not None and fits else np.empty((rows, columns), np.uint32)
    at_once = max(1, BLOCK // columns)
    block = np.empty((min(at_once, rows), columns), np.float32)
    grey = _per_level(table)
    for first in range(0, rows, at_once):
        some, out = pixels[first : first + at_once], colours[first : first + at_once]
        scaled = block[: len(some)]
        np.subtract(some, np.float32(low), out=scaled, casting="same_kind")
        scaled *= np.float32(255.999 / max(high - low, 1e-30))
        if not np.isfinite(scaled.sum()):
            np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        np.clip(scaled, 0, 255, out=scaled)
        np.copyto(out, scaled, casting="unsafe")
        if grey is None:
            np.take(table, out, out=out, mode="clip")
        else:  # looking colours up takes longer than all the rest
            out *= grey
            out |= OPAQUE
    return colours


def _per_level(table: npt.NDArray[np.uint32]) -> np.uint32 | None:
    """Return what one level adds to the colour, where it is the same for all, as in grey; else None."""
    steps = np.diff(table.astype(np.int64))
    even = table[0] == OPAQUE and bool((steps == steps[0]).all())
    return np.uint32(steps[0]) if even else None


def reduced(pixels: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """Return means of blocks of `step` x `step` pixels: leaving pixels out would turn stripes into false ones."""
    if step == 1:
        return pixels
    rows, columns = (side // step * step for side in pixels.shape)
    total = pixels[0:rows:step, 0:columns:step].astype(np.float32)
    for i in range(step):
        for j in range(step):
            if i or j:
                total += pixels[i:rows:step, j:columns:step]
    total *= np.float32(1 / step**2)
    return total


def _range(first: float, last: float, count: int, step: int) -> slice | None:
    """Return the indices of a part, in whole blocks; None if it is empty."""
    start = max(int(first // step) * step, 0)
    stop = min((int(last // step) + 1) * step, count // step * step)
    return slice(start, stop) if stop > start else None


def _doubted(
    colours: npt.NDArray[np.uint32], values: npt.NDArray[Any], sigma: npt.NDArray[Any], floor: float
) -> npt.NDArray[np.uint32]:
    """Return colours mixed with the colour of doubt where the relative standard error is large.

    Args:
        colours: 0xFFRRGGBB.
        values: the picture.
        sigma: its standard error.
        floor: values below it count as it: in empty places the error is compared with the mean of the picture.
    """
    relative = sigma / np.maximum(values, floor)
    share = np.clip((relative - DOUBT_FROM) / (DOUBT_TO - DOUBT_FROM), 0, 1) * DOUBT_STRENGTH
    return _tinted(colours, share, DOUBT_COLOUR)


def _tinted(
    colours: npt.NDArray[np.uint32], share: npt.NDArray[Any], tint: tuple[int, int, int]
) -> npt.NDArray[np.uint32]:
    """Return colours 0xFFRRGGBB mixed with another one (red, green, blue), of which each gets a share of 0 to 1."""
    mixed = np.full(colours.shape, 0xFF000000, np.uint32)
    for shift, other in zip((16, 8, 0), tint, strict=True):
        one = (colours >> shift & 0xFF).astype(np.float32)
        mixed |= (one + (other - one) * share).astype(np.uint32) << shift
    return mixed
