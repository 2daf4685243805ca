"""What the recorders of raw series and of super-resolved images have in common."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rdl_live._version import __version__
from rdl_live.errors import DataError, OutputError
from rdl_live.files.recorder.block import BlockWriter, OpenBlock, Saved
from rdl_live.files.recorder.codec import Block
from rdl_live.files.recorder.drain import Drain, Limits
from rdl_live.files.recorder.finish import count, end_entry, put_in_order
from rdl_live.files.recorder.journal import FORMAT, JOURNAL, Journal, JournalContent, read_journal
from rdl_live.files.recorder.layout import StreamLayout
from rdl_live.files.recorder.lock import try_lock
from rdl_live.files.recorder.open_blocks import OpenBlocks
from rdl_live.files.recorder.place import check_recording_output, new_folder, refused
from rdl_live.files.recorder.readback import ReadBack, read_back
from rdl_live.files.recorder.sink import ChunkSink, FolderSink
from rdl_live.files.recorder.space import SpaceWatch, check_space
from rdl_live.files.recorder.tags import FrameTag, plain_metadata
from rdl_live.files.recorder.zarr_tree import write_tree

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecorderStatus:
    """Where a recording stands, for a status line."""

    frames_taken: int
    """Frames given to the recorder."""
    frames_written: int
    """Frames that the disk has."""
    queued_bytes: int
    written_bytes: int
    """Bytes in chunk files, compressed."""
    free_bytes: int
    """Space left on the disk."""


@dataclass(frozen=True)
class RecordingSummary:
    """How a recording ended. All counts but `lost_frames` are of what was read back from the disk."""

    path: Path
    raw_frames: int
    """Frames on the disk."""
    series: int
    """Series that are complete (of a super-resolved stream: images)."""
    incomplete: int
    """Time points of any image that lack a frame, or all of them."""
    missing: int
    """Frames that are not there, marked as such."""
    lost_frames: int
    """Frames that were given to the recorder and could not be written; more than 0 only with an error."""
    bytes: int
    """Size of the chunk files."""
    raw_bytes: int
    """Size of the frames in memory."""
    seconds: float
    """From the first frame until the last was on the disk."""
    verified: int
    """Frames whose checksum was computed from the disk."""


class StreamRecorder:
    """Takes frames by index, and writes each series as one chunk, in threads of its own.

    `append`, `mark_missing` and `close` may be called from any thread, one at a time (a lock sees to it).
    """

    def __init__(
        self,
        path: str | Path,
        layout: StreamLayout,
        overwrite: bool = False,
        *,
        limits: Limits | None = None,
        on_warning: Callable[[str], None] | None = None,
        sink: ChunkSink | None = None,
    ) -> None:
        """Check place and space, and start an empty recording, valid from the first moment.

        Args:
            path: folder to be made, such as cells.ome.zarr.
            layout: what will be recorded.
            overwrite: replace an existing Zarr folder.
            limits: memory, patience and disk space.
            on_warning: called each time that the disk falls behind; goes to the log by default.
            sink: where the chunks go; by default into the folder.

        Raises:
            OutputError: the place cannot be written, or the recording will not fit on the disk.
        """
        self.path, self.layout = check_recording_output(path, layout, overwrite), layout
        self._limits = limits or Limits()
        check_space(self.path, layout, self._limits.reserve_bytes)
        self._sink = sink or FolderSink(self.path)
        try:
            self._journal = _start(self.path, layout, overwrite)
        except OSError as error:
            raise refused(self.path, error) from error
        self._writer = BlockWriter(self.path, layout, self._journal, self._sink)
        self._on_warning = on_warning or _LOG.warning
        self._drain = Drain(self._save, self._settle, self._limits, self._warn, str(self.path))
        self._open = OpenBlocks(layout, self._limits.open_series)
        self._lock = threading.RLock()
        self._taken, self._first, self._last = 0, 0.0, 0.0
        self._closed = False
        self._space = SpaceWatch(self.path, layout, self._limits.reserve_bytes)
        self.remarks: dict[str, Any] = {}
        """What becomes known only during the recording (warnings, results): may be added to until it is closed."""
        self.summary: RecordingSummary | None = None
        """How it ended, once it has; set even if `close` raised, as far as the disk could be read."""
        atexit.register(self._close_at_exit)

    @property
    def status(self) -> RecorderStatus:
        """Where the recording stands; may be asked from any thread."""
        done = self._writer.written
        free = self._sink.free_bytes()
        return RecorderStatus(self._taken, done.frames, self._drain.queued_bytes, done.stored_bytes, free)

    def check(self) -> None:
        """Raise what went wrong in writing, if anything did; for callers between frames.

        Raises:
            OutputError: the disk refused, is full, or is too slow.
        """
        self._drain.check()

    def close(self, verify: bool = True) -> RecordingSummary:
        """Wait until everything is on the disk, finish the metadata, and read the recording back.

        A second call returns the same summary.

        Args:
            verify: also compare checksums, of as much as `Limits.verify_bytes`.

        Raises:
            OutputError: anything was not written, or reads back otherwise; `summary` has the counts.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                atexit.unregister(self._close_at_exit)
                self._finish(verify)
            self._drain.check()
            if self.summary is None:
                raise OutputError(f"{self.path}: was not closed; run: rdl-live recover {self.path}")
            return self.summary

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; if the block raised, that error goes first and one of closing is noted on it."""
        try:
            self.close()
        except OutputError as failure:
            if error is None:
                raise
            if str(failure) != str(error):
                error.add_note(f"and in closing the recording: {failure}")

    def _put(self, tag: FrameTag, frame: Block | None) -> None:
        with self._lock:
            if self._closed:
                raise OutputError(f"{self.path}: is closed; frame at {tag} came after the end")
            self._drain.check()
            ready = self._open.put(tag, frame, self._taken)
            self._first = self._first or time.perf_counter()
            self._taken += frame is not None
            for block in ready:
                self._drain.put(block, self._limits.patience_s)
            self._drain.check()

    def _amend(self, tag: FrameTag) -> bool:
        with self._lock:
            self._drain.check()
            return self._open.amend(tag)

    def _warn(self, text: str) -> None:
        """Tell, and let no listener's defect cost a frame."""
        try:
            self._on_warning(text)
        except Exception:
            _LOG.exception("the listener to the recorder's warnings failed; the warning was: %s", text)

    def _save(self, block: OpenBlock) -> Saved:
        """Save one block, and stop the run before the disk is full."""
        full, warning = self._space.look(self._sink.free_bytes(), self._writer.written)
        if full is not None:
            self._drain.fail(full)
        if warning is not None:
            self._warn(warning)
        return self._writer.save(block)

    def _settle(self, batch: Sequence[Saved]) -> None:
        try:
            self._writer.settle(batch)
        finally:
            self._last = time.perf_counter()

    def _finish(self, verify: bool) -> None:
        for block in self._open.take_all():
            self._drain.put(block, None)
        self._drain.close()
        self._append_remarks()
        try:
            content = read_journal(self.path)
            back = read_back(self.path, content, self._limits.verify_bytes if verify else 0)
            content.unusable = back.problems
            self.summary = self._summarize(content, back)
            self._compare(back)
            # Last, for on a full disk it may fail: what was recorded is counted by then, and recovery can do it.
            put_in_order(self.path, content)
            self._journal.append(end_entry(content.unusable))
        except (OSError, DataError) as error:
            self._drain.fail(error)
        finally:
            self._journal.close()

    def _summarize(self, content: JournalContent, back: ReadBack) -> RecordingSummary:
        counts, written = count(content), self._writer.written
        return RecordingSummary(
            path=self.path,
            raw_frames=back.frames,
            series=counts.complete,
            incomplete=counts.incomplete,
            missing=counts.missing,
            lost_frames=self._taken - written.frames,
            bytes=written.stored_bytes,
            raw_bytes=back.frames * (self.layout.block_bytes // self.layout.slots),
            seconds=max(self._last - self._first, 0.0),
            verified=back.verified,
        )

    def _append_remarks(self) -> None:
        try:
            if self.remarks:
                self._journal.append({"remarks": plain_metadata(self.remarks)})
        except (OSError, TypeError, ValueError) as error:
            self._drain.fail(error)

    def _compare(self, back: ReadBack) -> None:
        """Let `close` raise if the disk does not hold what it took."""
        if back.problems or back.frames != self._writer.written.frames:
            self._drain.fail(
                OutputError(
                    f"{self.path}: {self._writer.written.frames} frames were written, {back.frames} read back "
                    f"({len(back.problems)} series are damaged or lost); check this disk, and do not trust it"
                )
            )

    def _close_at_exit(self) -> None:
        """Save what a program left open when it ends."""
        try:
            self.close(verify=False)
        except OutputError as error:
            _LOG.error("%s", error)


def _start(path: Path, layout: StreamLayout, overwrite: bool) -> Journal:
    """Make the folder with an empty recording.

    Raises:
        OSError: the disk refuses.
    """
    created = datetime.now(UTC).isoformat(timespec="milliseconds")
    with new_folder(path, overwrite):
        journal = Journal(path / JOURNAL, new=True)
        try:
            if not try_lock(journal.descriptor):
                raise OutputError(f"{path}: another program took it as it was made; try again")
            journal.append(
                {
                    "rdl_live": FORMAT,
                    "program": f"rdl-live {__version__}",
                    "kind": layout.kind,
                    "created": created,
                    "process": os.getpid(),
                    "layout": layout.model_dump(mode="json"),
                }
            )
            write_tree(path, layout, created)
        except BaseException:
            journal.close()
            raise
    return journal
