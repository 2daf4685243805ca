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
class OmeDescription:
    """What is written into a file besides its pixels. Planes run z (fastest), then time."""

    size_t: int
    size_y: int
    size_x: int
    dtype: str
    pixel_size_um: float
    channel: ChannelLabel
    size_z: int = 1
    modulo: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """For "T" and "Z": the dimension that it counts too ("angle", "phase") and its size."""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_xml(self, identifier: uuid.UUID) -> bytes:
        """Return the document, in ASCII, as the TIFF description tag wants it."""
        root = ET.Element("OME", _root_attributes(identifier))
        image = ET.SubElement(root, "Image", {"ID": "Image:0", "Name": _text(self.channel.name)})
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
            "SizeC": 1,
            "SizeT": self.size_t,
        }
        attributes = {
            "ID": "Pixels:0",
            "DimensionOrder": "XYZTC",
            "Type": PIXEL_TYPES[self.dtype],
            **{key: str(size) for key, size in sizes.items()},
            "PhysicalSizeX": repr(float(self.pixel_size_um)),
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": repr(float(self.pixel_size_um)),
            "PhysicalSizeYUnit": "µm",
        }
        pixels = ET.SubElement(image, "Pixels", attributes)
        channel = {"ID": "Channel:0:0", "Name": _text(self.channel.name), "SamplesPerPixel": "1"}
        for key, wavelength in (
            ("ExcitationWavelength", self.channel.excitation_nm),
            ("EmissionWavelength", self.channel.emission_nm),
        ):
            if wavelength is not None:
                channel |= {key: repr(float(wavelength)), f"{key}Unit": "nm"}
        ET.SubElement(pixels, "Channel", channel)
        ET.SubElement(pixels, "TiffData", {"IFD": "0", "PlaneCount": str(self.size_t * self.size_z)})

    def _modulo(self, annotations: ET.Element) -> None:
        if not self.modulo:
            return
        attributes = {"ID": "Annotation:0", "Namespace": MODULO_NAMESPACE}
        value = ET.SubElement(ET.SubElement(annotations, "XMLAnnotation", attributes), "Value")
        modulo = ET.SubElement(
            value, "Modulo", {"namespace": "http://www.openmicroscopy.org/Schemas/Additions/2011-09"}
        )
        # The order Z, T of the elements is that of the model documentation.
        for letter in sorted(self.modulo, reverse=True):
            kind, size = self.modulo[letter]
            steps = {"Type": kind, "Start": "0", "Step": "1", "End": str(size - 1)}
            ET.SubElement(modulo, f"ModuloAlong{letter}", steps)

    def _provenance(self, annotations: ET.Element) -> None:
        if not self.provenance:
            return
        attributes = {"ID": "Annotation:1", "Namespace": PROVENANCE_NAMESPACE}
        value = ET.SubElement(ET.SubElement(annotations, "MapAnnotation", attributes), "Value")
        for key, content in self.provenance.items():
            entry = ET.SubElement(value, "M", {"K": _text(key)})
            entry.text = json.dumps(content, default=_plain)  # ASCII: nothing that XML forbids


def _root_attributes(identifier: uuid.UUID) -> dict[str, str]:
    return {
        "xmlns": SCHEMA,
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xsi:schemaLocation": f"{SCHEMA} {SCHEMA}/ome.xsd",
        "UUID": f"urn:uuid:{identifier}",
        "Creator": f"rdl-live {__version__}",
    }


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _plain(value: object) -> Any:
    """Turn what provenance may hold besides JSON's own types into these."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"provenance cannot hold a {type(value).__name__}")
