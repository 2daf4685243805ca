"""OME-XML: reading the arrangement of planes with Modulo annotations, and writing it.

Sources: OME model 2016-06; "6D, 7D and 8D storage" of the OME model documentation: an annotation in the
namespace openmicroscopy.org/omero/dimension/modulo says that Z, C or T also counts another dimension, which
is the faster one: index = real index * modulo size + modulo index. Bio-Formats' readers of Zeiss files instead count
Step along the axis itself: with Step = number of planes the rotations are the slower part (ZeissCZIReader.java).
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.errors import DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.stack import MAX_FRAMES, Axis, Stack

MODULO_NAMESPACE = "openmicroscopy.org/omero/dimension/modulo"
AXES = {"T": Axis.TIME, "Z": Axis.Z, "C": Axis.CHANNEL}
MODULO_TYPES = {
    "phase": Axis.PHASE,
    "angle": Axis.ANGLE,
    "rotation": Axis.ANGLE,
    "orientation": Axis.ANGLE,
    "tile": Axis.POSITION,
    "position": Axis.POSITION,
}
"""Words of Type and TypeDescription. "rotation" is Bio-Formats' for what is an angle in the model."""
TO_UM = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "pm": 1e-6, "Å": 1e-4}
MAX_XML = 2**26
"""Bytes of a description; 200 000 planes described one by one take less."""
MAX_ELEMENTS, MAX_DEPTH = 10**6, 50


Sibling = Callable[[str], int]
"""Opens a file beside this one by its plain name; returns the number of its first page, a multiple of MAX_FRAMES."""


@dataclass(frozen=True)
class OmeImage:
    """What the OME-XML of a TIFF file says of its images."""

    stack: Stack
    pixel_size_um: float | None
    labels: tuple[ChannelLabel, ...]
    notes: tuple[str, ...]
    others: tuple[Stack, ...] = ()
    """Other arrangements that it allows."""
    positions: tuple[str, ...] = ()
    """Names of the images, where they are positions."""
    z_step_um: float | None = None
    """From plane to plane [um]."""

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the colours."""
        return tuple(label.name for label in self.labels)


def parse_ome(xml: bytes, pages: int, sibling: Sibling | None = None) -> OmeImage:
    """Read an OME-XML document that belongs to a file of `pages` pages.

    Images of the sizes of the first are stage positions; others (overviews, labels) are left out.

    Args:
        xml: the document.
        pages: of the file that it lies in.
        sibling: opens the other files of a set; None: they are refused.

    Raises:
        DataError: no Image in it, planes that are not there, or sizes that contradict each other.
    """
    root = parse_xml(xml)
    images = [element for element in root if _tag(element) == "Image"]
    pixels = _child(images[0], "Pixels") if images else None
    if pixels is None:
        raise DataError("its OME-XML describes no image; save the whole recording as one OME-TIFF file")
    places = [image for image in images if _sizes(_child(image, "Pixels")) == _sizes(pixels)]
    places, notes = _readable(places, len(images))
    labels = tuple(
        _label(channel, i) for i, channel in enumerate(element for element in pixels if _tag(element) == "Channel")
    )
    planes = [_planes(_pixels_of(image), pages, root.get("UUID"), sibling) for image in places]
    stack = planes[0]
    if len(planes) > 1:
        stack = Stack((Axis.POSITION, *stack.axes), np.stack([one.frames for one in planes]))
    modulos = _modulos(root, images[0], pixels)
    stack, *others = _with_modulo(stack, modulos, notes)
    names = tuple(image.get("Name") or f"{i}" for i, image in enumerate(places)) if len(places) > 1 else ()
    return OmeImage(
        stack, _pixel_size(pixels, notes), labels, tuple(notes), tuple(others), names, _length_um(pixels, "Z")
    )


def companion_of(xml: bytes) -> str | None:
    """Return the file that holds the metadata where a document has none but its name (BinaryOnly)."""
    if b"BinaryOnly" not in xml:
        return None
    only = next((element for element in parse_xml(xml) if _tag(element) == "BinaryOnly"), None)
    return None if only is None else only.get("MetadataFile")


def _sizes(pixels: ET.Element | None) -> tuple[str | None, ...]:
    """Return what two images must have in common to be positions of one recording."""
    keys = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT", "DimensionOrder", "Type")
    return () if pixels is None else tuple(pixels.get(key) for key in keys)


def _pixels_of(image: ET.Element) -> ET.Element:
    pixels = _child(image, "Pixels")
    if pixels is None:
        raise DataError("its OME-XML describes an image without pixels; export it again as OME-TIFF")
    return pixels


def _readable(places: list[ET.Element], images: int) -> tuple[list[ET.Element], list[str]]:
    """Return the images that are positions: those that say where their planes are, if there are several."""
    said = [image for image in places if any(_tag(data) == "TiffData" for data in _pixels_of(image))]
    kept = places if len(places) == 1 or len(said) == len(places) else places[:1]
    return kept, [f"image 0 of {images} is read"] if len(kept) < images else []


def _label(channel: ET.Element, number: int) -> ChannelLabel:
    return ChannelLabel(
        channel.get("Name") or channel.get("Fluor") or f"channel {number}",
        _wavelength(channel, "Excitation"),
        _wavelength(channel, "Emission"),
    )


def _wavelength(channel: ET.Element, kind: str) -> float | None:
    """Return a wavelength [nm], None where it is not given or cannot be one of light."""
    try:
        value = float(channel.get(f"{kind}Wavelength", "nan"))
    except ValueError:
        return None
    value *= 1e3 * TO_UM.get(channel.get(f"{kind}WavelengthUnit", "nm"), math.nan)
    return value if 100 < value < 3000 else None


def parse_xml(xml: bytes) -> ET.Element:
    """Parse XML without document types: their entities can blow up a small file to gigabytes.

    Raises:
        DataError: a document type, no XML, or larger, longer or deeper nested than any description is.
    """
    if len(xml) > MAX_XML:
        raise DataError(f"its OME-XML of {len(xml)} bytes is larger than any that is read ({MAX_XML} bytes)")
    # Decoded here, so that no other encoding, declared or guessed (zeros between letters), hides a document type.
    text = xml.decode("utf-8", errors="replace")
    if "\0" in text:
        raise DataError("its OME-XML is not UTF-8 text; export it again as OME-TIFF")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError("its OME-XML declares a document type, which is refused; export it again as OME-TIFF")
    try:
        return ET.fromstring(text, ET.XMLParser(target=_BoundedBuilder()))
    except ET.ParseError as error:
        raise DataError(f"its OME-XML is damaged ({error}); export it again as OME-TIFF") from error


class _BoundedBuilder(ET.TreeBuilder):
    """A tree that does not grow beyond what a description is."""

    _count = _depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._count, self._depth = self._count + 1, self._depth + 1
        if self._count > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise DataError(
                f"its OME-XML has more than {MAX_ELEMENTS} elements, or {MAX_DEPTH} within each other; "
                "export it again as OME-TIFF"
            )
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


def _tag(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _child(element: ET.Element, tag: str) -> ET.Element | None:
    return next((child for child in element if _tag(child) == tag), None)


def _planes(pixels: ET.Element, pages: int, own: str | None, sibling: Sibling | None) -> Stack:
    """Return the page numbers arranged by the three OME axes, slowest first."""
    order = pixels.get("DimensionOrder", "XYCZT")
    if sorted(order) != sorted("XYCZT") or order[:2] != "XY":
        raise DataError(f"OME DimensionOrder {order!r} is none of the six allowed")
    letters = order[:1:-1]  # slowest first
    sizes = tuple(int(pixels.get(f"Size{letter}", "1")) for letter in letters)
    planes = math.prod(sizes)
    if min(sizes) < 1 or planes > MAX_FRAMES:
        raise DataError(f"OME sizes {letters} = {sizes} cannot be")
    numbers = np.full(planes, -1, dtype=np.int64)
    described = [element for element in pixels if _tag(element) == "TiffData"]
    places = _FilePlaces(described, own, sibling)
    placed = 0
    for data in described or [ET.Element("TiffData")]:
        placed += _place(numbers, data, letters, sizes, places.first(data), pages)
        if placed > 2 * planes:  # a million elements of a million planes would keep us for days
            raise DataError("its OME-XML describes its planes several times over; export it again as OME-TIFF")
    missing = int(np.count_nonzero((numbers < 0) | ((numbers >= pages) & (numbers < MAX_FRAMES))))
    if places.is_set and sibling is None:
        raise DataError(
            f"one of several files of an OME-TIFF set ({planes} planes are described, {pages} are here), and "
            "other files are not opened here; save the recording as one file"
        )
    if missing:
        raise DataError(
            f"its OME-XML describes {planes} planes, {planes - missing} of them are there: the file is "
            "truncated, or one of a set; copy it again, or save the recording as one file"
        )
    return Stack(tuple(AXES[letter] for letter in letters), numbers.reshape(sizes))


class _FilePlaces:
    """Where the pages of the files of a set begin, in one numbering; those of the file itself at 0."""

    def __init__(self, described: list[ET.Element], own: str | None, sibling: Sibling | None) -> None:
        named = [uuid for data in described if (uuid := _child(data, "UUID")) is not None]
        identities = {uuid.text for uuid in named}
        self.is_set = len(identities) > 1
        self._own = own if own in identities or self.is_set else next(iter(identities), None)
        self._sibling, self._first = sibling, dict[str, int]()

    def first(self, data: ET.Element) -> int:
        """Return the number of the first page of the file that an element means."""
        uuid = _child(data, "UUID")
        if uuid is None or uuid.text == self._own or self._sibling is None:
            return 0
        name = uuid.get("FileName") or ""
        if name not in self._first:
            self._first[name] = self._sibling(name)
        return self._first[name]


def _place(
    numbers: npt.NDArray[np.int64],
    data: ET.Element,
    letters: str,
    sizes: tuple[int, ...],
    first: int,
    pages: int,
) -> int:
    """Enter the pages of one TiffData element into the plane numbers; return how many."""
    start = [int(data.get(f"First{letter}", "0")) for letter in letters]
    if any(not 0 <= i < n for i, n in zip(start, sizes, strict=True)):
        raise DataError(f"an OME TiffData element starts at plane {letters} = {start}, beyond the end")
    plane = int(np.ravel_multi_index(start, sizes))
    page = int(data.get("IFD", "0"))
    count = int(data.get("PlaneCount", "1" if "IFD" in data.attrib else str(pages)))
    count = max(0, min(count, len(numbers) - plane))
    numbers[plane : plane + count] = first + page + np.arange(count)
    return count


@dataclass(frozen=True)
class _Modulo:
    along: Axis
    axis: Axis
    kind: str
    size: int
    step: float
    """As the file has it; 0 where its steps are listed."""


def _modulos(root: ET.Element, image: ET.Element, pixels: ET.Element) -> list[_Modulo]:
    refs = {ref.get("ID") for parent in (image, pixels) for ref in parent if _tag(ref) == "AnnotationRef"}
    annotations = [
        annotation
        for group in root
        if _tag(group) == "StructuredAnnotations"
        for annotation in group
        if (annotation.get("Namespace") or "").endswith("dimension/modulo")
    ]
    meant = [a for a in annotations if a.get("ID") in refs]
    # Some writers forget the reference; a single annotation can then only mean this image.
    chosen = meant or (annotations if len(annotations) == 1 else [])
    found = [
        _modulo(element)
        for annotation in chosen
        for element in annotation.iter()
        if re.fullmatch("ModuloAlong[ZCT]", _tag(element))
    ]
    return [modulo for modulo in found if modulo.size > 1]


def _modulo(element: ET.Element) -> _Modulo:
    kind = element.get("Type", "other").strip().lower()
    words = f"{kind} {element.get('TypeDescription', '').lower()}"
    axis = next((axis for part, axis in MODULO_TYPES.items() if part in words), Axis.FRAME)
    step = 0.0
    labels = sum(_tag(child) == "Label" for child in element)
    if labels:
        size = labels
    else:
        start, step = float(element.get("Start", "0")), float(element.get("Step", "1"))
        steps = (float(element.get("End", str(start))) - start) / step if step else math.nan
        if not 0 <= steps < MAX_FRAMES:
            raise DataError(f"OME {_tag(element)} has no sensible Start, Step and End; export the file again")
        size = math.floor(steps + 1e-6) + 1
    return _Modulo(AXES[_tag(element)[-1]], axis, kind, size, step)


def _with_modulo(stack: Stack, modulos: list[_Modulo], notes: list[str]) -> list[Stack]:
    """Return the stack with the dimensions that the annotations name; both ways where one may be slow or fast."""
    found = [_split(stack, modulos, notes, as_documented=False)]
    if any(_in_steps_of_axis(stack, modulo) for modulo in modulos):
        found.append(_split(stack, modulos, [], as_documented=True))
    return found


def _in_steps_of_axis(stack: Stack, modulo: _Modulo) -> bool:
    """Whether Step is the number of real steps along the axis: then Bio-Formats has written it for the slower part."""
    real = stack.frames.shape[stack.axes.index(modulo.along)] / modulo.size
    return real > 1 and math.isclose(real, modulo.step)


def _split(stack: Stack, modulos: list[_Modulo], notes: list[str], *, as_documented: bool) -> Stack:
    for modulo in modulos:
        place = stack.axes.index(modulo.along)
        sizes = stack.frames.shape
        if sizes[place] % modulo.size:
            raise DataError(
                f"its Modulo annotation puts {modulo.size} {modulo.kind}s along {modulo.along}, "
                f"whose size {sizes[place]} is no multiple of that"
            )
        if modulo.axis is Axis.FRAME:
            notes.append(f"Modulo dimension of type {modulo.kind!r} is read as further frames")
        names = [modulo.along, modulo.axis]
        parts = [sizes[place] // modulo.size, modulo.size]
        if _in_steps_of_axis(stack, modulo) and not as_documented:
            names, parts = names[::-1], parts[::-1]
        axes = (*stack.axes[:place], *names, *stack.axes[place + 1 :])
        split = (*sizes[:place], *parts, *sizes[place + 1 :])
        stack = Stack(axes, stack.frames.reshape(split))
    if any(stack.axes.count(axis) > 1 for axis in (Axis.ANGLE, Axis.PHASE)):
        raise DataError("its Modulo annotations name the angles or the phases twice; export the file again")
    return stack


def _pixel_size(pixels: ET.Element, notes: list[str]) -> float | None:
    sizes = [_length_um(pixels, letter) or math.nan for letter in "XY"]
    if not sizes[0] > 0:
        return None
    if not math.isclose(sizes[0], sizes[1], rel_tol=1e-3):
        notes.append(f"pixels are not square ({sizes[0]:g} x {sizes[1]:g} um)")
    return sizes[0]


def _length_um(pixels: ET.Element, letter: str) -> float | None:
    """Return the size of a voxel along an axis [um]; None where it is not said, or cannot be."""
    try:
        value = float(pixels.get(f"PhysicalSize{letter}", "nan"))
    except ValueError:
        return None
    value *= TO_UM.get(pixels.get(f"PhysicalSize{letter}Unit", "µm"), math.nan)
    return round(value, 9) if 0 < value < 100 else None
