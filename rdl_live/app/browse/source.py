"""Opens what is to be browsed. Loads no torch: a recording is on the screen before there is anything to compute."""

from pathlib import Path

from rdl_live._names import RAW_RECORDING
from rdl_live.app.browse.raw_file import FileSource
from rdl_live.app.browse.recorded import RecordedSource
from rdl_live.errors import DataError
from rdl_live.files.raw import RawRequest
from rdl_live.files.recorder.journal import JOURNAL
from rdl_live.optics.microscope import Microscope
from rdl_live.view.browse.source import Source


def open_source(path: str | Path, microscope: Microscope | None = None, reading: RawRequest | None = None) -> Source:
    """Open a recording of ours (or the folder of a run), or any raw file together with its microscope.

    Args:
        path: file or folder.
        microscope: overrides what a recording says of its microscope; needed for files of other programs.
        reading: how the frames of such a file follow one another, where the user says so.

    Raises:
        DataError: nothing of the kind, damaged, or a raw file without a microscope.
    """
    path = Path(path)
    if path.is_dir() and not (path / JOURNAL).is_file() and (path / RAW_RECORDING).is_dir():
        path = path / RAW_RECORDING
    if (path / JOURNAL).is_file():
        return RecordedSource(path, microscope)
    if microscope is None:
        if not path.exists():
            raise DataError(f"{path}: no such file")
        raise DataError(
            f"{path}: is no recording of rdl-live, so its microscope file is required: add --microscope M.yaml"
        )
    return FileSource(path, microscope, reading or RawRequest())
