"""OME/METADATA.ome.xml of a recording of several images: what readers of the bioformats2raw layout look for.

Each Image has the ID "Image:" and the folder of its array, as napari-ome-zarr follows it. Phases count as Z and angles
as T (Modulo annotations), as in exported OME-TIFFs: OME-XML has no other place for them.
"""

import os
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.ome_document import (
    PIXEL_TYPES,
    channel_attributes,
    modulo_annotation,
    plain_text,
    root_attributes,
)
from rdl_live.files.recorder.layout import ImageAddress, StreamLayout

FILE = Path("OME") / "METADATA.ome.xml"


def write_ome_metadata(
    root: Path, layout: StreamLayout, created: str, lengths: Mapping[ImageAddress, int] | None = None
) -> None:
    """Write the file, in place of an older one.

    Args:
        root: of the recording; its folder OME is there.
        layout: of the recording.
        created: date and time of its start, ISO 8601.
        lengths: time points of each image; as planned where left out.

    Raises:
        OSError: the disk refuses.
    """
    document = ET.Element("OME", root_attributes(uuid.uuid4()))
    inner = dict(layout.inner)
    angles, phases = inner.get("angle", 1), inner.get("phase", 1)
    for number, image in enumerate(layout.images):
        times = lengths[image] if lengths is not None else layout.time_points or 1
        _image(document, number, layout, image, created, (max(times, 1) * angles, phases))
    if inner:
        annotations = ET.SubElement(document, "StructuredAnnotations")
        modulo_annotation(annotations, {"T": ("angle", angles), "Z": ("phase", phases)})
    beside = root / FILE.with_suffix(".part")
    beside.unlink(missing_ok=True)
    with beside.open("xb") as file:
        file.write(ET.tostring(document, encoding="utf-8", xml_declaration=True))
    os.replace(beside, root / FILE)


def _image(
    document: ET.Element,
    number: int,
    layout: StreamLayout,
    address: ImageAddress,
    created: str,
    sizes: tuple[int, int],
) -> None:
    channel = layout.channels[address.channel]
    name = f"{channel.name}, position {address.position}, z {address.z}"
    image = ET.SubElement(document, "Image", {"ID": f"Image:{layout.folder(address)}", "Name": plain_text(name)})
    ET.SubElement(image, "AcquisitionDate").text = created
    size_t, size_z = sizes
    pixels = ET.SubElement(
        image,
        "Pixels",
        {
            "ID": f"Pixels:{number}",
            "DimensionOrder": "XYZTC",
            "Type": PIXEL_TYPES[layout.dtype],
            "SizeX": str(layout.frame[1]),
            "SizeY": str(layout.frame[0]),
            "SizeZ": str(size_z),
            "SizeC": "1",
            "SizeT": str(size_t),
            "PhysicalSizeX": repr(layout.pixel_size_um),
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": repr(layout.pixel_size_um),
            "PhysicalSizeYUnit": "µm",
        },
    )
    label = ChannelLabel(channel.name, channel.excitation_nm, channel.emission_nm)
    ET.SubElement(pixels, "Channel", channel_attributes(number, 0, label))
    ET.SubElement(pixels, "MetadataOnly")
    if layout.inner:
        ET.SubElement(image, "AnnotationRef", {"ID": "Annotation:0"})
