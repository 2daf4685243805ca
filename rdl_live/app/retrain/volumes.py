"""Z-stack time-lapses: opened to learn from, and denoised from file to file, one time point in memory at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from rdl_live._version import __version__
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import VolumeRecording, VolumeWriter, load_camera_maps, load_microscope, open_volumes
from rdl_live.optics import to_photons
from rdl_live.restore.ranges import check_microscope, check_photons
from rdl_live.restore.suited import check_suited
from rdl_live.restore.volume import denoise_stack
from rdl_live.train.stacks.stacks import VolumeFilm
from rdl_models import Network, Task, Weights, load_weights

MOST_BYTES = 512 * 2**20
"""Raw voxels that are kept in memory to learn from, over all recordings."""


def open_volume_films(
    raws: Sequence[Path],
    microscope: Path,
    *,
    planes: int | None = None,
    channel: str | None = None,
    most_bytes: int = MOST_BYTES,
    tell: Callable[[str], None] = lambda _: None,
) -> list[VolumeFilm]:
    """Open z-stack time-lapses of one microscope; warnings are told.

    Args:
        raws: files.
        microscope: microscope file, of which optics, channels and camera count.
        planes: of a stack, where the files do not say.
        channel: colour; the first where left out.
        most_bytes: of raw voxels; of a longer recording the first time points are taken.
        tell: told what is to be known, in sentences.

    Raises:
        RdlError: a file cannot be used.
    """
    scope = load_microscope(microscope)
    colour = scope.channel(channel)
    index = scope.channels.index(colour) if channel is not None else None
    films = []
    for raw in raws:
        with open_volumes(raw, planes=planes, channel=index) as recording:
            one = int(np.prod(recording.shape[1:])) * recording.dtype.itemsize
            count = max(1, min(len(recording), most_bytes // len(raws) // one))
            if count < len(recording):
                tell(f"{raw.name}: the first {count} of {len(recording)} time points are used")
            for note in recording.notes:
                tell(f"{raw.name}: {note}")
            frames = np.stack([_checked(recording, time) for time in range(count)])
            maps = load_camera_maps(scope.camera, recording.shape[-2:])
        films.append(VolumeFilm(raw.name, scope, colour, frames, maps))
    return films


def denoise_volumes(
    raw: Path,
    microscope: Path,
    weights: str | Path,
    out: Path,
    *,
    planes: int | None = None,
    channel: str | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> list[str]:
    """Denoise a z-stack time-lapse; return what the user should know.

    Args:
        raw: file.
        microscope: microscope file, of which optics, channels and camera count.
        weights: of `rdl-live train sis`, or `tis --volume`.
        out: OME-TIFF to write, (T, Z, Y, X) float32 photons.
        planes: of a stack, where the file does not say.
        channel: colour; the first where left out.
        overwrite: replace a file that exists.
        progress: told what is going on, done, total.

    Raises:
        RdlError: a file cannot be used.
    """
    scope = load_microscope(microscope)
    colour = scope.channel(channel)
    loaded = load_weights(weights)
    network = volume_network(loaded, str(weights))
    warnings = check_microscope(loaded.card, scope, colour)
    index = scope.channels.index(colour) if channel is not None else None
    with open_volumes(raw, planes=planes, channel=index) as recording:
        maps = load_camera_maps(scope.camera, recording.shape[-2:])
        made_by = {
            "program": f"rdl-live denoise {__version__}",
            "raw": raw.name,
            "microscope": scope.name,
            "weights": loaded.card.model_dump(mode="json"),
        }
        pixel = scope.optics.pixel_size_um * scope.cutoff(colour)
        with VolumeWriter(out, recording.shape, scope.optics.pixel_size_um, colour.name, made_by, overwrite) as writer:
            for time in range(len(recording)):
                progress("denoising", time, len(recording))
                photons = to_photons(torch.from_numpy(_checked(recording, time).astype(np.float32)), scope.camera, maps)
                if time == 0:
                    warnings += check_photons(loaded.card, float(photons.mean()))
                writer.write(denoise_stack(network, photons, pixel).numpy())
        return [*(f"{raw.name}: {note}" for note in recording.notes), *warnings]


def volume_network(loaded: Weights, name: str) -> Network:
    """Return the network of weights for z-stacks.

    Raises:
        ConfigError: they are for something else.
    """
    check_suited(loaded.card, f"--weights {name}", {Task.STACKS}, "denoise z-stacks")
    if not loaded.network.config.relative:
        raise ConfigError(f"--weights {name}: their cut-off is not relative to that of the OTF; train others")
    return loaded.network


def _checked(recording: VolumeRecording, time: int) -> np.ndarray:
    """Return a stack (Z, Y, X) whose voxels are all numbers."""
    stack = recording[time]
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        raise DataError(
            f"{recording.path}: {int((~np.isfinite(stack)).sum())} voxels of time point {time} are NaN or infinite; "
            "replace them, or export the raw camera frames"
        )
    return stack
