"""Closing a recording: shapes, attributes and the journal's end, from what is on the disk."""

from dataclasses import dataclass
from pathlib import Path

from rdl_live.files.recorder.index import RecordingIndex
from rdl_live.files.recorder.journal import BlockKey, JournalContent
from rdl_live.files.recorder.ome_metadata import write_ome_metadata
from rdl_live.files.recorder.zarr_tree import read_shape, update_attributes, waits_for_disk, write_shape


@dataclass(frozen=True)
class Counts:
    """Series and frames of all images."""

    complete: int
    incomplete: int
    missing: int


def put_in_order(root: Path, content: JournalContent) -> bool:
    """Give every image its honest length and its list of holes; return whether any length was wrong.

    Raises:
        OSError: the disk refuses.
    """
    index, changed = RecordingIndex(content), False
    for image in content.layout.images:
        if read_shape(root, content.layout, image) != index.length(image):
            write_shape(root, content.layout, image, index.length(image), waits_for_disk(content.layout))
            changed = True
        about = {**index.about(image), **({"remarks": content.remarks} if content.remarks else {})}
        update_attributes(root, content.layout, image, about)
    if len(content.layout.images) > 1:
        lengths = {image: index.length(image) for image in content.layout.images}
        write_ome_metadata(root, content.layout, content.created, lengths)
    return changed


def end_entry(unusable: dict[BlockKey, str]) -> dict[str, object]:
    """Return the journal's last entry."""
    listed = [[*image, time, why] for (image, time), why in sorted(unusable.items())]
    return {"end": {"unusable": listed}}


def count(content: JournalContent) -> Counts:
    """Count complete series, others, and missing frames."""
    index = RecordingIndex(content)
    images = content.layout.images
    series = sum(index.length(image) for image in images)
    incomplete = sum(len(index.incomplete(image)) for image in images)
    missing = sum(index.missing(image) for image in images)
    return Counts(series - incomplete, incomplete, missing)
