"""Recordings to train on or to judge by: opened, checked, patterns found, as many time points as memory allows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rdl_live.app.reconstruct.known_patterns import Elsewhere, KnownPatterns, known_patterns
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.app.retrain.recorded_films import recorded_films
from rdl_live.errors import ConfigError
from rdl_live.files import RawRequest, load_microscope
from rdl_live.files.recorder.series import recording_of
from rdl_live.optics.modality import modality_of
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
    assumed: str = ""
    """Sentence that says which channel was assumed, where neither file nor user names it."""


def open_film(
    raw: Path,
    microscope: Path,
    *,
    device: torch.device | None = None,
    channel: str | None = None,
    reading: RawRequest | None = None,
    patterns: Path | None = None,
    most_bytes: int = MOST_BYTES,
) -> Opened:
    """Open a recording and find its patterns; of several places or planes, take the first.

    Args:
        raw: raw file, or the folder of a recording of ours.
        microscope: microscope file.
        device: where to estimate.
        channel: colour; the first where left out.
        reading: which position, and how the frames follow one another, where the user says so.
        patterns: report, JSON of `estimate` or recording whose patterns are used.
        most_bytes: of raw frames; of a longer recording the first time points are taken.

    Raises:
        RdlError: a file cannot be used.
    """
    films = _opened(
        raw, microscope, device or torch.device("cpu"), channel, reading or RawRequest(), patterns, most_bytes
    )
    return next(films)


def open_films(
    raws: Sequence[Path],
    microscope: Path,
    *,
    device: torch.device | None = None,
    channel: str | None = None,
    reading: RawRequest | None = None,
    patterns: Path | None = None,
    most_bytes: int = MOST_BYTES,
    notify: Callable[[str], None] = lambda _: None,
) -> list[Film]:
    """Open several recordings of one microscope; warnings are passed on, with the file's name in front.

    Raises:
        RdlError: a file cannot be used.
    """
    films = []
    for raw in raws:
        one, share = reading or RawRequest(), most_bytes // len(raws)
        for opened in _opened(raw, microscope, device or torch.device("cpu"), channel, one, patterns, share):
            name = opened.film.name
            for warning in (*opened.warnings, *([opened.assumed] if opened.assumed else [])):
                notify(warning if warning.startswith(name) else f"{name}: {warning}")
            films.append(opened.film)
    return films


def _opened(
    raw: Path,
    microscope: Path,
    device: torch.device,
    channel: str | None,
    reading: RawRequest,
    patterns: Path | None,
    most_bytes: int,
) -> Iterator[Opened]:
    """Go through the films of a recording: one for each place and plane of it."""
    scope = load_microscope(microscope)
    if not modality_of(scope).shaped or scope.pattern.shared:
        raise ConfigError(
            f"{microscope}: is of modality {scope.modality}, and here networks learn from series of stripes; from "
            "single frames they learn with `rdl-live train tis STACKS --volume`"
        )
    ours = recording_of(raw)
    if ours is not None:
        colour = None if channel is None else scope.channel(channel)
        known = None if patterns is None else _known(patterns, microscope, device, channel)
        place = reading.position
        for film, warnings, trusted in recorded_films(ours, scope, colour, device, most_bytes, known, place):
            yield Opened(film, tuple(warnings), trusted)
        return
    options = Options(channel=channel, reading=reading, patterns=patterns)
    with OfflineRun(raw, microscope, device, options) as run:
        found, warnings = run.estimate()
        positions, times, planes = run.recording.grid
        # Planes are neighbours in time only where there is nothing else to learn from.
        places = positions * planes if times > 1 else 1
        one = int(np.prod(run.recording.shape[1:])) * run.recording.dtype.itemsize
        for number in range(places):
            series = _series_of(run.recording.grid, number, places)
            count = max(1, min(len(series), most_bytes // places // one))
            notes = list(warnings)
            if count < len(series):
                notes.append(f"{raw.name}: the first {count} of {len(series)} time points are used")
            frames = np.stack([run.series(index) for index in series[:count]])
            name = raw.name if places == 1 else f"{raw.name}, {_place(number, planes)}"
            film = Film(name, run.scope, run.channel, found, frames, run.maps)
            yield Opened(film, tuple(notes), found.trusted, run.recording.assumed)


def _series_of(grid: tuple[int, int, int], place: int, places: int) -> list[int]:
    """Return the numbers of the series of one place and plane, time point after time point."""
    positions, times, planes = grid
    if places == 1:
        return list(range(positions * times * planes))
    position, plane = divmod(place, planes)
    return [(position * times + time) * planes + plane for time in range(times)]


def _place(place: int, planes: int) -> str:
    position, plane = divmod(place, planes)
    return f"place {position + 1}" if planes == 1 else f"place {position + 1}, plane {plane + 1}"


def _known(source: Path, microscope: Path, device: torch.device, channel: str | None) -> KnownPatterns:
    """Return what `--patterns` names."""

    def estimated(raw: Path) -> Elsewhere:
        with OfflineRun(raw, microscope, device, Options(channel=channel)) as run:
            patterns, _ = run.estimate()
            return Elsewhere(patterns, run.channel.otf_damping)

    return known_patterns(source, load_microscope(microscope), estimated)
