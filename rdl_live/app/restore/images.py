"""Images, or SIM series, to super-resolved images by a network alone: from file to file, one time point in memory."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rdl_live._version import __version__
from rdl_live.app.reconstruct.options import sigma_path
from rdl_live.app.retrain.volumes import checked_stack
from rdl_live.errors import ConfigError
from rdl_live.files import (
    RawRequest,
    VolumeWriter,
    check_frames,
    load_camera_maps,
    load_microscope,
    open_raw,
    open_volumes,
)
from rdl_live.files.raw import open_any, request_for
from rdl_live.optics import Microscope, to_photons
from rdl_live.restore.ranges import check_microscope, check_photons, check_pixel
from rdl_live.restore.stages.single_image import with_error
from rdl_models import Card, Network
from rdl_models.architecture import EstimatesError

Progress = Callable[[str, int, int], None]
INFERRED = (
    "what this image shows beyond the diffraction limit is inferred by a network, not measured; compare with a SIM "
    "image of the same specimen before you rely on it"
)
_Counts = npt.NDArray[np.generic]


@dataclass(frozen=True)
class _Source:
    """What is read."""

    read: Callable[[int], _Counts]
    """Counts (planes, frames, y, x) of a time point."""
    shape: tuple[int, int, int, int]
    """(time points, planes, y, x)."""
    channel: str
    pixel_um: float
    photons: Callable[[Tensor], Tensor]
    warnings: list[str]


def restore_images(
    raw: Path,
    microscope: Path | None,
    card: Card,
    network: Network,
    out: Path,
    *,
    reading: RawRequest | None = None,
    channel: str | None = None,
    device: torch.device | str = "cpu",
    overwrite: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[str]:
    """Super-resolve images one by one, or series of as many frames as the network takes; return what to know.

    Args:
        raw: file of single images, or of SIM series where the network takes several frames.
        microscope: microscope file, of which optics, channels and camera count, and of series the numbers of
            orientations and phases; values are taken as photons where left out.
        card: of the weights.
        network: they are for.
        out: OME-TIFF to write, float32 photons a raw pixel area; beside it, OUT-sigma.tif, goes the standard error
            that is expected, where the network says it.
        reading: position, tiles and, of series, order as the user says them; planes of series where the file does not.
        channel: colour; the first where left out.
        device: where the network is.
        overwrite: replace a file that exists.
        progress: notified of what is going on, done, total.

    Raises:
        ConfigError: weights, microscope and file do not fit; the message has both values.
        DataError: the file cannot be used.
    """
    scope = None if microscope is None else load_microscope(microscope)
    scale = network.config.scale
    # Single frames have no finer grid of their own that the image would have to lie on.
    if scope is not None and scope.pattern.sr_factor not in (1, scale):
        raise ConfigError(
            f"weights {card.name!r} make images {scale} times as fine as the camera's, the images of {scope.name!r} "
            f"are {scope.pattern.sr_factor} times as fine; use weights of `train sr --factor {scope.pattern.sr_factor}`"
        )
    several = network.config.channels > 1
    reading = reading or RawRequest()
    if several:
        opened = _series(raw, scope, channel, reading, card, network)
    else:
        opened = _images(raw, scope, channel, reading, card)
    with opened as source:
        times, planes, rows, columns = source.shape
        made_by = {
            "program": f"rdl-live restore {__version__}",
            "raw": raw.name,
            "microscope": None if scope is None else scope.name,
            "weights": card.model_dump(mode="json"),
        }
        warnings = source.warnings
        shape, pixel_um = (times, planes, scale * rows, scale * columns), source.pixel_um / scale
        with ExitStack() as files:

            def writer_of(path: Path) -> VolumeWriter:
                return files.enter_context(VolumeWriter(path, shape, pixel_um, source.channel, made_by, overwrite))

            writer = writer_of(out)
            errors = writer_of(sigma_path(out)) if tells_error(network) else None
            for time in range(times):
                progress("super-resolving", time, times)
                counts = torch.from_numpy(source.read(time).astype(np.float32))
                photons = source.photons(counts)
                if time == 0:
                    warnings = [*warnings, *check_photons(card, float(photons.mean()))]
                made = [with_error(network, plane.to(device)) for plane in photons]
                writer.write(torch.stack([image.cpu() for image, _ in made]).numpy())
                told = [sigma.cpu() for _, sigma in made if sigma is not None]
                if errors is not None:
                    errors.write(torch.stack(told).numpy())
    return [*warnings, INFERRED]


def tells_error(network: Network) -> bool:
    """Whether a network says how wrong its images may be."""
    return isinstance(network, EstimatesError) and network.spread is not None


@contextmanager
def _images(
    raw: Path, scope: Microscope | None, channel: str | None, reading: RawRequest, card: Card
) -> Iterator[_Source]:
    """Open single images, a time-lapse or a stack of them."""
    asked = None if scope is None or channel is None else scope.channel(channel)
    colours = () if scope is None else scope.channels
    for option, value in (("--order", reading.order), ("--planes", reading.planes)):
        if value is not None:
            raise ConfigError(f"{option} {value}: weights {card.name!r} are for single images; leave {option} out")
    with open_volumes(
        raw, stacked=False, colours=colours, asked=asked, position=reading.position, tiles=reading.tiles
    ) as recording:
        notes = [f"{raw.name}: {note}" for note in recording.notes]

        def read(time: int) -> _Counts:
            return checked_stack(recording, time)[:, None]

        if recording.pixel_size_um is not None:
            notes += check_pixel(card, raw.name, recording.pixel_size_um)
        if scope is None:
            pixel_um = recording.pixel_size_um or _middle(card)
            notes.append(f"{raw.name}: its values are taken as photons, with no offset; add --microscope M.yaml")
            yield _Source(read, recording.shape, "image", pixel_um, lambda counts: counts, notes)
            return
        colour, camera = recording.channel or scope.channel(channel), scope.camera
        notes += check_microscope(card, scope, colour)
        maps = load_camera_maps(camera, recording.shape[-2:])
        pixel_um = scope.optics.pixel_size_um
        yield _Source(read, recording.shape, colour.name, pixel_um, lambda x: to_photons(x, camera, maps), notes)


@contextmanager
def _series(
    raw: Path, scope: Microscope | None, channel: str | None, reading: RawRequest, card: Card, network: Network
) -> Iterator[_Source]:
    """Open SIM series of as many frames as the network takes."""
    taken = network.config.channels
    with_one = "use weights of `train sr --frames 1` for single images"
    if raw.is_file():
        opened = open_any(raw)
        opened.source.close()
        if opened.stack.frames.size < taken:
            raise ConfigError(
                f"weights {card.name!r} take the {taken} frames of a SIM series at once, {raw.name} has "
                f"{opened.stack.frames.size}; {with_one}"
            )
    if scope is None:
        raise ConfigError(f"weights {card.name!r} take the {taken} frames of a SIM series: add --microscope M.yaml")
    if scope.pattern.frames != taken:
        raise ConfigError(
            f"weights {card.name!r} take {taken} frames, series of {scope.name!r} have "
            f"{scope.pattern.frames}; {with_one}"
        )
    asked = None if channel is None else scope.channel(channel)
    with open_raw(raw, scope.pattern, request_for(scope.channels, asked, reading)) as recording:
        colour, camera = recording.channel or asked or scope.channels[0], scope.camera
        said = [*recording.notes, *([recording.assumed] if recording.assumed else [])]
        notes = [f"{raw.name}: {note}" for note in said] + check_microscope(card, scope, colour)
        if recording.pixel_size_um is not None:
            notes += check_pixel(card, raw.name, recording.pixel_size_um)
        rows, columns = recording.shape[-2:]
        maps = load_camera_maps(camera, (rows, columns), recording.corner)

        def read(time: int) -> _Counts:
            series: _Counts = recording.read(time, time + 1)[0]
            check_frames(series, str(raw), first_time=time)
            return series.reshape(1, taken, rows, columns)

        shape = (len(recording), 1, rows, columns)
        pixel_um = scope.optics.pixel_size_um
        yield _Source(read, shape, colour.name, pixel_um, lambda x: to_photons(x, camera, maps), notes)


def _middle(card: Card) -> float:
    """Return the pixel size that weights were trained for, for a file that does not say its own [um]."""
    span = card.valid.get("pixel_size_um")
    if span is None:
        raise ConfigError("neither the file nor the weights say the pixel size; add --microscope M.yaml")
    return math.sqrt(span.low * span.high)
