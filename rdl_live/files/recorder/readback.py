"""Reading back what was written: sizes of all chunks, checksums of chunks and frames."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rdl_live.errors import DataError
from rdl_live.files.recorder.codec import Block, decode_block, frame_crc, largest_chunk
from rdl_live.files.recorder.journal import BlockKey, BlockRecord, JournalContent, read_journal
from rdl_live.files.recorder.layout import StreamLayout

Progress = Callable[[int, int], None]
"""Told how many of how many series are done."""
LOST, DAMAGED = "its chunk is lost", "its chunk is damaged"
HOLDS_NOTHING = "holds no frame: the run ended before the first one was recorded"


@dataclass
class ReadBack:
    """What reading back found."""

    frames: int = 0
    """Frames whose chunk is there, of the right size."""
    verified: int = 0
    """Frames whose checksum was computed anew, and is right."""
    problems: dict[BlockKey, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found."""

    path: Path
    series: int
    """Series in the journal."""
    raw_frames: int
    """Frames that are there, whole and in place."""
    verified: int
    """Frames whose checksum is right."""
    problems: tuple[str, ...]
    """What is wrong, in sentences; empty if all is well."""

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.problems

    @property
    def intact(self) -> bool:
        """Whether nothing is damaged: also of a run that ended before its first frame, which is not `ok`."""
        return all(problem == HOLDS_NOTHING for problem in self.problems)


def verify(path: str | Path, progress: Progress | None = None) -> VerifyReport:
    """Read a whole recording and compare every frame with its checksum. Changes nothing.

    Raises:
        DataError: no recording.
    """
    path = Path(path)
    content = read_journal(path)
    found = read_back(path, content, progress=progress)
    known = {**content.unusable, **found.problems}
    problems = [f"{describe(content.layout, key)}: {why}" for key, why in sorted(known.items())]
    if content.damaged_lines:
        problems.append(f"{content.damaged_lines} line(s) of the journal are damaged")
    if not found.frames and not known:
        problems.append(HOLDS_NOTHING)
    if not content.ended:
        problems.append(f"was not closed; bring it in order with: rdl-live recover {path}")
    return VerifyReport(path, len(content.blocks), found.frames, found.verified, tuple(problems))


def read_back(
    root: Path, content: JournalContent, budget_bytes: int | None = None, progress: Progress | None = None
) -> ReadBack:
    """Check the size of every chunk, and checksums of as many as `budget_bytes` allow, evenly spread."""
    report = ReadBack()
    blocks = [block for block in content.blocks.values() if block.stored]
    total = sum(block.stored for block in blocks)
    budget = total if budget_bytes is None else budget_bytes
    step = max(1, -(-total // max(budget, 1)))
    for number, block in enumerate(blocks):
        deep = budget > 0 and (number % step == 0 or number == len(blocks) - 1)
        why = check_block(root, content.layout, block, deep)
        frames = sum(frame.valid for frame in block.frames)
        if why is None:
            report.frames += frames
            report.verified += frames if deep else 0
        else:
            report.problems[block.key] = why
        if progress is not None:
            progress(number + 1, len(blocks))
    return report


def check_block(root: Path, layout: StreamLayout, block: BlockRecord, deep: bool = True) -> str | None:
    """Return what is wrong with the chunk of a series, or None."""
    path = root / layout.chunk(block.image, block.time)
    try:
        if path.stat().st_size != block.stored:
            return f"{DAMAGED} ({path.stat().st_size} bytes of {block.stored})"
        if deep:
            load_block(path, layout, block)
    except FileNotFoundError:
        return LOST
    except OSError as error:
        return f"{DAMAGED} ({error.strerror or error})"
    except DataError as error:
        return f"{DAMAGED} ({error})"
    return None


def load_block(path: Path, layout: StreamLayout, block: BlockRecord) -> Block:
    """Read a series and compare it with its checksums.

    Raises:
        OSError: the file cannot be read.
        DataError: it is not what was written; the message says what differs.
    """
    content = _read(path, block.stored)
    if len(content) != block.stored or zlib.crc32(content) != block.crc:
        raise DataError("the checksum of the file is wrong")
    values = _decode(layout, content)
    frames = values.reshape(-1, *layout.frame)
    wrong = [i for i, (r, f) in enumerate(zip(block.frames, frames, strict=True)) if _differs(r.crc, f)]
    if wrong:
        raise DataError(f"the checksum of frame(s) {_list(wrong)} of the series is wrong")
    return values


def load_unrecorded(path: Path, layout: StreamLayout) -> Block:
    """Read a series of which the journal knows nothing, so that nothing can be compared.

    Raises:
        OSError: the file cannot be read.
        DataError: it holds no series of this layout.
    """
    return _decode(layout, _read(path, largest_chunk(layout)))


def _read(path: Path, size: int) -> bytes:
    """Read a chunk, and not more of a wrong file than shows that it is larger."""
    with path.open("rb") as file:
        return file.read(size + 1)


def _decode(layout: StreamLayout, content: bytes) -> Block:
    try:
        return decode_block(layout, content)
    except (ValueError, RuntimeError) as error:
        raise DataError(f"cannot be decoded: {error}") from error


def describe(layout: StreamLayout, key: BlockKey) -> str:
    """Name a series in a message."""
    image, time = key
    where = f" of image {layout.folder(image)}" if len(layout.images) > 1 else ""
    return f"time {time}{where}"


def _differs(crc: int | None, frame: Block) -> bool:
    return crc is not None and frame_crc(frame) != crc


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
