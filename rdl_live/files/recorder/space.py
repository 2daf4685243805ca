"""Does it fit on the disk?"""

import shutil
from pathlib import Path

from rdl_live.errors import OutputError
from rdl_live.files.recorder.block import Written
from rdl_live.files.recorder.layout import StreamLayout

FRAME_RECORD = 200
"""Bytes of the journal a frame, generously."""
FOLDERS = 20_000
"""Bytes that the folders of one chunk take on usual file systems (4 or 5 of 4096)."""


def required_bytes(layout: StreamLayout) -> int:
    """Return the disk space [bytes] that a recording takes at most: uncompressed.

    Without a number of time points, that of a single one.
    """
    one = layout.block_bytes + layout.slots * FRAME_RECORD + FOLDERS
    return one * len(layout.images) * (layout.time_points or 1)


def check_space(path: Path, layout: StreamLayout, reserve_bytes: int) -> None:
    """Check that a recording at `path` will fit, and leave a reserve.

    Raises:
        OutputError: it will not.
    """
    needed, free = required_bytes(layout), shutil.disk_usage(path.parent).free
    if needed + reserve_bytes > free:
        points = "" if layout.time_points is None else f" of {layout.time_points} time points"
        raise OutputError(
            f"{path}: the recording{points} takes up to {needed / 1e9:.2f} GB, and {reserve_bytes / 1e9:.2f} GB "
            f"are kept free, but the disk has {free / 1e9:.2f} GB left; make room, record fewer time points or "
            "fewer pixels, or write to another disk"
        )


class SpaceWatch:
    """Watches the disk during a recording: others write to it too, and an endless recording has no size."""

    def __init__(self, path: Path, layout: StreamLayout, reserve_bytes: int) -> None:
        """Watch for a recording at `path` that leaves a reserve."""
        self._path, self._reserve = path, reserve_bytes
        self._planned = (layout.time_points or 0) * len(layout.images)
        self._warned = False

    def look(self, free_bytes: int, written: Written) -> tuple[OutputError | None, str | None]:
        """Return an error if the reserve is touched, and once a warning if the rest of the plan will not fit."""
        if free_bytes < self._reserve:
            full = OutputError(
                f"{self._path}: only {free_bytes / 1e6:.0f} MB are left on the disk; the recording has ended, and "
                "every frame taken so far is written. Make room, or record to another disk"
            )
            return full, None
        rest = max(self._planned - written.series, 0)
        needed = rest * (written.stored_bytes / written.series + FOLDERS) if written.series else 0
        if self._warned or needed <= free_bytes - self._reserve:
            return None, None
        self._warned = True
        return None, (
            f"{self._path}: the disk has {free_bytes / 1e9:.2f} GB left, and the rest of the recording takes about "
            f"{needed / 1e9:.2f} GB; make room, or it ends before its plan does"
        )
