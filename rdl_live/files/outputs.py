"""Outputs that are whole or not there: checked before the work, written beside, renamed at the end."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rdl_live.errors import OutputError


def check_output(path: str | Path, overwrite: bool = False, *, inputs: Sequence[str | Path] = ()) -> Path:
    """Check that `path` can be written, before any work is done for it.

    Args:
        path: file to be written.
        overwrite: whether an existing file may be replaced.
        inputs: files that are being read, and so are never replaced, whatever `overwrite` says.

    Returns:
        The path.

    Raises:
        OutputError: it exists, is an input or a folder, or its folder is missing or read-only.
    """
    path = Path(path)
    try:
        _check_place(path, overwrite, inputs)
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); write elsewhere") from error
    return path


def _check_place(path: Path, overwrite: bool, inputs: Sequence[str | Path]) -> None:
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file in it")
    if not folder.exists():
        raise OutputError(f"{path}: there is no folder {folder}; make it first, or write elsewhere")
    if not folder.is_dir():
        raise OutputError(f"{path}: {folder} is a file, not a folder; write elsewhere")
    if path.exists():
        _check_existing(path, overwrite, inputs)
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path}: no permission to write in {folder}; write elsewhere")


def _check_existing(path: Path, overwrite: bool, inputs: Sequence[str | Path]) -> None:
    if not path.is_file():
        raise OutputError(f"{path}: is not a regular file; give the name of a file")
    if any(Path(source).exists() and path.samefile(source) for source in inputs):
        raise OutputError(f"{path}: is an input of this very command and is never overwritten; write elsewhere")
    if not overwrite:
        raise OutputError(f"{path}: exists already; replacing it needs --overwrite, or give another name")


class PendingFile:
    """A file in the making: written under another name in the same folder, put in place when it is whole."""

    def __init__(self, path: str | Path, overwrite: bool = False) -> None:
        """Check the output and make an empty file beside it.

        Raises:
            OutputError: as `check_output`, or the file cannot be made.
        """
        self.path, self._overwrite = check_output(path, overwrite), overwrite
        # The suffix stays: libraries choose the format by it. Made by open(), so that the umask holds.
        self.temporary = self.path.with_name(f".{self.path.stem}.{secrets.token_hex(4)}.part{self.path.suffix}")
        try:
            self.temporary.open("xb").close()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}); write elsewhere") from error

    def commit(self) -> None:
        """Put the file in place.

        Raises:
            OutputError: another program made a file of that name meanwhile, or the renaming fails.
        """
        if self.path.exists() and not self._overwrite:
            self.discard()
            raise OutputError(f"{self.path}: was made by another program meanwhile; give another name")
        try:
            self.temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise OutputError(
                f"{self.path}: cannot be put in place ({error.strerror}); is it open elsewhere?"
            ) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        self.temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to; put it in place when the block ends well, delete it otherwise.

    Raises:
        OutputError: as `check_output`, or an operating-system error in the block (disk full, ...).
    """
    pending = PendingFile(path, overwrite)
    try:
        yield pending.temporary
    except OSError as error:
        pending.discard()
        raise writing_failed(pending.path, error) from error
    except BaseException:
        pending.discard()
        raise
    pending.commit()


def writing_failed(path: Path, error: OSError) -> OutputError:
    """Return the error to raise when the operating system refuses a write."""
    return OutputError(
        f"{path}: writing failed ({error.strerror or error}) and nothing was left behind; "
        "free space on the disk, or write elsewhere"
    )
