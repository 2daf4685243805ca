"""Building the OME-XML (2016-06) of the files that are written here.

By hand, for tifffile's builder has no modulo ranges, and needs all sizes before the first page is written.
"""

import json
import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rdl_live._version import __version__
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.ome_xml import MODULO_NAMESPACE
from rdl_live.files.wavelength import colour_of

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
PROVENANCE_NAMESPACE = "rdl-live/provenance"
PIXEL_TYPES = {
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int16": "int16",
    "uint32": "uint32",
    "int32": "int32",
    "float32": "float",
    "float64": "double",
}
# What XML 1.0 cannot hold in any spelling: control characters, lone surrogates.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class PlaneLabel:
    """What a file says of one plane."""

    z: int
    c: int
    t: int
    seconds: float | None = None
    """From the first plane of the file to the exposure of this one."""
    exposure_s: float | None = None
    stage_um: tuple[float, float] | None = None
    """(x, y)."""


@dataclass(frozen=True)
class OmeDescription:
    """What is written into a file besides its pixels. Planes run z (fastest), then channels, then time."""

    size_t: int
    size_y: int
    size_x: int
    dtype: str
    pixel_size_um: float | None
    """None where it is not known, and so is not said."""
    channel: ChannelLabel
    size_z: int = 1
    modulo: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """For "T" and "Z": the dimension that it counts too ("angle", "phase") and its size."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    more_channels: tuple[ChannelLabel, ...] = ()
    """Those after the first."""
    name: str | None = None
    """Of the image; that of its channel where left out."""
    acquired: str | None = None
    """Date and time of the acquisition, ISO 8601."""
    z_step_um: float | None = None
    interval_s: float | None = None
    """From one time point to the next, as planned."""
    labels: tuple[PlaneLabel, ...] = ()

    @property
    def channels(self) -> tuple[ChannelLabel, ...]:
        """All of them."""
        return (self.channel, *self.more_channels)

    @property
    def planes(self) -> int:
        """How many pages there are."""
        return self.size_t * self.size_z * len(self.channels)

    def to_xml(self, identifier: uuid.UUID) -> bytes:
        """Return the document, in ASCII, as the TIFF description tag wants it."""
        root = ET.Element("OME", root_attributes(identifier))
        image = ET.SubElement(root, "Image", {"ID": "Image:0", "Name": plain_text(self.name or self.channel.name)})
        if self.acquired is not None:
            ET.SubElement(image, "AcquisitionDate").text = self.acquired
        self._pixels(image)
        annotations = ET.Element("StructuredAnnotations")
        self._modulo(annotations)
        self._provenance(annotations)
        for annotation in annotations:
            ET.SubElement(image, "AnnotationRef", {"ID": annotation.attrib["ID"]})
        if len(annotations):
            root.append(annotations)
        xml: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
        return xml

    def _pixels(self, image: ET.Element) -> None:
        sizes = {
            "SizeX": self.size_x,
            "SizeY": self.size_y,
            "SizeZ": self.size_z,
            "SizeC": len(self.channels),
            "SizeT": self.size_t,
        }
        attributes = {
            "ID": "Pixels:0",
            # With one channel the same; a reader of older files of this program expects that.
            "DimensionOrder": "XYZCT" if self.more_channels else "XYZTC",
            "Type": PIXEL_TYPES[self.dtype],
            **{key: str(size) for key, size in sizes.items()},
        }
        if self.pixel_size_um is not None:
            for letter in "XY":
                attributes[f"PhysicalSize{letter}"] = repr(float(self.pixel_size_um))
                attributes[f"PhysicalSize{letter}Unit"] = "µm"
        if self.z_step_um is not None:
            attributes |= {"PhysicalSizeZ": repr(float(self.z_step_um)), "PhysicalSizeZUnit": "µm"}
        if self.interval_s is not None:
            attributes |= {"TimeIncrement": repr(float(self.interval_s)), "TimeIncrementUnit": "s"}
        pixels = ET.SubElement(image, "Pixels", attributes)
        for number, channel in enumerate(self.channels):
            ET.SubElement(pixels, "Channel", channel_attributes(0, number, channel))
        ET.SubElement(pixels, "TiffData", {"IFD": "0", "PlaneCount": str(self.planes)})
        for label in self.labels:
            ET.SubElement(pixels, "Plane", _plane(label))

    def _modulo(self, annotations: ET.Element) -> None:
        if self.modulo:
            modulo_annotation(annotations, self.modulo)

    def _provenance(self, annotations: ET.Element) -> None:
        if not self.provenance:
            return
        attributes = {"ID": "Annotation:1", "Namespace": PROVENANCE_NAMESPACE}
        value = ET.SubElement(ET.SubElement(annotations, "MapAnnotation", attributes), "Value")
        for key, content in self.provenance.items():
            entry = ET.SubElement(value, "M", {"K": plain_text(key)})
            entry.text = json.dumps(content, default=_plain)  # ASCII: nothing that XML forbids


def modulo_annotation(annotations: ET.Element, modulo: Mapping[str, tuple[str, int]]) -> None:
    """Add "Annotation:0": which dimensions T and Z count, too."""
    attributes = {"ID": "Annotation:0", "Namespace": MODULO_NAMESPACE}
    value = ET.SubElement(ET.SubElement(annotations, "XMLAnnotation", attributes), "Value")
    found = ET.SubElement(value, "Modulo", {"namespace": "http://www.openmicroscopy.org/Schemas/Additions/2011-09"})
    # The order Z, T of the elements is that of the model documentation.
    for letter in sorted(modulo, reverse=True):
        kind, size = modulo[letter]
        steps = {"Type": kind, "Start": "0", "Step": "1", "End": str(size - 1)}
        ET.SubElement(found, f"ModuloAlong{letter}", steps)


def channel_attributes(image: int, number: int, channel: ChannelLabel) -> dict[str, str]:
    """Return what a Channel element says."""
    attributes = {"ID": f"Channel:{image}:{number}", "Name": plain_text(channel.name), "SamplesPerPixel": "1"}
    for key, wavelength in (
        ("ExcitationWavelength", channel.excitation_nm),
        ("EmissionWavelength", channel.emission_nm),
    ):
        if wavelength is not None:
            attributes |= {key: repr(float(wavelength)), f"{key}Unit": "nm"}
    if channel.emission_nm is not None:
        red, green, blue = colour_of(channel.emission_nm)
        # RGBA as a signed number of 32 bits, as the schema has it.
        attributes["Color"] = str(int.from_bytes(bytes((red, green, blue, 255)), "big", signed=True))
    return attributes


def _plane(label: PlaneLabel) -> dict[str, str]:
    attributes = {"TheZ": str(label.z), "TheT": str(label.t), "TheC": str(label.c)}
    for key, seconds in (("DeltaT", label.seconds), ("ExposureTime", label.exposure_s)):
        if seconds is not None:
            attributes |= {key: f"{seconds:.6f}", f"{key}Unit": "s"}
    if label.stage_um is not None:
        for key, place in zip("XY", label.stage_um, strict=True):
            attributes |= {f"Position{key}": repr(float(place)), f"Position{key}Unit": "µm"}
    return attributes


def root_attributes(identifier: uuid.UUID) -> dict[str, str]:
    """Return what the OME element says."""
    return {
        "xmlns": SCHEMA,
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xsi:schemaLocation": f"{SCHEMA} {SCHEMA}/ome.xsd",
        "UUID": f"urn:uuid:{identifier}",
        "Creator": f"rdl-live {__version__}",
    }


def plain_text(text: str) -> str:
    """Return text as XML can hold it."""
    return _FORBIDDEN.sub("\ufffd", text)


def _plain(value: object) -> Any:
    """Turn what provenance may hold besides JSON's own types into these."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"provenance cannot hold a {type(value).__name__}")
