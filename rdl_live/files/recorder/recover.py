"""After a crash: an honest shape, holes marked, nothing deleted."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rdl_live.errors import DataError, OutputError
from rdl_live.files.recorder.finish import count, end_entry, put_in_order
from rdl_live.files.recorder.index import UNRECORDED
from rdl_live.files.recorder.journal import JOURNAL, BlockKey, BlockRecord, Journal, JournalContent, read_journal
from rdl_live.files.recorder.layout import MAX_TIME_POINTS, ImageAddress
from rdl_live.files.recorder.lock import try_lock
from rdl_live.files.recorder.place import refused
from rdl_live.files.recorder.readback import Progress, describe, load_block, read_back
from rdl_live.files.recorder.sink import PART, staged
from rdl_live.files.recorder.zarr_tree import is_tree, write_tree


@dataclass(frozen=True)
class RecoverReport:
    """What `recover` found and did."""

    path: Path
    raw_frames: int
    """Frames that are there, checksums right."""
    series: int
    """Complete series."""
    incomplete: int
    """Time points of any image that lack a frame, or all of them."""
    missing: int
    """Frames that are not there, marked as such."""
    adopted: int
    """Chunks that were whole but not yet in their place, and are now."""
    leftovers: tuple[str, ...]
    """Files of the last, unfinished writes; left where they are, and never read."""
    problems: tuple[str, ...]
    """Series that are lost or damaged, in sentences."""
    damaged_lines: int
    """Lines of the journal that were passed over."""
    changed: bool
    """Whether anything had to be done."""


def recover(path: str | Path, progress: Progress | None = None) -> RecoverReport:
    """Repair a recording after a crash of the program or the computer.

    Shape, validity and journal end say afterwards what the disk really holds. Nothing is deleted, and a second
    time changes nothing. A recording that was closed well is only read.

    Raises:
        DataError: no recording, or its journal's first line is lost.
        OutputError: it is being recorded right now, or cannot be written.
    """
    path = Path(path)
    content = read_journal(path)  # refuses what is no recording before anything is opened to write
    _refuse_links(path, content)
    try:
        journal = Journal(path / JOURNAL, new=False)
        try:
            if not try_lock(journal.descriptor):
                raise OutputError(f"{path}: is being recorded right now; stop the recording first")
            return _recover(path, journal, progress)
        finally:
            journal.close()
    except OSError as error:
        raise refused(path, error) from error


def _refuse_links(path: Path, content: JournalContent) -> None:
    """A recording from elsewhere must not lead the pen to a file outside of it."""
    folders = {content.layout.folder(image) for image in content.layout.images}
    places = [path / JOURNAL, path / "OME", *(path / folder / "0" for folder in folders)]
    for place in [*places, *(path / folder for folder in folders if folder)]:
        if place.is_symlink():
            raise DataError(f"{place}: is a symbolic link, which recordings do not have; copy what it stands for there")


def _recover(path: Path, journal: Journal, progress: Progress | None) -> RecoverReport:
    content = read_journal(path)
    rebuilt = _rebuild_tree(path, content)
    adopted = _adopt(path, content)
    back = read_back(path, content, progress=progress)
    problems = back.problems | _unrecorded(path, content)
    changed = rebuilt or adopted > 0 or not content.ended or problems != content.unusable
    content.unusable = problems
    changed = put_in_order(path, content) or changed
    if changed:
        journal.append(end_entry(problems))
    counts = count(content)
    return RecoverReport(
        path=path,
        raw_frames=back.verified,
        series=counts.complete,
        incomplete=counts.incomplete,
        missing=counts.missing,
        adopted=adopted,
        leftovers=tuple(sorted(_leftovers(path))),
        problems=tuple(f"{describe(content.layout, key)}: {why}" for key, why in sorted(problems.items())),
        damaged_lines=content.damaged_lines,
        changed=changed,
    )


def _rebuild_tree(path: Path, content: JournalContent) -> bool:
    """Write the metadata anew where a crash at the very start left some of it out."""
    if is_tree(path, content.layout):
        return False
    write_tree(path, content.layout, content.created)
    return True


def _adopt(path: Path, content: JournalContent) -> int:
    """Put chunks in their place that a crash caught between journal line and renaming."""
    adopted = 0
    for block in content.blocks.values():
        chunk = content.layout.chunk(block.image, block.time)
        part, place = staged(path, chunk), path / chunk
        if block.stored and not place.exists() and _is_whole(part, content, block):
            os.replace(part, place)
            adopted += 1
    return adopted


def _is_whole(part: Path, content: JournalContent, block: BlockRecord) -> bool:
    if not part.is_file():
        return False
    try:
        load_block(part, content.layout, block)
    except DataError:  # torn by a power cut: it stays where it is, and its series is reported lost
        return False
    return True


def _unrecorded(path: Path, content: JournalContent) -> dict[BlockKey, str]:
    """Find chunks in place whose journal line is lost; their pixels count for the shape, not as valid."""
    return {key: UNRECORDED for key in _chunks_on_disk(path, content) if key not in content.blocks}


def _chunks_on_disk(path: Path, content: JournalContent) -> Iterator[BlockKey]:
    for image in content.layout.images:
        for time in _times_on_disk(path, content, image):
            if (path / content.layout.chunk(image, time)).is_file():
                yield image, time


def _times_on_disk(path: Path, content: JournalContent, image: ImageAddress) -> list[int]:
    folder = path / content.layout.folder(image) / "0" / "c"
    if not folder.is_dir():
        return []
    times = (int(child.name) for child in folder.iterdir() if re.fullmatch("0|[1-9][0-9]{0,9}", child.name))
    return sorted(time for time in times if time < MAX_TIME_POINTS)


def _leftovers(path: Path) -> Iterator[str]:
    for found in path.rglob(f"*{PART}"):
        yield found.relative_to(path).as_posix()
