"""Z-stack time-lapses, opened to learn from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rdl_live.errors import DataError
from rdl_live.files import VolumeRecording, load_camera_maps, load_microscope, open_volumes
from rdl_live.train.stacks.stacks import VolumeFilm

MOST_BYTES = 512 * 2**20
"""Raw voxels that are kept in memory to learn from, over all recordings."""


def open_volume_films(
    raws: Sequence[Path],
    microscope: Path,
    *,
    planes: int | None = None,
    channel: str | None = None,
    most_bytes: int = MOST_BYTES,
    notify: Callable[[str], None] = lambda _: None,
) -> list[VolumeFilm]:
    """Open z-stack time-lapses of one microscope; warnings are passed on.

    Args:
        raws: files.
        microscope: microscope file, of which optics, channels and camera count.
        planes: of a stack, where the files do not say.
        channel: colour; the first where left out.
        most_bytes: of raw voxels; of a longer recording the first time points are taken.
        notify: called with what is to be known, in sentences.

    Raises:
        RdlError: a file cannot be used.
    """
    scope = load_microscope(microscope)
    asked = None if channel is None else scope.channel(channel)
    films = []
    for raw in raws:
        with open_volumes(raw, planes=planes, colours=scope.channels, asked=asked) as recording:
            one = int(np.prod(recording.shape[1:])) * recording.dtype.itemsize
            count = max(1, min(len(recording), most_bytes // len(raws) // one))
            if count < len(recording):
                notify(f"{raw.name}: the first {count} of {len(recording)} time points are used")
            for note in recording.notes:
                notify(f"{raw.name}: {note}")
            frames = np.stack([checked_stack(recording, time) for time in range(count)])
            maps = load_camera_maps(scope.camera, recording.shape[-2:])
            colour = recording.channel or scope.channel(channel)
        films.append(VolumeFilm(raw.name, scope, colour, frames, maps))
    return films


def checked_stack(recording: VolumeRecording, time: int) -> np.ndarray:
    """Return a stack (Z, Y, X) whose voxels are all numbers."""
    stack = recording[time]
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        raise DataError(
            f"{recording.path}: {int((~np.isfinite(stack)).sum())} voxels of time point {time} are NaN or infinite; "
            "replace them, or export the raw camera frames"
        )
    return stack
