"""The folder of a new recording: checked before any laser is on, never overwritten silently."""

import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rdl_live.errors import OutputError
from rdl_live.files.recorder.journal import JOURNAL
from rdl_live.files.recorder.layout import StreamLayout
from rdl_live.files.recorder.lock import try_lock
from rdl_live.files.recorder.sink import staged

_LATEST = 10**9
"""A time point that no recording reaches; the longest path is that of its chunk."""


def check_recording_output(path: str | Path, layout: StreamLayout, overwrite: bool = False) -> Path:
    """Check that a recording can be made at `path`.

    Args:
        path: folder to be made; its name ends in .zarr (best in .ome.zarr).
        layout: what will be recorded.
        overwrite: whether an existing Zarr folder may be replaced. No other folder ever is.

    Returns:
        The path.

    Raises:
        OutputError: it exists, or its folder is missing or read-only, or a name is too long.
    """
    path = Path(path)
    try:
        _check(path, layout, overwrite)
    except OSError as error:
        raise refused(path, error) from error
    return path


def refused(path: Path, error: OSError) -> OutputError:
    """Return the error to raise when the operating system refuses a folder or file of a recording."""
    if error.errno == errno.ENOSPC:
        remedy = "the disk is full: free space on it, or write to another"
    else:
        remedy = "check the disk, or write elsewhere"
    return OutputError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")


@contextmanager
def new_folder(path: Path, overwrite: bool) -> Iterator[None]:
    """Make the folder for the block to fill; put back what was there if the block fails.

    Raises:
        OSError: the disk refuses, or another run made the folder since it was checked.
        OutputError: another run began to record into the folder that was to be replaced.
    """
    old = _set_aside(path) if overwrite and os.path.lexists(path) else None
    try:
        path.mkdir()  # not within the next block: a folder that another run made meanwhile is not ours to delete
    except BaseException:
        if old is not None:
            _put_back(old, path)
        raise
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        if old is not None:
            _put_back(old, path)
        raise
    if old is not None:
        shutil.rmtree(old)


def _set_aside(path: Path) -> Path:
    """Rename what will be replaced, and return its new name; nothing is touched that somebody records into.

    Its journal stays locked meanwhile, so that of two runs that would replace it one gives way. Windows refuses
    to rename a folder with an open file, which keeps a running recording safe, and our own lock out of place.
    """
    _check_existing(path, overwrite=True)  # anew: since the first check another run may have begun here
    old = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.old")
    with _idle(path) if sys.platform != "win32" else nullcontext():
        path.rename(old)
    return old


def _put_back(old: Path, path: Path) -> None:
    """Give what was set aside its name again, or say where it is."""
    try:
        if os.path.lexists(path):  # renaming would replace an empty folder that another run has just made
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        old.rename(path)
    except OSError as error:
        kept = path.with_name(f"{path.name.split('.')[0]}-kept-{old.name.split('.')[-2]}.ome.zarr")
        old.rename(kept)
        raise OutputError(f"{path}: another run took it just now; what was to be replaced is kept as {kept}") from error


def _check(path: Path, layout: StreamLayout, overwrite: bool) -> None:
    folder = path.parent
    if path.suffix != ".zarr":
        raise OutputError(f"{path}: recordings are OME-Zarr folders; give a name that ends in .ome.zarr")
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist; make it first"
        raise OutputError(f"{path}: {folder} {what}, or write elsewhere")
    if os.path.lexists(path):
        _check_existing(path, overwrite)
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path}: no permission to write in {folder}; write elsewhere")
    for image in layout.images[-1:]:
        _check_length(staged(path, layout.chunk(image, _LATEST)))


def _check_existing(path: Path, overwrite: bool) -> None:
    if path.is_symlink() or not path.is_dir() or not (path / "zarr.json").is_file():
        raise OutputError(f"{path}: exists and is no Zarr folder, so it is never replaced; give another name")
    if not overwrite:
        raise OutputError(f"{path}: exists already; replacing it needs --overwrite, or give another name")
    with _idle(path):
        pass


@contextmanager
def _idle(path: Path) -> Iterator[None]:
    """Hold the lock of a recording's journal, if it has one.

    Raises:
        OutputError: somebody records into it, or replaces it.
    """
    journal = path / JOURNAL
    if not journal.is_file():
        yield
        return
    descriptor = os.open(journal, os.O_RDWR)
    try:
        # Whoever waited for the lock of a folder that was replaced meanwhile holds the lock of the old one.
        if not try_lock(descriptor) or not os.path.samestat(os.fstat(descriptor), journal.stat()):
            raise OutputError(f"{path}: is being recorded right now; give another name")
        yield
    finally:
        os.close(descriptor)


def _check_length(deepest: Path) -> None:
    """Ask the system for the deepest file: it does not exist, but shows whether its path is too long."""
    try:
        deepest.stat()
    except FileNotFoundError:
        return
