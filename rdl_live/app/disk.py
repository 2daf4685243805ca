"""How much room there is for a recording."""

import shutil
from pathlib import Path


def disk_free(folder: Path) -> int | None:
    """Return the room on the disk of a folder that need not exist yet [bytes]; None where nobody can tell."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None
