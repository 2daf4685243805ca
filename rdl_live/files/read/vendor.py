"""What readers of vendors' files have in common: optional libraries, and axes that these name by letters."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdl_live.errors import DataError
from rdl_live.files.stack import Axis

LETTERS = {
    "T": Axis.TIME,
    "Z": Axis.Z,
    "C": Axis.CHANNEL,
    "P": Axis.POSITION,
    "S": Axis.POSITION,
    "R": Axis.ANGLE,
    "A": Axis.ANGLE,
    "H": Axis.PHASE,
}
"""Of CZI: R rotation, H phase, S scene; of ND2: P position."""


def library(name: str, path: Path, what: str) -> Any:
    """Return the module that reads a kind of file.

    Raises:
        DataError: it is not installed; says how to get it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split(".")[0]:
            raise
        raise DataError(
            f"{path}: {what}; reading it needs an extra package: pip install 'rdl-live[vendor]'; or export it as "
            "OME-TIFF"
        ) from error


def axes_of(letters: Sequence[str]) -> tuple[Axis, ...]:
    """Return what the letters of leading axes stand for; unknown ones are further frames."""
    return tuple(LETTERS.get(letter.upper()[:1], Axis.FRAME) for letter in letters)
