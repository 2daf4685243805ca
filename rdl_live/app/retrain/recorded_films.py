"""Our own recordings to learn from: each place and plane of the wanted colour is a film, of its unbroken series."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.app.reconstruct.known_patterns import KnownPatterns
from rdl_live.app.reconstruct.report import calibration_warnings
from rdl_live.errors import DataError
from rdl_live.files import check_frames, load_camera_maps
from rdl_live.files._guard import naming
from rdl_live.files.colours import choose_colour
from rdl_live.files.raw import find_position
from rdl_live.files.recorder import ImageAddress, Recording, open_recording
from rdl_live.files.recorder.journal import read_journal
from rdl_live.files.recorder.series import labels_of
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.train.recordings.film import Film

ESTIMATE_SERIES = 8
"""Time points, evenly spread, from which the patterns are estimated."""
LEAST = 2
"""Time points in a row without which nothing can be learnt from a place."""
_PIXEL_TOLERANCE = 0.02


def recorded_films(
    path: Path,
    scope: Microscope,
    channel: Channel | None,
    device: torch.device,
    most_bytes: int,
    known: KnownPatterns | None = None,
    position: str | None = None,
) -> Iterator[tuple[Film, list[str], bool]]:
    """Go through the films of a recording: film, warnings, whether every pattern is trusted.

    Args:
        path: folder of the recording.
        scope: microscope.
        channel: colour; the first that was recorded where None.
        device: where to estimate.
        most_bytes: of raw frames of all films together.
        known: patterns found elsewhere, which are fitted to each film, and their OTF; None: both are estimated.
        position: stage position by its number; all where None.

    Raises:
        DataError: damaged, of another microscope, without light, or without two time points in a row.
        DataError: also where the colour was not recorded.
    """
    layout = read_journal(path).layout
    if layout.kind != "raw":
        raise DataError(f"{path}: holds super-resolved images; give the raw recording beside it")
    if abs(layout.pixel_size_um / scope.optics.pixel_size_um - 1) > _PIXEL_TOLERANCE:
        raise DataError(
            f"{path}: was recorded with pixels of {layout.pixel_size_um:.4g} um, the microscope file says "
            f"{scope.optics.pixel_size_um:.4g} um; correct optics.pixel_size_um (binning counts)"
        )
    with naming(path):
        colour = choose_colour(labels_of(layout), scope.channels, channel)
        assert colour.channel is not None  # it gives one of those that it was given
        place = None if position is None else find_position(layout.places, layout.positions, position)[0]
    images = [
        image for image in layout.images if image.channel == (colour.index or 0) and place in (None, image.position)
    ]
    count = 0
    for image in images:
        with open_recording(path, channel=image.channel, position=image.position, z=image.z) as recording:
            name = path.parent.name if len(images) == 1 else f"{path.parent.name}, {_place(image, layout.z_planes)}"
            chosen = longest_run(recording.complete)
            if len(chosen) < LEAST:
                continue
            count += 1
            share = most_bytes // len(images)
            yield _film(recording, name, chosen, scope, colour.channel, device, share, known)
    if not count:
        raise DataError(f"{path}: no two whole series follow each other; record a longer time-lapse")


def longest_run(complete: npt.NDArray[np.bool_]) -> range:
    """Return the longest run of time points (T,) that are all there; the first of equally long ones."""
    best, start = range(0), 0
    for time, whole in enumerate(complete.tolist()):
        if not whole:
            start = time + 1
        elif time + 1 - start > len(best):
            best = range(start, time + 1)
    return best


def _film(
    recording: Recording,
    name: str,
    chosen: range,
    scope: Microscope,
    channel: Channel,
    device: torch.device,
    most_bytes: int,
    known: KnownPatterns | None,
) -> tuple[Film, list[str], bool]:
    one = int(np.prod(recording.shape[1:])) * recording.dtype.itemsize
    count = max(LEAST, min(len(chosen), most_bytes // one))
    warnings = calibration_warnings(scope.camera)
    if count < len(recording):
        first, last = chosen[0], chosen[0] + count - 1
        warnings.append(f"time points {first} to {last} of {len(recording)} are used")
    frames = recording.read(chosen[0], chosen[0] + count)
    for number, series in enumerate(frames):
        check_frames(series, str(recording.path), first_time=chosen[0] + number)
    maps = load_camera_maps(scope.camera, recording.shape[-2:], recording.corner)
    spread = np.unique(np.linspace(0, count - 1, min(count, ESTIMATE_SERIES)).round().astype(int))
    modality = modality_of(scope)
    try:
        if known is None:
            patterns, channel = modality.estimate_with_otf(frames[spread], scope, channel, maps=maps, device=device)
        else:
            channel = known.damped(channel)
            fit = modality.refit(frames[spread], scope, known.patterns, channel=channel, maps=maps, device=device)
            patterns = fit.patterns
            warnings += fit.warnings
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    film = Film(name, scope, channel, patterns, frames, maps, first=chosen[0])
    if float(film.photons(0).mean()) <= 0:
        raise DataError(f"{name}: holds no light after subtracting camera.offset_adu {scope.camera.offset_adu:g}")
    return film, warnings + modality.doubts(patterns), patterns.trusted


def _place(image: ImageAddress, planes: int) -> str:
    place = f"place {image.position + 1}"
    return place if planes == 1 else f"{place}, plane {image.z + 1}"
