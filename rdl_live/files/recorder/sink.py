"""Where chunks go: a folder, written so that a chunk is there whole or not at all."""

import os
import shutil
from pathlib import Path
from typing import Protocol

PART = ".part"


class ChunkSink(Protocol):
    """Takes the chunks of a recording. One thread stages and discards, another one syncs and commits.

    Every method may raise OSError.
    """

    def stage(self, chunk: str, content: memoryview) -> None:
        """Write a chunk beside its place; the system has it then, and the disk may not."""

    def sync(self, chunk: str) -> None:
        """Return when the disk has a staged chunk."""

    def commit(self, chunk: str) -> None:
        """Put a staged chunk in its place."""

    def discard(self, chunk: str) -> None:
        """Delete a staged chunk."""

    def free_bytes(self) -> int:
        """Return the space left."""


class FolderSink:
    """The folder of a recording."""

    def __init__(self, root: Path) -> None:
        """Write below `root`."""
        self._root = root

    def stage(self, chunk: str, content: memoryview) -> None:
        """Write "<chunk>.part"; nothing stays if that fails."""
        path = staged(self._root, chunk)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("wb", buffering=0) as file:
                view = content.cast("B")
                while view:
                    view = view[file.write(view) :]
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def sync(self, chunk: str) -> None:
        """Wait until the disk has "<chunk>.part"."""
        with staged(self._root, chunk).open("r+b", buffering=0) as file:
            os.fsync(file.fileno())

    def commit(self, chunk: str) -> None:
        """Rename "<chunk>.part" to "<chunk>"."""
        os.replace(staged(self._root, chunk), self._root / chunk)

    def discard(self, chunk: str) -> None:
        """Delete "<chunk>.part"."""
        staged(self._root, chunk).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return what this user may still write."""
        return shutil.disk_usage(self._root).free


def staged(root: Path, chunk: str) -> Path:
    """Return the file of a chunk that is not in its place yet."""
    return root / (chunk + PART)
