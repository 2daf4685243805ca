"""What a container of raw frames is to the rest of the program."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rdl_live.files.frame_source import RawFile


@dataclass(frozen=True)
class Container:
    """A file format, or a kind of folder."""

    name: str
    """For messages."""
    matches: Callable[[Path, bytes], bool]
    """Whether a path is one of these, by its first 1024 bytes; those of a folder are empty."""
    open: Callable[[Path], RawFile]
    """Opens it; raises DataError for what is damaged or foreign."""
