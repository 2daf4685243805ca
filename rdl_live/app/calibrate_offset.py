"""A camera's offsets from ordinary recordings: what `rdl-live calibrate offset` does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
import torch

from rdl_live._version import __version__
from rdl_live.app.reconstruct.offsets import LEAST_KNOWN, mean_images
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.errors import DataError
from rdl_live.files import RawRequest, atomic_write, check_output
from rdl_live.optics.fixed_pattern import FixedPattern, MeanImage, fixed_pattern

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class OffsetCalibration:
    """What was found."""

    offset_adu: npt.NDArray[np.float32]
    """(y, x)."""
    rms_e: float
    """Of the pattern [electrons]; 0 where there is none to be seen."""
    known: float
    """Share of its variance that the map holds."""
    warnings: tuple[str, ...]


def calibrate_offset(
    raws: Sequence[Path],
    microscope: Path,
    out: Path,
    *,
    reading: RawRequest | None = None,
    channel: str | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> OffsetCalibration:
    """Measure the offset of every camera pixel from recordings of any specimens and write it as a map.

    Args:
        raws: recordings of one camera region; dim ones, and several fields or brightnesses, say most.
        microscope: microscope file.
        out: TIFF to write, float32 [ADU].
        reading: position, order, planes and tiles, as the user says them.
        channel: colour; the first where left out.
        overwrite: replace a file that exists.
        progress: called with (what, done, total).

    Raises:
        RdlError: a file cannot be read or does not fit the others.
    """
    check_output(out, overwrite, inputs=[*raws, microscope])
    options = Options(channel=channel, reading=reading or RawRequest())
    images: list[MeanImage] = []
    base: npt.NDArray[np.float32] | None = None
    gain: npt.NDArray[np.float32] | float = 1.0
    for number, raw in enumerate(raws):
        progress(f"reading {raw.name}", number, len(raws))
        with OfflineRun(raw, microscope, torch.device("cpu"), options) as run:
            shape = (int(run.recording.shape[-2]), int(run.recording.shape[-1]))
            if base is not None and base.shape != shape:
                raise DataError(
                    f"{raw}: frames of {shape[0]} x {shape[1]} pixels, {raws[0].name} has {base.shape[0]} x "
                    f"{base.shape[1]}; use recordings of one camera region"
                )
            images += mean_images(run.series, len(run.recording), run.scope, run.channel, run.maps)
            camera, maps = run.scope.camera, run.maps
            base = np.full(shape, camera.offset_adu, np.float32) if maps is None else maps.offset_adu.numpy()
            gain = camera.gain_e_per_adu if maps is None else maps.gain_e_per_adu.numpy()
    if base is None:
        raise DataError("no recording was given; name one or more")
    progress("separating camera and specimens", len(raws), len(raws))
    found = fixed_pattern(images)
    offset = (base + found.offset.numpy() / gain).astype(np.float32)
    with atomic_write(out, overwrite) as temporary:
        tifffile.imwrite(temporary, offset, software=f"rdl-live {__version__}", photometric="minisblack")
    return OffsetCalibration(offset, found.rms, found.known, tuple(_warnings(found)))


def _warnings(found: FixedPattern) -> list[str]:
    if found.rms == 0:
        return [
            "no fixed pattern stands out of the noise: the map is the offset as it was; use dimmer recordings, or more "
            "series, if you expect one"
        ]
    if found.known < LEAST_KNOWN:
        return [
            f"only {found.known:.0%} of the pattern is known, specimens hide the rest: add recordings of other fields "
            "or brightnesses of the same camera region, best of all dim or empty ones"
        ]
    return []
