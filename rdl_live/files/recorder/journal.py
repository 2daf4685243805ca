"""The journal beside the pixels: append-only, one line a series, each with its own checksum.

A line is JSON for any reader, `{"crc":"xxxxxxxx","entry":{...}}`; the CRC-32 is that of the bytes of the
entry. The first line is the header (layout), each further one a series, the last one the end. A line that was
torn by a crash fails its checksum and is passed over; what is written after it starts on a fresh line.
"""

import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdl_live.errors import DataError
from rdl_live.files.recorder.codec import largest_chunk
from rdl_live.files.recorder.layout import MAX_HOLES, MAX_TIME_POINTS, ImageAddress, StreamLayout, layout_from_json
from rdl_live.files.recorder.tags import FrameRecord, whole

JOURNAL = "journal.jsonl"
FORMAT = 1
MAX_BYTES, MAX_LINE = 2**33, 2**26
"""Of a journal that is read: 9 million series; a line with its metadata."""
_HEAD, _MIDDLE, _TAIL = b'{"crc":"', b'","entry":', b"}"
_START = len(_HEAD) + 8 + len(_MIDDLE)

BlockKey = tuple[ImageAddress, int]
"""An image and a time point."""


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What the journal says of one series: where it is, and each of its frames."""

    image: ImageAddress
    time: int
    frames: tuple[FrameRecord, ...]
    """In the order of the block's slots, phase fastest."""
    stored: int
    """Bytes of the chunk file; 0 if none was written, for no frame came."""
    crc: int
    """CRC-32 of the chunk file."""

    @property
    def key(self) -> BlockKey:
        """Image and time point."""
        return self.image, self.time

    @property
    def complete(self) -> bool:
        """Whether every frame came."""
        return all(frame.valid for frame in self.frames)

    def to_json(self) -> dict[str, Any]:
        """Return the journal's form."""
        return {
            "time": self.time,
            **self.image._asdict(),
            "stored": self.stored,
            "crc": self.crc,
            "frames": [frame.to_json() for frame in self.frames],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "BlockRecord":
        """Return the record that `to_json` made.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it made something else.
        """
        return cls(
            ImageAddress(*(whole(content[name], name) for name in ImageAddress._fields)),
            whole(content["time"], "time", below=MAX_TIME_POINTS),
            tuple(FrameRecord.from_json(frame) for frame in content["frames"]),
            whole(content["stored"], "stored"),
            whole(content["crc"], "checksum", below=2**32),
        )


def encode_line(entry: Mapping[str, Any]) -> bytes:
    """Return one line of the journal."""
    payload = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"%s%08x%s%s%s\n" % (_HEAD, zlib.crc32(payload), _MIDDLE, payload, _TAIL)


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Return the entry of a line without its end, or None if the line is damaged."""
    payload = line[_START:-1]
    if line != b"%s%08x%s%s%s" % (_HEAD, zlib.crc32(payload), _MIDDLE, payload, _TAIL):
        return None
    try:
        entry = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


class Journal:
    """Appends lines. One thread writes, another one may sync."""

    def __init__(self, path: Path, *, new: bool) -> None:
        """Open the journal to append, or make a new one.

        Raises:
            OSError: it exists already (`new`), or the disk refuses.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | (os.O_EXCL if new else 0) | getattr(os, "O_BINARY", 0)
        self.descriptor = os.open(path, flags, 0o644)
        self._torn = not new and not _ends_with_newline(path)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry and wait until the disk has it.

        Raises:
            OSError: as `write` and `sync`.
        """
        self.write(entry)
        self.sync()

    def sync(self) -> None:
        """Wait until the disk has what was written.

        Raises:
            OSError: the disk refuses.
        """
        os.fsync(self.descriptor)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry; the system has it then, so that a crash of the program cannot take it back.

        Raises:
            OSError: the disk refuses; a part of the line may be there, and will be passed over.
        """
        line = encode_line(entry)
        if self._torn:
            line = b"\n" + line
        self._torn = True
        view = memoryview(line)
        while view:
            view = view[os.write(self.descriptor, view) :]
        self._torn = False

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


@dataclass
class JournalContent:
    """What a journal holds."""

    layout: StreamLayout
    created: str
    blocks: dict[BlockKey, BlockRecord] = field(default_factory=dict)
    unusable: dict[BlockKey, str] = field(default_factory=dict)
    """Series whose pixels were found lost or damaged by a recovery, and what is wrong."""
    ended: bool = False
    """Whether the last entry is an end, so that nothing need be recovered."""
    damaged_lines: int = 0
    remarks: dict[str, Any] = field(default_factory=dict)
    """What became known only during the recording."""


def read_journal(folder: Path) -> JournalContent:
    """Read the journal of a recording, passing over damaged lines.

    Raises:
        DataError: no journal, not one of ours, or its header is lost.
    """
    path = folder / JOURNAL
    if not folder.exists():
        raise DataError(f"{folder}: does not exist; give the folder of a recording")
    try:
        entries = _entries(path)
        header = next(entries, None)
        if header is None or header.get("rdl_live") != FORMAT:
            raise DataError(
                f"{path}: its first line is damaged or of another version, so the frames cannot be named; "
                "the pixels can still be read as a plain OME-Zarr image"
            )
        return _collect(header, entries)
    except OSError as error:
        raise DataError(
            f"{folder}: is no recording of rdl-live: its {JOURNAL} cannot be read ({error.strerror or error})"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: holds what this version does not understand ({str(error)[:300]})") from error


def _entries(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yield the entry of each line, None for a damaged one.

    Raises:
        OSError: it cannot be read.
        DataError: it is larger than any journal.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size} bytes are more than the {MAX_BYTES} of the longest journal that is read")
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            if line := line.removesuffix(b"\n"):
                yield decode_line(line)


def _collect(header: dict[str, Any], entries: Iterator[dict[str, Any] | None]) -> JournalContent:
    layout = layout_from_json(header["kind"], header["layout"])
    content = JournalContent(layout, str(header["created"]))
    images, largest = frozenset(layout.images), largest_chunk(layout)
    for entry in entries:
        content.ended = False
        if entry is None:
            content.damaged_lines += 1
        elif "end" in entry:
            content.ended = True
            content.unusable = dict(_unusable(entry["end"].get("unusable", []), images))
        elif "remarks" in entry:
            content.remarks.update(entry["remarks"])
        else:
            block = BlockRecord.from_json(entry["series"])
            _check_block(block, layout.slots, images, largest)
            content.blocks[block.key] = block
    _check_holes(content)
    return content


def _check_block(block: BlockRecord, slots: int, images: frozenset[ImageAddress], largest: int) -> None:
    if len(block.frames) != slots:
        raise ValueError(f"{len(block.frames)} frames in a series of {slots}")
    if block.image not in images:
        raise ValueError(f"a series of {block.image}, which the layout does not have")
    if block.stored > largest:
        raise ValueError(f"a chunk of {block.stored} bytes, where {largest} are the most")
    if not block.stored and any(frame.crc is not None for frame in block.frames):
        raise ValueError("frames with checksums in a series without a chunk")


def _unusable(listed: list[list[Any]], images: frozenset[ImageAddress]) -> Iterator[tuple[BlockKey, str]]:
    for p, c, z, t, why in listed:
        key = ImageAddress(p, c, z), whole(t, "time", below=MAX_TIME_POINTS)
        if key[0] not in images or not isinstance(why, str):
            raise ValueError(f"a lost series {[p, c, z, t, why]!r:.80}")
        yield key, why


def _check_holes(content: JournalContent) -> None:
    """A length far beyond what there is would fill the memory."""
    known, last = Counter[ImageAddress](), Counter[ImageAddress]()
    for image, time in content.blocks.keys() | content.unusable.keys():
        known[image] += 1
        last[image] = max(last[image], time + 1)
    for image, length in last.items():
        if length - known[image] > MAX_HOLES:
            raise ValueError(f"{known[image]} series, but the last of them at time {length - 1}")
