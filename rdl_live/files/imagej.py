"""What ImageJ and Fiji write into TIFF files: key=value lines, and labels of slices.

Source: ij/io/TiffEncoder.java and TiffDecoder.java of ImageJ 1: tag 50838 has the sizes of the parts of tag 50839, the
first of which is a header "IJIJ" followed by (type, count) of each kind; labels ("labl") are UTF-16.
"""

import re
import struct
from math import prod

from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.stack import Axis, Stack
from rdl_live.files.tiff_pages import IMAGEJ_COUNTS, IMAGEJ_DATA, X_RESOLUTION, Tags

AXES = {"c": Axis.CHANNEL, "z": Axis.Z, "t": Axis.TIME}
MICROMETRES = {
    **dict.fromkeys(("micron", "microns", "um", "µm", "μm", "\\u00b5m", "micrometer", "micrometre"), 1.0),
    **{"nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "cm": 1e4},
}
_PLACE = re.compile(r"\b[czt]:\d+/\d+\b")
_LABELS = b"labl"
_MOST_KINDS = 64


def values_of(text: str) -> dict[str, str]:
    """Return the key=value lines of a description."""
    return dict(re.findall(r"^(\w+)=(.*?)\s*$", text, flags=re.MULTILINE))


def hyperstack(text: str, frames: int, room: int) -> Stack:
    """Return the stack that a description says: channel (fastest), z, time, unless it has another `order`.

    Args:
        text: the description.
        frames: in the file, by its directories.
        room: frames that the file has bytes for.
    """
    values = values_of(text)

    def count(key: str) -> int:
        digits = values.get(key, "1")
        return max(int(digits), 1) if digits.isdecimal() and len(digits) < 12 else 1

    images = max(count("images"), frames)
    sizes = {"t": count("frames"), "z": count("slices"), "c": count("channels")}
    if prod(sizes.values()) != images or images > room:
        return Stack.in_order((Axis.FRAME,), (min(images, room + 1),))
    order = re.sub("^xy", "", values.get("order", "czt").lower())
    letters = order[::-1] if sorted(order) == sorted("czt") else "tzc"
    return Stack.in_order(tuple(AXES[letter] for letter in letters), tuple(sizes[letter] for letter in letters))


def pixel_size_um(text: str, tags: Tags) -> float | None:
    """Return the pixel [um], None where ImageJ has not been told it."""
    ratio = tags.get(X_RESOLUTION, [0, 0])
    unit = MICROMETRES.get(values_of(text).get("unit", "").strip().lower())
    if unit is None or len(ratio) != 2 or not all(isinstance(n, int) and n > 0 for n in ratio):
        return None
    pixels, length = ratio
    # One pixel a unit is what ImageJ writes for "not calibrated".
    return None if pixels == length else round(length / pixels * unit, 9)


def z_step_um(text: str) -> float | None:
    """Return the distance of planes [um], None where ImageJ has not been told it."""
    values = values_of(text)
    unit = MICROMETRES.get(values.get("unit", "").strip().lower())
    try:
        step = abs(float(values.get("spacing", "nan")))
    except ValueError:
        return None
    return None if unit is None or not 0 < step * unit < 100 else round(step * unit, 9)


def channel_labels(stack: Stack, tags: Tags) -> tuple[ChannelLabel, ...]:
    """Return the names of the colours, where the labels of all slices of a colour agree; else none."""
    channels = stack.size(Axis.CHANNEL)
    labels = slice_labels(tags)
    if Axis.CHANNEL not in stack.axes or channels < 2 or len(labels) < stack.frames.size:
        return ()
    names = []
    for channel in range(channels):
        own = {_plain(labels[number]) for number in stack.take(Axis.CHANNEL, channel).frames.reshape(-1).tolist()}
        if len(own) != 1:
            return ()
        names.append(own.pop())
    return tuple(ChannelLabel(name) for name in names) if all(names) and len(set(names)) > 1 else ()


def _plain(label: str) -> str:
    """Return a label without what says where its slice lies, and without the file's name after a dash."""
    return _PLACE.sub("", label).split("\n")[0].strip(" -;,")


def slice_labels(tags: Tags) -> list[str]:
    """Return the labels of all slices; none where there are none, or where they are damaged."""
    counts, data = tags.get(IMAGEJ_COUNTS), tags.get(IMAGEJ_DATA)
    if not isinstance(counts, list) or not isinstance(data, bytes) or not counts or len(data) < counts[0]:
        return []
    header = data[: counts[0]]
    order = {b"IJIJ": ">", b"JIJI": "<"}.get(header[:4])
    if order is None or len(header) < 12:
        return []
    place, part, labels = counts[0], 1, list[str]()
    for start in range(4, min(len(header) - 7, 4 + 8 * _MOST_KINDS), 8):
        kind, count = header[start : start + 4], struct.unpack_from(f"{order}I", header, start + 4)[0]
        sizes = counts[part : part + count]
        for size in sizes:
            if _LABELS in (kind, kind[::-1]):
                labels.append(data[place : place + size].decode(f"utf-16-{'be' if order == '>' else 'le'}", "replace"))
            place += size
        part += count
    return labels
