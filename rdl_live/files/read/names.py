"""Names of files that say which frame is which: img_channel001_position000_time000000003_z002.tif, a2_p1.tif."""

import re
from collections.abc import Sequence
from math import prod

import numpy as np

from rdl_live.files.stack import Axis, Stack

_PARTS = re.compile(r"(\d+)")
_LETTERS = re.compile(r"([A-Za-z]*)[^A-Za-z0-9]*$")
WORDS = {
    **dict.fromkeys(("t", "time", "timepoint", "frame", "series"), Axis.TIME),
    **dict.fromkeys(("z", "slice", "plane"), Axis.Z),
    **dict.fromkeys(("c", "ch", "channel", "w", "wv"), Axis.CHANNEL),
    **dict.fromkeys(("position", "pos", "xy", "s", "site", "field"), Axis.POSITION),
    **dict.fromkeys(("a", "angle", "o", "orientation", "rotation", "dir", "direction"), Axis.ANGLE),
    **dict.fromkeys(("phase", "ph"), Axis.PHASE),
    "p": Axis.PHASE,
}
"""What the letters before a number mean; "p" may be a position instead."""
_MICRO_MANAGER = re.compile(r"^img_(\d{9})_(.+)_(\d{3})\.tiff?$", re.IGNORECASE)
"""Micro-Manager 1.4: time, channel by name, plane."""


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts 2 before 10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part.lower()) for part in _PARTS.split(name))


def arranged(names: Sequence[str]) -> tuple[Stack, tuple[str, ...]]:
    """Return how files of one frame each are arranged, and names of their colours, if they say so.

    Args:
        names: in natural order; frame i of the result is the file of names[i].
    """
    return _micro_manager(names) or _numbered(names) or (Stack.in_order((Axis.FRAME,), (len(names),)), ())


def _micro_manager(names: Sequence[str]) -> tuple[Stack, tuple[str, ...]] | None:
    found = [_MICRO_MANAGER.match(name) for name in names]
    places = [(int(one[1]), one[2], int(one[3])) for one in found if one is not None]
    if len(places) < len(names):
        return None
    colours = sorted({colour for _, colour, _ in places})
    keys = [(time, colours.index(colour), z) for time, colour, z in places]
    stack = _grid(keys, (Axis.TIME, Axis.CHANNEL, Axis.Z))
    return None if stack is None else (stack, tuple(colours) if len(colours) > 1 else ())


def _numbered(names: Sequence[str]) -> tuple[Stack, tuple[str, ...]] | None:
    """Read numbers after words; None unless all names have the same words, and the numbers fill a grid."""
    split = [_PARTS.split(name.rsplit(".", 1)[0]) for name in names]
    if len({tuple(part.lower() for part in parts[::2]) for parts in split}) != 1:
        return None
    columns = list(zip(*(map(int, parts[1::2]) for parts in split), strict=True))
    varying = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    axes = tuple(_axis(split[0][2 * i]) for i in varying)
    if not varying or all(axis is Axis.FRAME for axis in axes):
        return None
    stack = _grid(list(zip(*(columns[i] for i in varying), strict=True)), axes)
    return None if stack is None else (stack, ())


def _axis(before: str) -> Axis:
    found = _LETTERS.search(before)
    return WORDS.get(found[1].lower() if found else "", Axis.FRAME)


def _grid(keys: Sequence[tuple[int, ...]], axes: tuple[Axis, ...]) -> Stack | None:
    """Return the stack of files at these places; None if places are doubled or left out."""
    steps = [sorted(set(column)) for column in zip(*keys, strict=True)]
    sizes = [len(one) for one in steps]
    if prod(sizes) != len(keys) or len(set(keys)) != len(keys):
        return None
    frames = np.empty(sizes, np.int64)
    for number, key in enumerate(keys):
        frames[tuple(one.index(value) for one, value in zip(steps, key, strict=True))] = number
    return Stack(axes, frames)
