"""Recordings to learn from or to judge by: opened, checked, patterns found, as many time points as memory allows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rdl_live.app.offline import OfflineRun, Options
from rdl_live.train.selfsup.film import Film

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
    most_bytes: int = MOST_BYTES,
) -> Opened:
    """Open a recording and find its patterns.

    Args:
        raw: raw file.
        microscope: microscope file.
        device: where to estimate.
        channel: colour; the first where left out.
        most_bytes: of raw frames; of a longer recording the first time points are taken.

    Raises:
        RdlError: a file cannot be used.
    """
    with OfflineRun(raw, microscope, device or torch.device("cpu"), Options(channel=channel)) as run:
        patterns, warnings = run.estimate()
        one = int(np.prod(run.recording.shape[1:])) * run.recording.dtype.itemsize
        count = max(1, min(len(run.recording), most_bytes // one))
        if count < len(run.recording):
            warnings = [*warnings, f"{raw.name}: the first {count} of {len(run.recording)} time points are used"]
        frames = np.stack([run.series(time) for time in range(count)])
        film = Film(raw.name, run.scope, run.channel, patterns, frames, run.maps)
    return Opened(film, tuple(warnings), patterns.trusted)


def open_films(
    raws: Sequence[Path],
    microscope: Path,
    *,
    device: torch.device | None = None,
    channel: str | None = None,
    most_bytes: int = MOST_BYTES,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Film]:
    """Open several recordings of one microscope; warnings are told, with the file's name in front.

    Raises:
        RdlError: a file cannot be used.
    """
    films = []
    for raw in raws:
        opened = open_film(raw, microscope, device=device, channel=channel, most_bytes=most_bytes // len(raws))
        for warning in opened.warnings:
            tell(warning if warning.startswith(raw.name) else f"{raw.name}: {warning}")
        films.append(opened.film)
    return films
