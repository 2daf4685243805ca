"""Recordings to learn from or to judge by: opened, checked, patterns found, as many time points as memory allows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rdl_live.app.reconstruct.known_patterns import known_patterns
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.app.retrain.recorded_films import recorded_films, recording_of
from rdl_live.files import load_microscope
from rdl_live.optics.pattern import PatternSet
from rdl_live.train.recordings.film import Film

MOST_BYTES = 512 * 2**20
"""Raw frames that are kept in memory, over all recordings."""


@dataclass(frozen=True)
class Opened:
    """A recording, ready to be learnt from."""

    film: Film
    warnings: tuple[str, ...]
    trusted: bool
    """Whether every pattern is."""


def open_film(
    raw: Path,
    microscope: Path,
    *,
    device: torch.device | None = None,
    channel: str | None = None,
    patterns: Path | None = None,
    most_bytes: int = MOST_BYTES,
) -> Opened:
    """Open a recording and find its patterns; of several places or planes, take the first.

    Args:
        raw: raw file, or the folder of a recording of ours.
        microscope: microscope file.
        device: where to estimate.
        channel: colour; the first where left out.
        patterns: report, JSON of `estimate` or recording whose patterns are used.
        most_bytes: of raw frames; of a longer recording the first time points are taken.

    Raises:
        RdlError: a file cannot be used.
    """
    return next(_opened(raw, microscope, device or torch.device("cpu"), channel, patterns, most_bytes))


def open_films(
    raws: Sequence[Path],
    microscope: Path,
    *,
    device: torch.device | None = None,
    channel: str | None = None,
    patterns: Path | None = None,
    most_bytes: int = MOST_BYTES,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Film]:
    """Open several recordings of one microscope; warnings are told, with the file's name in front.

    Raises:
        RdlError: a file cannot be used.
    """
    films = []
    for raw in raws:
        share = most_bytes // len(raws)
        for opened in _opened(raw, microscope, device or torch.device("cpu"), channel, patterns, share):
            name = opened.film.name
            for warning in opened.warnings:
                tell(warning if warning.startswith(name) else f"{name}: {warning}")
            films.append(opened.film)
    return films


def _opened(
    raw: Path, microscope: Path, device: torch.device, channel: str | None, patterns: Path | None, most_bytes: int
) -> Iterator[Opened]:
    """Go through the films of a recording: one for each place and plane of our own, one of any other file."""
    ours = recording_of(raw)
    if ours is not None:
        scope = load_microscope(microscope)
        colour = None if channel is None else scope.channel(channel)
        known = None if patterns is None else _known(patterns, microscope, device, channel)
        for film, warnings, trusted in recorded_films(ours, scope, colour, device, most_bytes, known):
            yield Opened(film, tuple(warnings), trusted)
        return
    with OfflineRun(raw, microscope, device, Options(channel=channel, patterns=patterns)) as run:
        found, warnings = run.estimate()
        one = int(np.prod(run.recording.shape[1:])) * run.recording.dtype.itemsize
        count = max(1, min(len(run.recording), most_bytes // one))
        if count < len(run.recording):
            warnings = [*warnings, f"{raw.name}: the first {count} of {len(run.recording)} time points are used"]
        frames = np.stack([run.series(time) for time in range(count)])
        film = Film(raw.name, run.scope, run.channel, found, frames, run.maps)
    yield Opened(film, tuple(warnings), found.trusted)


def _known(source: Path, microscope: Path, device: torch.device, channel: str | None) -> PatternSet:
    """Return the patterns of `--patterns`."""

    def estimated(raw: Path) -> PatternSet:
        with OfflineRun(raw, microscope, device, Options(channel=channel)) as run:
            return run.estimate()[0]

    return known_patterns(source, load_microscope(microscope), estimated).patterns
