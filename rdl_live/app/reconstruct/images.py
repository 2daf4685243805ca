"""The images that a recording holds: one for each colour and stage position, each with its time points and planes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from rdl_live.app.reconstruct.cluster import cluster_images
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.app.reconstruct.siblings import Sibling, serving
from rdl_live.errors import DataError
from rdl_live.files import load_microscope
from rdl_live.files._guard import naming
from rdl_live.files.colours import choose_colour
from rdl_live.files.raw import find_position
from rdl_live.files.recorder.journal import read_journal
from rdl_live.files.recorder.series import labels_of, raw_layout, recording_of


@dataclass(frozen=True)
class ImageOf:
    """One image of a recording, opened."""

    run: OfflineRun
    suffix: str
    """Added to the names of its outputs; empty where the recording holds one image."""


def images_of_recording(raw: Path, microscope: Path, device: torch.device, options: Options) -> Iterator[ImageOf]:
    """Open the images of a recording one after the other: all colours of our own, all positions of any.

    Each is closed when the next is asked for.

    Raises:
        RdlError: a file cannot be used, or there is no such colour or position.
    """
    ours = recording_of(raw)
    if ours is not None:
        yield from _recorded(ours, raw, microscope, device, options)
        return
    with OfflineRun(raw, microscope, device, options) as run:
        run.spread = cluster_images
        positions = run.recording.grid[0]
        names = run.recording.positions
        if positions == 1:
            yield ImageOf(run, "")
            return
    each = [replace(options, reading=replace(options.reading, position=str(number))) for number in range(positions)]
    siblings = _siblings(raw, microscope, device, each) if options.patterns is None else []
    given = serving(siblings) if siblings else [None] * positions
    for number, (one, source) in enumerate(zip(each, given, strict=True)):
        with OfflineRun(raw, microscope, device, one) as run:
            run.spread, run.sibling = cluster_images, source
            yield ImageOf(run, f"-{_plain(names[number]) if number < len(names) else f'p{number}'}")


def _siblings(raw: Path, microscope: Path, device: torch.device, each: list[Options]) -> list[Sibling]:
    """Return what the estimation finds in each image; nothing where one cannot be estimated: reported later."""
    found = []
    for number, one in enumerate(each):
        with OfflineRun(raw, microscope, device, one) as run:
            names = run.recording.positions
            try:
                patterns, _ = run.estimate()
            except DataError:
                return []
            found.append(Sibling(names[number] if number < len(names) else str(number), patterns, run.contrast))
    return found


def _recorded(ours: Path, raw: Path, microscope: Path, device: torch.device, options: Options) -> Iterator[ImageOf]:
    scope, layout = load_microscope(microscope), raw_layout(ours)
    labels = labels_of(layout)
    if options.channel is not None:
        asked = scope.channel(options.channel)
        colours = [choose_colour(labels, scope.channels, asked).channel]
    else:
        colours = [choose_colour([label], scope.channels, None).channel for label in labels]
    positions = range(layout.positions)
    if options.reading.position is not None:
        with naming(ours):
            first, _ = find_position(layout.places, layout.positions, options.reading.position)
        positions = range(first, first + 1)
    # Positions that a plan skipped, and colours that it did not come to, hold nothing.
    there = {(image.position, image.channel) for image, _ in read_journal(ours).blocks}
    found = 0
    for colour in colours:
        assert colour is not None  # `choose_colour` gives one of the channels that it was given
        index = choose_colour(labels, scope.channels, colour).index
        for position in positions:
            if (position, index) not in there:
                continue
            found += 1
            reading = replace(options.reading, position=str(position))
            one = replace(options, channel=colour.name, reading=reading)
            parts = [colour.name if len(labels) > 1 else "", f"p{position}" if layout.positions > 1 else ""]
            with OfflineRun(raw, microscope, device, one) as run:
                run.spread = cluster_images
                yield ImageOf(run, "".join(f"-{_plain(part)}" for part in parts if part))
    if not found:
        raise DataError(f"{ours}: holds no series that matches the options; check --channel and --position")


def _plain(name: str) -> str:
    """Return a name as a part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "._+" else "_" for letter in name)[:60]


def with_suffix(path: Path, suffix: str) -> Path:
    """Return a file's name with a suffix before its ending: sr.ome.tif becomes sr-488.ome.tif."""
    for ending in (".ome.tif", ".ome.tiff"):
        if path.name.lower().endswith(ending):
            return path.with_name(f"{path.name[: -len(ending)]}{suffix}{path.name[-len(ending) :]}")
    return path.with_name(f"{path.stem}{suffix}{path.suffix}")
