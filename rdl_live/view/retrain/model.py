"""What the retraining window shows and allows: recordings to learn from, where the training is, what may be used."""

from dataclasses import dataclass, replace
from pathlib import Path

from rdl_live._names import NO_DENOISER
from rdl_live.view.common.words import span
from rdl_live.view.live.session import Severity, Snapshot
from rdl_live.view.retrain.state import Outcome, Phase, Progress

DEFAULT = "rdl"
"""Started from where nothing else denoises."""
LEAST_SERIES = 8
"""A recording of fewer time points is too short to learn from and to hold some out."""
MINUTES = (2, 5, 10, 20, 60)
"""Choices of how long to train."""
USUAL_MINUTES = 10


@dataclass(frozen=True)
class Lesson:
    """A recording that may be learnt from."""

    raw: Path
    name: str
    series: int | None
    """None where it was not recorded in this window."""
    wanted: bool = True

    @property
    def short(self) -> bool:
        """Whether it is too short."""
        return self.series is not None and self.series < LEAST_SERIES

    @property
    def words(self) -> str:
        """For the list."""
        if self.series is None:
            return self.name
        return f"{self.name}   {self.series} images" + (", too few to learn from" if self.short else "")


class RetrainModel:
    """State of the window; without Qt."""

    def __init__(self) -> None:
        self.lessons: tuple[Lesson, ...] = ()
        self.before: str | None = None
        """Denoiser that was in use before the new one; None where none was exchanged."""
        self.mine: Path | None = None
        """The new denoiser that is in use."""
        self._told: Progress | None = None

    # Recordings -----------------------------------------------------------------------------------------

    def see(self, snapshot: Snapshot) -> bool:
        """Take in a recording that has ended; return whether the list changed."""
        made = snapshot.recording
        if made is None or made.running or made.series == 0:
            return False
        return self.add(made.raw, made.folder.name, made.series)

    def add(self, raw: Path, name: str, series: int | None = None) -> bool:
        """Add a recording, newest first; return whether it is new."""
        if any(one.raw == raw for one in self.lessons):
            return False
        lesson = Lesson(raw, name, series)
        self.lessons = (replace(lesson, wanted=not lesson.short), *self.lessons)
        return True

    def want(self, raw: Path, wanted: bool) -> None:
        """Learn from a recording, or do not."""
        self.lessons = tuple(replace(one, wanted=wanted) if one.raw == raw else one for one in self.lessons)

    @property
    def chosen(self) -> tuple[Path, ...]:
        """What is learnt from, oldest first."""
        return tuple(one.raw for one in reversed(self.lessons) if one.wanted)

    # The denoiser ---------------------------------------------------------------------------------------

    @staticmethod
    def starts_from(denoiser: str) -> str:
        """Return the weights that are gone on from, where `denoiser` is in use."""
        return DEFAULT if denoiser == NO_DENOISER else denoiser

    def use(self, progress: Progress, denoiser: str) -> str | None:
        """Return the denoiser to be used from now on, instead of `denoiser`; None where there is no new one."""
        if progress.weights is None or denoiser == str(progress.weights):
            return None
        self.before, self.mine = denoiser, progress.weights
        return str(progress.weights)

    def back(self, denoiser: str) -> str | None:
        """Return the denoiser to go back to; None where the new one is not in use."""
        if self.before is None or self.mine is None or denoiser != str(self.mine):
            return None
        return self.before

    # Words ----------------------------------------------------------------------------------------------

    def news(self, progress: Progress | None) -> tuple[Severity, str] | None:
        """Return what the user reads when a retraining has ended; once."""
        if progress is None or not progress.phase.over or progress is self._told:
            return None
        self._told = progress
        match progress.phase:
            case Phase.DONE if progress.offered:
                return Severity.INFO, f"retraining is done, and the new denoiser is better: {_end(progress)}"
            case Phase.DONE:
                return Severity.WARNING, f"retraining is done, but the old denoiser is kept: {_end(progress)}"
            case Phase.UNCHANGED:
                return Severity.INFO, f"retraining ended: {_end(progress)}"
            case Phase.FAILED:
                return Severity.ERROR, f"retraining failed: {_end(progress)}"
        return None


def _end(progress: Progress) -> str:
    return progress.verdict or (progress.words[-1] if progress.words else "no reason was given")


def headline(progress: Progress | None, minutes: float) -> str:
    """Return in a few words where a retraining of so many minutes is."""
    if progress is None:
        return "Nothing has been trained yet."
    match progress.phase:
        case Phase.PREPARING:
            return "Reading the recordings: patterns and motion are measured …"
        case Phase.TRAINING:
            left = span(60 * minutes * (1 - progress.done))
            return f"Training: step {progress.step}, {left} left at most" + _errors(progress)
        case Phase.JUDGING:
            return "Comparing the new denoiser with the old one, on images that it was not trained on …"
        case Phase.DONE:
            return "Done: the new denoiser is better." if progress.offered else "Done, but the old denoiser is kept."
        case Phase.UNCHANGED:
            return f"{_ENDED[progress.outcome]} Nothing is changed."
        case Phase.CANCELLED:
            return "Cancelled. Nothing is changed."
        case Phase.FAILED:
            return "Failed. Nothing is changed."


_ENDED = {
    Outcome.NONE: "Ended before any training.",
    Outcome.HELPED: "Ended.",
    Outcome.NOTHING: "Ended: nothing was gained here.",
    Outcome.WORSE: "Ended: retraining made it worse here.",
    Outcome.LOCAL: "Ended: better only in the part of the field that was used for training.",
    Outcome.UNKNOWN: "Ended: cannot tell whether retraining helps here.",
}


def _errors(progress: Progress) -> str:
    if progress.held_out is None or progress.before is None:
        return ""
    ratio = progress.held_out / progress.before if progress.before > 0 else 1.0
    return f"\nError on held-out images: {ratio:.3f} of that at the start"
