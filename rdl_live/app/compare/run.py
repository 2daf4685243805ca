"""The comparison: held-out photons judge, the guards look for what is wrong, words say what follows.

The judge is that of the trainings (`rdl_live.train.recordings.judge`): each model restores four fifths of the photons
of a time point, the others, whose noise is independent, judge its image inside of the frame.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rdl_live._names import NO_DENOISER
from rdl_live.app.compare.candidate import Candidate, held_area, unseen_times
from rdl_live.app.compare.health import Health, examine
from rdl_live.errors import DataError
from rdl_live.train.recordings.bootstrap import Interval
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.judge import MOST_TIMES, Judged, Sample, measure, other_patterns, spread

EXAMINED = 3
"""Time points whose images are examined as a whole."""
_MORE = 1.15
"""A residual that is coloured or patterned by this factor more than the first model's counts against a model."""


@dataclass(frozen=True)
class Verdict:
    """Of one model."""

    model: Candidate
    error: Interval
    """On held-out photons, relative to that of the Wiener estimate."""
    judged: Judged
    """Against the first model."""
    elsewhere: Judged | None
    """The same in the part of the field that it was not trained on; None where there is none."""
    health: Health
    standing: str
    """`first`, `better`, `worse`, `equal`, or `unknown` (cannot tell)."""
    words: str
    warnings: tuple[str, ...] = ()
    """What is wrong with its images that is not with those of the first model."""

    @property
    def to_first(self) -> Interval:
        """Error relative to that of the first model; infinite where that is not distinguishable from 0."""
        return self.judged.ratio

    @property
    def offered(self) -> bool:
        """Whether it may take the first model's place."""
        return self.standing == "first" or (self.standing == "better" and not self.warnings)

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        health, bands = self.health, ("coarse", "fine", "sim-only")
        return {
            "name": self.model.name,
            "held_out_error": self.error.record(),
            "error_to_first": self.to_first.record(),
            "error_less_first": self.judged.less.record(),
            "error_less_first_by_band": {
                name: one.record() for name, one in zip(bands, self.judged.bands, strict=False)
            },
            "places_better": round(self.judged.places_better, 3),
            "error_to_first_elsewhere": None if self.elsewhere is None else self.elsewhere.ratio.record(),
            "residual": {"variance": health.variance, "colour": health.colour, "pattern": health.pattern},
            "frc_nm": health.frc_nm,
            "frc_spread_nm": health.frc_spread_nm,
            "artefact_score": health.from_noise,
            "pattern_shift_nm": health.pattern_shift_nm,
            "doubts": list(health.doubts),
            "warnings": list(self.warnings),
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
    channel_assumed: bool = False
    """Whether neither file nor user names the colour, so that the first of the microscope file was taken."""

    @property
    def best(self) -> Verdict:
        """The one to use: of those that are offered, that of the smallest error."""
        return min((one for one in self.verdicts if one.offered), key=lambda one: one.judged.less.value)

    @property
    def words(self) -> str:
        """The verdict in one sentence."""
        first, best = self.verdicts[0], self.best
        if best is first:
            warned = [one.model.name for one in self.verdicts if one.standing == "better"]
            if warned:
                named = " and ".join(warned)
                return f"keep {first.model.name} for now: {named} is better, but with warnings; look at them"
            unknown = [one.model.name for one in self.verdicts if one.standing == "unknown"]
            if unknown:
                return (
                    f"keep {first.model.name}: cannot tell whether {' or '.join(unknown)} is better on this recording"
                )
            return f"keep {first.model.name}: none of the others is certainly better on this recording"
        return f"use {best.model.name}: {best.words}"

    def record(self) -> dict[str, Any]:
        """Return it for a report."""
        return {
            "raw": self.film.name,
            "microscope": self.film.scope.name,
            "channel": self.film.channel.name,
            "channel_assumed": self.channel_assumed,
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
    channel_assumed: bool = False,
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
    times = spread(times, MOST_TIMES)
    # The plain reconstruction is asked, too: its error is the scale.
    networks = [*(model.network for model in models), None]
    patterns = other_patterns(film)
    sample = measure(film, networks, times, others=patterns, progress=progress)
    area, apart = held_area(film, models), None
    if area is not None:
        apart = measure(film, networks, range(len(film)), area=area, others=patterns, progress=progress)
    trained = next((one for one in models if one.weights is not None), models[0])
    verdicts: list[Verdict] = []
    for number, model in enumerate(models):
        progress(f"examining the images of {model.name}", number, len(models))
        restorer = model.restorer(film, trained)
        health = examine(film, restorer, spread(times, EXAMINED), plain=model.weights is None)
        verdicts.append(_verdict(sample, apart, number, model, health, verdicts[0] if verdicts else None))
    return Comparison(film, tuple(verdicts), tuple(times), left_out, tuple(warnings), channel_assumed)


def _verdict(
    sample: Sample, apart: Sample | None, number: int, model: Candidate, health: Health, first: Verdict | None
) -> Verdict:
    error, judged = sample.relative(number, len(sample.less) - 1), sample.judged(number)
    elsewhere = None if apart is None else apart.judged(number)
    if first is None:
        return Verdict(model, error, judged, elsewhere, health, "first", "what the others are measured against")
    standing, words = judged_words(judged, elsewhere, first.model.name)
    plain = NO_DENOISER in (model.name, first.model.name)
    warnings = () if plain or standing == "worse" else tuple(_complaints(health, first.health))
    if standing == "better" and warnings:
        words += f"; but {'; '.join(warnings)}: look at the pictures before you use it"
    return Verdict(model, error, judged, elsewhere, health, standing, words, warnings)


def judged_words(judged: Judged, elsewhere: Judged | None, name: str) -> tuple[str, str]:
    """Return the standing against the model `name`, and the words."""
    ratio, less = judged.ratio, judged.less
    figures = f"error {ratio.value:.3f} of that of {name} (95 %: {ratio.low:.3f} to {ratio.high:.3f})"
    if not math.isfinite(ratio.value):
        figures = f"mean square error by {abs(less.value):.3g} photons^2 {_than(less, name)}"
    standing = judged.standing
    if standing == "better" and elsewhere is not None and elsewhere.standing == "worse":
        apart = elsewhere.ratio
        return "unknown", (
            f"cannot tell whether it is better than {name} on other recordings: {figures} where it was trained, "
            f"{apart.value:.3f} ({apart.low:.3f} to {apart.high:.3f}) in the part of the field that it was not "
            "trained on; compare on another recording"
        )
    return standing, {
        "better": f"better than {name} on this recording: {figures}",
        "worse": f"worse than {name} on this recording: {figures}; not offered for use",
        "equal": f"as good as {name} on this recording: {figures}; no reason to change",
        "unknown": (
            f"cannot tell whether it is better than {name}: {figures}; a longer recording, or one with more light, "
            "would show it"
        ),
    }[standing]


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
