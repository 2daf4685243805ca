"""Other files that a recording consists of: those in its own folder, by plain names, and no others."""

from pathlib import Path, PureWindowsPath

from rdl_live.errors import DataError


def sibling(path: Path, name: str) -> Path:
    """Return the file `name` beside `path`.

    A recording may come from elsewhere: what it names must lie beside it, as a regular file of that folder itself.

    Raises:
        DataError: a name that leads elsewhere, or no such file; says what to do.
    """
    plain = PureWindowsPath(name)  # which knows both kinds of slashes, and drives
    if not name or plain.name != name or name in (".", "..") or "\0" in name or ":" in name:
        raise DataError(
            f"is one of several files, and names {name!r:.200} as another, which lies elsewhere: that is not opened on "
            "a file's word; put all files of the recording into one folder, under their own names"
        )
    beside = path.parent / name
    try:
        is_here = beside.resolve().parent == path.parent.resolve() and beside.is_file()
        leads_away = beside.is_symlink() and not is_here
    except OSError as error:
        raise DataError(f"is one of several files; {name!r:.200} cannot be read ({error.strerror})") from error
    if leads_away:
        raise DataError(f"is one of several files; {name!r:.200} is a link to elsewhere, which is not followed")
    if not is_here:
        raise DataError(
            f"is one of several files of a recording; {name!r:.200} is not beside it: put all of them into one folder, "
            "under their own names"
        )
    return beside
