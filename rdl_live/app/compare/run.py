"""The comparison: held-out photons judge, the guards look for what is wrong, words say what follows.

Each model restores a part of the photons of a time point; the others, whose noise is independent, are predicted from
its image (`rdl_live.train.recordings.loss`). That error is an unbiased estimate of the one against the truth, on the
frequencies that the data can tell.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rdl_live.app.compare.bootstrap import Interval, error_difference, error_quotient, root_error
from rdl_live.app.compare.candidate import NONE, Candidate, unseen_times
from rdl_live.app.compare.health import Health, examine
from rdl_live.errors import DataError
from rdl_live.train.recordings.film import Film, tiles
from rdl_live.train.recordings.pairs import split_pair

SHOWN = 0.8
"""Share of the photons that the models see."""
MOST_TIMES, MOST_TILES = 12, 64
SPLITS = 5
"""Each tile's photons are divided so often: then nearly every photon has been predicted once."""
EXAMINED = 3
"""Time points whose images are examined as a whole."""
TILE = 128
_SEED = 0xC0A9
_MORE = 1.15
"""A residual that is coloured or patterned by this factor more than the first model's counts against a model."""


@dataclass(frozen=True)
class Verdict:
    """Of one model."""

    model: Candidate
    error: Interval
    """On held-out photons, relative to the Wiener estimate's."""
    to_first: Interval
    """Error relative to that of the first model; infinite where that of the first cannot be told from 0."""
    less: Interval
    """Mean square error less that of the first model, relative to the Wiener estimate's."""
    health: Health
    standing: str
    """`first`, `better`, `worse`, `equal` or `doubtful` (better, but something is wrong with its images)."""
    words: str

    @property
    def offered(self) -> bool:
        """Whether it may take the first model's place."""
        return self.standing in ("first", "better")

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        health = self.health
        return {
            "name": self.model.name,
            "held_out_error": self.error.record(),
            "error_to_first": self.to_first.record(),
            "error_less_first": self.less.record(),
            "residual": {"variance": health.variance, "colour": health.colour, "pattern": health.pattern},
            "frc_nm": health.frc_nm,
            "frc_spread_nm": health.frc_spread_nm,
            "artefact_score": health.from_noise,
            "pattern_shift_nm": health.pattern_shift_nm,
            "doubts": list(health.doubts),
            "standing": self.standing,
            "offered": self.offered,
            "verdict": self.words,
        }


@dataclass(frozen=True)
class Comparison:
    """What was found."""

    film: Film
    verdicts: tuple[Verdict, ...]
    times: tuple[int, ...]
    """Time points that judged."""
    left_out: bool
    """Whether time points that a model was trained on were left out."""
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> Verdict:
        """The one to use: of those that are offered, that of the smallest error."""
        return min((one for one in self.verdicts if one.offered), key=lambda one: one.less.value)

    @property
    def words(self) -> str:
        """The verdict in one sentence."""
        first, best = self.verdicts[0], self.best
        if best is first:
            return f"keep {first.model.name}: none of the others is certainly better on this recording"
        return f"use {best.model.name}: {best.words}"

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        return {
            "raw": self.film.name,
            "microscope": self.film.scope.name,
            "time_points": [self.film.first + time for time in self.times],
            "trained_time_points_left_out": self.left_out,
            "models": [one.record() for one in self.verdicts],
            "best": self.best.model.name,
            "verdict": self.words,
            "warnings": list(self.warnings),
        }


OWN_FIELD = (
    "this recording's other time points were learnt from, so the structures are known already: another field of view "
    "may gain less, or lose; compare on a recording of one, too"
)


def compare(
    film: Film,
    models: Sequence[Candidate],
    *,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
    warnings: Sequence[str] = (),
) -> Comparison:
    """Compare models on a recording; the first one is what the others are measured against.

    Raises:
        DataError: the models were trained on all of this recording.
    """
    times, left_out = unseen_times(film, models)
    if not times:
        raise DataError(f"{film.name}: the models were trained on every time point of it; compare on another recording")
    if left_out:
        warnings = [*warnings, OWN_FIELD]
    times = _spread(times, MOST_TIMES)
    errors, moments = _errors(film, models, times, progress)
    trained = next((one for one in models if one.weights is not None), models[0])
    verdicts: list[Verdict] = []
    for number, model in enumerate(models):
        progress(f"examining the images of {model.name}", number, len(models))
        restorer = model.restorer(film, trained)
        health = examine(film, restorer, _spread(times, EXAMINED), plain=model.weights is None)
        error = root_error(errors[number], moments)
        to_first = error_quotient(errors[number], errors[0], moments)
        less = error_difference(errors[number], errors[0], moments)
        standing, words = _judged(model, to_first, less, health, verdicts[0] if verdicts else None)
        verdicts.append(Verdict(model, error, to_first, less, health, standing, words))
    return Comparison(film, tuple(verdicts), tuple(times), left_out, tuple(warnings))


def _errors(
    film: Film, models: Sequence[Candidate], times: Sequence[int], progress: Callable[[str, int, int], None]
) -> tuple[np.ndarray, list[int]]:
    """Return the errors (model, tile), each of several splits, and the time point of each tile."""
    places = tiles(film, TILE, stride=1.0)
    wanted = [(time, place) for time in times for place in places]
    wanted = [wanted[index] for index in _spread(range(len(wanted)), MOST_TILES)]
    generator = torch.Generator().manual_seed(_SEED)
    found: list[list[float]] = [[] for _ in models]
    for number, (time, place) in enumerate(wanted):
        progress("predicting held-out photons", number, len(wanted))
        splits = [split_pair(place, time, SHOWN, generator) for _ in range(SPLITS)]
        for model, errors in zip(models, found, strict=True):
            errors.append(float(np.mean([float(model.errors(pairs)[0]) for pairs in splits])))
    return np.array(found), [time for time, _ in wanted]


def _judged(
    model: Candidate, to_first: Interval, less: Interval, health: Health, first: Verdict | None
) -> tuple[str, str]:
    """Return the standing and the words; the difference decides, for it is sound also where the errors are near 0."""
    if first is None:
        return "first", "what the others are measured against"
    name = first.model.name
    figures = f"error {to_first.value:.3f} of that of {name} (95 %: {to_first.low:.3f} to {to_first.high:.3f})"
    if not math.isfinite(to_first.value):
        figures = f"mean square error by {abs(less.value):.3f} of the Wiener estimate's {_than(less, name)}"
    if less.low > 0:
        return "worse", f"worse than {name} on this recording: {figures}; not offered for use"
    if less.high >= 0:
        return "equal", f"no certain difference from {name}: {figures}; there is no reason to change"
    complaints = [] if model.name == NONE or first.model.name == NONE else _complaints(health, first.health)
    if complaints:
        return "doubtful", f"smaller {figures}, but {'; '.join(complaints)}: not offered for use, look at the pictures"
    return "better", f"better than {name} on this recording: {figures}"


def _than(less: Interval, name: str) -> str:
    word = "below" if less.value < 0 else "above"
    return f"{word} that of {name} (95 %: {less.low:+.3f} to {less.high:+.3f})"


def _complaints(health: Health, first: Health) -> list[str]:
    """Return what is wrong with a model's images that is not with the first model's."""
    found = []
    if health.colour is not None and first.colour is not None and health.colour > _MORE * max(first.colour, 1.0):
        found.append(f"it takes more structure away ({health.colour:.2f} times noise, {first.colour:.2f} before)")
    if health.pattern > _MORE * max(first.pattern, 1.0):
        found.append(f"more of the pattern is left in the residual ({health.pattern:.2f}, {first.pattern:.2f} before)")
    # Doubts that differ in figures only are the same.
    known = {_kind(text) for text in first.doubts}
    found += [text for text in health.doubts if _kind(text) not in known]
    return found


def _kind(text: str) -> str:
    return "".join(character for character in text if not character.isdigit())


def _spread(values: Sequence[int], most: int) -> list[int]:
    """Return at most so many of the values, evenly spread."""
    places = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [int(values[int(place)]) for place in places]
