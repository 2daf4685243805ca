"""What retraining on a recording gains: `python -m benchmarks.retrain --minutes 10`.

For specimens that the shipped weights never saw, at 3 and 10 photons: a noisy time-lapse of 24 series is simulated and
written to a file, its patterns are found, the weights are retrained on it (`train auto`), and both are scored against
the truth: on held-out time points, and on another field of the same kind of specimen. Beside it, what `compare` says
without the truth.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.retrain_cases import CASES, Case, Recording, record
from benchmarks.score import nrmse
from rdl_live.app.compare.candidate import candidates
from rdl_live.app.compare.run import compare
from rdl_live.app.retrain.films import open_film
from rdl_live.restore import Restorer
from rdl_live.train import train_on_films
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.run import Result
from rdl_live.train.recordings.settings import SelfSupSettings


@dataclass(frozen=True)
class Row:
    """One case at one light level."""

    case: str
    unseen: str
    wanted: float
    """The largest `ratio` that is wanted."""
    photons: float
    scheme: str
    motion_nm: float | None
    steps: int
    minutes: float
    error_before: float
    """Against the truth on held-out time points (rms / standard deviation of the truth)."""
    ratio: float
    """Error after / before, on held-out time points of the recording."""
    ratio_elsewhere: float
    """The same on another field."""
    compared: float | None
    """What `compare` says of it without the truth, with its 95 % interval; None where no weights were written."""
    low: float | None
    high: float | None
    standing: str
    """In the words of `compare`; `unchanged` where no weights were written."""
    words: tuple[str, ...]
    seconds: float


def measure(case: Case, photons: float, options: argparse.Namespace) -> Row:
    """Record, retrain, score and compare."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = record(case, photons, options.times, options.size, folder)
        film = open_film(recording.raw, recording.microscope).film
        settings = SelfSupSettings(
            minutes=options.minutes, steps=options.steps, start=options.start, workers=0, seed=options.seed
        )
        out, told = folder / "W.safetensors", list[str]()
        result = train_on_films([film], out, settings, auto=True, notify=told.append)
        return _scored(case, photons, film, recording, result, out, options, told, start)


def _scored(
    case: Case,
    photons: float,
    film: Film,
    recording: Recording,
    result: Result,
    out: Path,
    options: argparse.Namespace,
    told: list[str],
    start: float,
) -> Row:
    before = errors(film, recording, options.start)
    after, verdict = before, None
    if result.card is not None:
        after = errors(film, recording, str(out))
        verdict = compare(film, candidates([options.start, str(out)])).verdicts[1]
    return Row(
        case=case.name,
        unseen=case.unseen,
        wanted=case.wanted,
        photons=photons,
        scheme=str(result.scheme),
        motion_nm=None if result.motion is None else result.motion.per_point_nm,
        steps=0 if result.card is None else result.card.steps - _steps_of(options.start),
        minutes=0.0 if result.card is None else result.card.minutes - _minutes_of(options.start),
        error_before=before[0],
        ratio=after[0] / before[0],
        ratio_elsewhere=after[1] / before[1],
        compared=None if verdict is None else verdict.to_first.value,
        low=None if verdict is None else verdict.to_first.low,
        high=None if verdict is None else verdict.to_first.high,
        standing="unchanged" if verdict is None else verdict.standing,
        words=(*told, *result.words),
        seconds=time.perf_counter() - start,
    )


def _steps_of(weights: str) -> int:
    return candidates([weights, "none"])[0].weights.card.steps  # type: ignore[union-attr]


def _minutes_of(weights: str) -> float:
    return candidates([weights, "none"])[0].weights.card.minutes  # type: ignore[union-attr]


def errors(film: Film, recording: Recording, weights: str) -> tuple[float, float]:
    """Return the errors on the last time points of the recording (which are held out) and on the other field."""
    held = list(range(len(film) - 3, len(film)))
    same = _error(film, film.frames[held], recording.truth[held], weights)
    return same, _error(film, recording.other, recording.other_truth, weights)


def _error(film: Film, frames: NDArray[np.generic], truth: NDArray[np.float32], weights: str) -> float:
    restorer = Restorer(film.scope, film.patterns, film.shape, weights)
    found = [restorer(torch.from_numpy(one.astype(np.float32))).numpy() for one in frames]
    return float(np.sqrt(np.mean([nrmse(one, other) ** 2 for one, other in zip(found, truth, strict=True)])))


def show(rows: Sequence[Row]) -> Table:
    """Return the table."""
    headings = ("specimen", "photons", "scheme", "nm/series", "steps", "min", "error", "ratio", "other field")
    table = Table(*headings, "compare (95 %)", "standing", title="error against the truth after / before retraining")
    for one in rows:
        said = "" if one.compared is None else f"{one.compared:.3f} ({one.low:.3f}-{one.high:.3f})"
        moved = "" if one.motion_nm is None else f"{one.motion_nm:.0f}"
        figures = (f"{value:.3f}" for value in (one.error_before, one.ratio, one.ratio_elsewhere))
        texts = (f"{one.photons:g}", one.scheme, moved, str(one.steps), f"{one.minutes:.1f}", *figures)
        table.add_row(one.case, *texts, said, one.standing)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a case gains less than is wanted, or `compare` does not see it."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrain", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--photons", type=float, nargs="+", default=[3.0, 10.0], help="a pixel and frame (3 10)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training (default 10)")
    parser.add_argument("--steps", type=int, help="of each training, instead")
    parser.add_argument("--from", dest="start", default="rdl", metavar="W", help="weights to start from (rdl)")
    parser.add_argument("--size", type=int, default=256, help="raw pixels in y and x (default 256)")
    parser.add_argument("--times", type=int, default=24, help="time points (default 24)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write everything there, after each case")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    console, rows = Console(width=140), list[Row]()
    for photons in options.photons:
        for case in (case for case in CASES if case.name in options.cases):
            rows.append(measure(case, photons, options))
            one = rows[-1]
            console.print(
                f"{one.case} {photons:g}: {one.ratio:.3f} (other field {one.ratio_elsewhere:.3f}), compare "
                f"{one.compared or 1:.3f} {one.standing}, {one.steps} steps, {one.seconds:.0f} s",
                highlight=False,
            )
            if options.json:
                options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    console.print(show(rows))
    return 0 if all(one.ratio <= one.wanted and one.standing == "better" for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
