"""The border to other people's parsers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdl_live.errors import DataError, RdlError


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a parser raises on a damaged file of that `kind` into one `DataError`.

    Parsers raise anything on damaged bytes (struct.error, KeyError, zlib.error, MemoryError for a length that
    is nonsense, ...), and no list of types stays complete. So every Exception is taken, at this border only,
    and none is swallowed: it is chained to the DataError.
    """
    try:
        yield
    except RdlError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:
        raise DataError(
            f"{path}: this {kind} file is damaged, or of a variety that is not understood "
            f"({type(error).__name__}: {str(error)[:200]}); copy it again, or export it as plain OME-TIFF"
        ) from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before the DataErrors of code that knows no files."""
    try:
        yield
    except DataError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise DataError(f"{path}: {error}") from error
