"""A bounded queue with two threads that empty it. Errors wait for the caller; none is swallowed."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdl_live.errors import OutputError, RdlError
from rdl_live.files.recorder.block import OpenBlock, Saved
from rdl_live.files.recorder.layout import StreamLayout

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """How much the recorder may take."""

    queue_bytes: int = 256 * MIB
    """Series that the disk does not have yet [bytes]; warned at half of it. One series more may be held."""
    patience_s: float = 0.3
    """How long `append` waits for a full queue before it gives up [s]; the camera's own buffer must bridge it."""
    reserve_bytes: int = 512 * MIB
    """Disk space that is kept free; the queue is still written when it is reached, and the run stopped."""
    open_series: int = 16
    """Series that may be incomplete at a time; beyond it the oldest is written with its holes."""
    verify_bytes: int = 2048 * MIB
    """How much is read back at the end; of longer recordings an even sample, and the size of every chunk."""

    def memory_bytes(self, layout: StreamLayout) -> int:
        """Return the bound on the memory that frames take [bytes], however slow the disk is.

        The queue, one series beyond it, one that is being compressed, and those that are incomplete.
        """
        open_series = min(self.open_series, len(layout.images))
        return max(self.queue_bytes, layout.block_bytes) + (open_series + 2) * layout.block_bytes


class Drain:
    """Hands blocks to two threads: one gives them to the system, one waits for the disk.

    A disk that pauses so keeps no block in the memory of this process, where a crash would take it. What the disk
    does not have counts as queued all the same. `put`, `check` and `close` belong to one other thread.
    """

    def __init__(
        self,
        save: Callable[[OpenBlock], Saved],
        settle: Callable[[Sequence[Saved]], None],
        limits: Limits,
        warn: Callable[[str], None],
        name: str,
    ) -> None:
        """Start the threads."""
        self._save, self._settle, self._limits, self._warn, self._name = save, settle, limits, warn, name
        self._waiting: deque[OpenBlock] = deque()
        self._saved: list[tuple[Saved, int]] = []
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = self._all_saved = self._warned = False
        self._error: Exception | None = None
        # Daemons, so that a program that forgets to close can end; the recorder closes itself at exit.
        self._threads = [
            threading.Thread(target=target, name=f"rdl-recorder-{what}", daemon=True)
            for what, target in (("save", self._save_all), ("sync", self._settle_all))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued_bytes(self) -> int:
        """Bytes of frames that the disk does not have yet."""
        return self._bytes

    @property
    def error(self) -> Exception | None:
        """The first error, if there was one."""
        return self._error

    def fail(self, error: Exception) -> None:
        """Let every further `check` raise, and go on writing what is queued."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the first error, if there was one.

        Raises:
            OutputError: the disk refused, is full, or is too slow.
            RuntimeError: a defect in the writer thread.
        """
        if self._error is None:
            return
        if isinstance(self._error, RdlError):
            raise type(self._error)(str(self._error)) from self._error
        if isinstance(self._error, OSError):
            raise OutputError(
                f"{self._name}: writing failed ({self._error.strerror or self._error}); "
                "the recording has ended, what was written before is kept"
            ) from self._error
        raise RuntimeError(f"{self._name}: writing failed: {self._error}") from self._error

    def put(self, block: OpenBlock, patience_s: float | None) -> None:
        """Queue a block. It is taken in any case; if the queue stays full, the next `check` raises.

        Args:
            block: what to write.
            patience_s: how long to wait for room [s]; None: as long as it takes.
        """
        size, limit = block.values.nbytes, self._limits.queue_bytes
        with self._changed:
            room = self._changed.wait_for(
                lambda: self._bytes + size <= limit or not self._bytes or self._error is not None,
                patience_s,
            )
            self._waiting.append(block)
            self._bytes += size
            self._changed.notify_all()
            behind = self._bytes
        if not room:
            self.fail(
                OutputError(
                    f"{self._name}: the disk is too slow: {behind / 1e6:.0f} MB wait for it, as much as may; the "
                    "recording has ended, and what waits is still written. Write to a faster disk, or take "
                    "fewer frames per second or fewer pixels"
                )
            )
        self._tell(behind)

    def close(self) -> None:
        """Wait until everything is written, and end the threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _tell(self, behind: int) -> None:
        """Warn once each time that the disk falls behind."""
        limit = self._limits.queue_bytes
        if behind > limit / 2 and not self._warned:
            self._warned = True
            self._warn(
                f"{self._name}: the disk falls behind: {behind / 1e6:.0f} MB wait for it, at "
                f"{limit / 1e6:.0f} MB the recording ends"
            )
        elif behind < limit / 4:
            self._warned = False

    def _save_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    self._all_saved = True
                    self._changed.notify_all()
                    return
                block = self._waiting.popleft()
            size = block.values.nbytes
            try:
                saved = self._save(block)
            except Exception as error:  # whatever it is, the caller is informed, and the rest is still tried
                self.fail(error)
                self._forget(size)
                continue
            finally:
                del block  # its memory is free while the next one is waited for
            with self._changed:
                self._saved.append((saved, size))
                self._changed.notify_all()

    def _settle_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._saved or self._all_saved)
                batch, self._saved = self._saved, []
            if not batch:
                return
            try:
                self._settle([saved for saved, _ in batch])
            except Exception as error:
                self.fail(error)
            self._forget(sum(size for _, size in batch))

    def _forget(self, size: int) -> None:
        with self._changed:
            self._bytes -= size
            self._changed.notify_all()
