"""The zarr.json files of a recording: OME-Zarr 0.5 on Zarr 3.

One image, (t, angle, phase, y, x) or (t, y, x), lies at the top. Several (positions, channels, planes: five axes
are all that OME-Zarr allows an array) lie in folders p0_c0_z0, ... of a "bioformats2raw" collection, listed in
OME/zarr.json and described in OME/METADATA.ome.xml. One chunk is one time point of one image. The time axis is as long
as what has been recorded.
"""

import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rdl_live._version import __version__
from rdl_live.files.recorder.codec import codec_metadata
from rdl_live.files.recorder.journal import FORMAT, JOURNAL
from rdl_live.files.recorder.layout import ImageAddress, StreamLayout
from rdl_live.files.recorder.ome_metadata import write_ome_metadata
from rdl_live.files.wavelength import colour_of

NODE = "zarr.json"
MAX_NODE = 2**27
"""Bytes of a zarr.json that is read: with provenance, and lists of what is missing."""
DURABLE_IMAGES = 500
"""See `waits_for_disk`."""
_TRIES = 10


def write_tree(root: Path, layout: StreamLayout, created: str) -> None:
    """Write all zarr.json files of a recording that holds nothing yet.

    Raises:
        OSError: the disk refuses.
    """
    ours = {
        "format": FORMAT,
        "program": f"rdl-live {__version__}",
        "kind": layout.kind,
        "created": created,
        "journal": JOURNAL,
        "layout": layout.model_dump(mode="json"),
    }
    durable = waits_for_disk(layout)
    if len(layout.images) > 1:
        _write_group(root, {"ome": {"version": "0.5", "bioformats2raw.layout": 3}, "rdl_live": ours})
        folders = [layout.folder(image) for image in layout.images]
        (root / "OME").mkdir(exist_ok=True)
        _write_group(root / "OME", {"ome": {"version": "0.5", "series": folders}})
        write_ome_metadata(root, layout, created)
    for image in layout.images:
        folder = root / layout.folder(image)
        (folder / "0").mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {"image": image._asdict()}
        if len(layout.images) == 1:
            about = ours
        _write_group(folder, {"ome": _ome_attributes(layout, image), "rdl_live": about}, durable)
        write_shape(root, layout, image, 0, durable)


def waits_for_disk(layout: StreamLayout) -> bool:
    """Whether each zarr.json waits until it is on the disk: not where there are thousands, which takes minutes.

    The journal alone counts; after a power cut `recover` writes the tree anew from it.
    """
    return len(layout.images) <= DURABLE_IMAGES


def write_shape(root: Path, layout: StreamLayout, image: ImageAddress, times: int, durable: bool = True) -> None:
    """Give the array of one image its length in time; not `durable`: without waiting for the disk.

    Raises:
        OSError: the disk refuses.
    """
    replace_json(root / layout.folder(image) / "0" / NODE, array_metadata(layout, times), durable)


def read_shape(root: Path, layout: StreamLayout, image: ImageAddress) -> int | None:
    """Return the length in time that the array of an image says it has; None if it is not as we write it."""
    found = _read_node(root / layout.folder(image) / "0") or {}
    shape = found.get("shape")
    if not isinstance(shape, list) or not shape or type(shape[0]) is not int:
        return None
    times: int = shape[0]
    return times if found == array_metadata(layout, times) else None


def update_attributes(root: Path, layout: StreamLayout, image: ImageAddress, about: Mapping[str, Any]) -> None:
    """Add to what the image's attributes say under "rdl_live", unless that is there already.

    Raises:
        OSError: the disk refuses.
    """
    folder = root / layout.folder(image)
    node = _read_node(folder)
    if node is None or not _is_ours(node):
        raise OSError(errno.EIO, f"{folder / NODE} was changed by another program", str(folder / NODE))
    ours = node["attributes"]["rdl_live"]
    if all(ours.get(key) == value for key, value in about.items()):
        return
    ours.update(about)
    replace_json(folder / NODE, node, waits_for_disk(layout))


def array_metadata(layout: StreamLayout, times: int) -> dict[str, Any]:
    """Return the zarr.json of an array of that many time points."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [times, *layout.block_shape],
        "data_type": layout.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, *layout.block_shape]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0 if layout.dtype == "float32" else 0,
        "codecs": codec_metadata(layout),
        "attributes": {},
        "dimension_names": list(layout.axes),
        "storage_transformers": [],
    }


def is_tree(root: Path, layout: StreamLayout) -> bool:
    """Whether all folders have a zarr.json that can be read; a power cut may leave empty ones."""
    nodes = [_read_node(root / folder) for folder in {"", *(layout.folder(image) for image in layout.images)}]
    if len(layout.images) > 1 and _read_node(root / "OME") is None:
        return False
    return all(node is not None and _is_ours(node) for node in nodes)


def _read_node(folder: Path) -> dict[str, Any] | None:
    """Return the zarr.json of a folder; None if there is none that can be understood."""
    path = folder / NODE
    try:
        if path.stat().st_size > MAX_NODE:
            return None
        node = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return node if isinstance(node, dict) else None


def _is_ours(node: Mapping[str, Any]) -> bool:
    attributes = node.get("attributes")
    return isinstance(attributes, dict) and isinstance(attributes.get("rdl_live"), dict)


def replace_json(path: Path, content: Mapping[str, Any], durable: bool = True) -> None:
    """Put a JSON file in place of the old one, so that a reader sees either of them whole.

    Raises:
        OSError: the disk refuses.
    """
    beside = path.with_name(path.name + ".part")
    beside.unlink(missing_ok=True)  # and "x": a link of that name would lead the pen elsewhere
    with beside.open("x", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=1))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    for left in reversed(range(_TRIES)):
        try:
            os.replace(beside, path)
            return
        except PermissionError:  # on Windows, while another program reads the old one
            if not left:
                raise
            time.sleep(0.01)


def _write_group(folder: Path, attributes: Mapping[str, Any], durable: bool = True) -> None:
    replace_json(folder / NODE, {"zarr_format": 3, "node_type": "group", "attributes": attributes}, durable)


def _ome_attributes(layout: StreamLayout, image: ImageAddress) -> dict[str, Any]:
    scale = [layout.interval_s or 1.0, *(1.0 for _ in layout.inner), *(2 * (layout.pixel_size_um,))]
    time_axis = {"name": "t", "type": "time", **({"unit": "second"} if layout.interval_s else {})}
    channel = layout.channels[image.channel].name
    name = channel if len(layout.images) == 1 else f"{channel}, position {image.position}, z {image.z}"
    multiscale = {
        "name": name,
        "axes": [
            time_axis,
            *({"name": inner, "type": "other"} for inner, _ in layout.inner),
            *({"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"),
        ],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    top = float(np.iinfo(layout.dtype).max) if layout.dtype != "float32" else 1.0
    window = {"start": 0.0, "end": top, "min": 0.0, "max": top}
    colour = bytes(colour_of(layout.channels[image.channel].emission_nm)).hex().upper()
    shown = {"label": channel, "color": colour, "active": True, "window": window}
    return {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": [shown]}}
