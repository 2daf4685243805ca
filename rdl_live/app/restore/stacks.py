"""Stacks and time-lapses of them: restored from file to file, one time point in memory at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdl_live._version import __version__
from rdl_live.app.retrain.volumes import checked_stack
from rdl_live.errors import ConfigError
from rdl_live.files import RawRequest, VolumeWriter, load_camera_maps, load_microscope, open_volumes
from rdl_live.optics import to_photons
from rdl_live.restore.ranges import check_microscope, check_photons
from rdl_live.restore.volume import denoise_stack
from rdl_models import Card, Network, Task


@dataclass(frozen=True)
class Restoration:
    """What is done with a stack of photons (z, y, x)."""

    what: str
    """For the progress bar."""
    scale: int
    """Pixels of the result for one of the stack, each way in the plane."""
    apply: Callable[[Tensor, float], Tensor]
    """(photons, pixel x OTF cut-off) -> (z, scale y, scale x) float32 photons a raw pixel area."""
    stacked: bool
    """Whether planes are restored together, so that the file or the user must say how many make a stack."""


def stack_restoration(network: Network, name: str) -> Restoration:
    """Return the denoising of z-stacks.

    Raises:
        ConfigError: the network knows one microscope only.
    """
    if not network.config.relative:
        raise ConfigError(f"--weights {name}: their cut-off is not relative to that of the OTF; train others")
    return Restoration("denoising", 1, lambda photons, pixel: denoise_stack(network, photons, pixel), stacked=True)


RESTORATIONS: Mapping[str, Callable[[Network, str], Restoration]] = {
    Task.STACKS: stack_restoration,
}
"""By the task of the weights: (network, how the user named it) -> what is done."""


def restore_stacks(
    raw: Path,
    microscope: Path,
    card: Card,
    restoration: Restoration,
    out: Path,
    *,
    reading: RawRequest | None = None,
    channel: str | None = None,
    device: torch.device | str = "cpu",
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> list[str]:
    """Restore a time-lapse of stacks or of images; return what the user should know.

    Args:
        raw: file.
        microscope: microscope file, of which optics, channels and camera count.
        card: of the weights.
        restoration: what is done with each stack.
        out: OME-TIFF to write, (T, Z, Y, X) float32 photons.
        reading: position, tiles, and planes of a stack, where the file does not say.
        channel: colour; the first where left out.
        device: where the network is.
        overwrite: replace a file that exists.
        progress: notified of what is going on, done, total.

    Raises:
        RdlError: a file cannot be used.
    """
    scope = load_microscope(microscope)
    asked = None if channel is None else scope.channel(channel)
    reading = reading or RawRequest()
    with open_volumes(
        raw,
        planes=reading.planes,
        stacked=restoration.stacked,
        colours=scope.channels,
        asked=asked,
        position=reading.position,
        tiles=reading.tiles,
    ) as recording:
        colour = recording.channel or scope.channel(channel)
        warnings = check_microscope(card, scope, colour)
        maps = load_camera_maps(scope.camera, recording.shape[-2:])
        made_by = {
            "program": f"rdl-live restore {__version__}",
            "raw": raw.name,
            "microscope": scope.name,
            "weights": card.model_dump(mode="json"),
        }
        pixel_um, scale = scope.optics.pixel_size_um, restoration.scale
        times, depth, rows, columns = recording.shape
        shape = (times, depth, scale * rows, scale * columns)
        with VolumeWriter(out, shape, pixel_um / scale, colour.name, made_by, overwrite) as writer:
            for time in range(times):
                progress(restoration.what, time, times)
                adu = torch.from_numpy(checked_stack(recording, time).astype(np.float32))
                photons = to_photons(adu, scope.camera, maps)
                if time == 0:
                    warnings += check_photons(card, float(photons.mean()))
                writer.write(restoration.apply(photons.to(device), pixel_um * scope.cutoff(colour)).cpu().numpy())
        return [*(f"{raw.name}: {note}" for note in recording.notes), *warnings]
