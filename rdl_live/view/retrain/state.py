"""What the window needs of a retraining: to start and stop it, and to know where it is. Without Qt.

`rdl_live.app.retrain.desk.RetrainDesk` is such a retrainer; a test may make another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Phase(StrEnum):
    """Where a retraining is."""

    PREPARING = "preparing"
    """Reads the recordings, finds patterns, measures motion."""
    TRAINING = "training"
    JUDGING = "judging"
    """Compares the new denoiser with the old one, as `rdl-live compare` does."""
    DONE = "done"
    """New weights were written; `Progress.offered` says whether they are to be used."""
    UNCHANGED = "unchanged"
    """Nothing was written; `Progress.outcome` says why."""
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self not in (Phase.PREPARING, Phase.TRAINING, Phase.JUDGING)


class Outcome(StrEnum):
    """What a retraining has come to."""

    NONE = ""
    """Not known yet, or nothing was trained."""
    HELPED = "helped"
    NOTHING = "nothing"
    """Nothing was gained, or next to nothing."""
    WORSE = "worse"
    LOCAL = "local"
    """Better where it was learnt, not in the part of the field that was held back."""
    UNKNOWN = "unknown"
    """What is held back cannot tell."""


@dataclass(frozen=True)
class Progress:
    """A moment of a retraining."""

    phase: Phase = Phase.PREPARING
    done: float = 0.0
    """Share of the training."""
    step: int = 0
    loss: float | None = None
    held_out: float | None = None
    """Error on what is held back, relative to that of the denoiser that was started from; None before it was looked
    at."""
    before: float | None = None
    """The same, before the training."""
    words: tuple[str, ...] = ()
    """What was found, in sentences for the user."""
    preview: Path | None = None
    """Picture of held-out tiles: Wiener, before, now."""
    weights: Path | None = None
    """The new weights, once they are written."""
    offered: bool = False
    """Whether the comparison found the new weights better, and nothing wrong with their images."""
    verdict: str = ""
    """What the comparison found, in a sentence."""
    outcome: Outcome = Outcome.NONE


class Retrainer(Protocol):
    """Retrains in the background. No method waits; all may be called from the GUI thread at any time."""

    @property
    def progress(self) -> Progress | None:
        """Where the newest retraining is; None before the first."""

    def start(self, raws: Sequence[Path], minutes: float, start: str, channel: str, folder: Path) -> None:
        """Begin.

        Args:
            raws: recordings.
            minutes: how long it may train.
            start: denoiser to go on from.
            channel: colour.
            folder: where the new weights go; it is made.

        Raises:
            RdlError: it cannot be begun.
        """

    def cancel(self) -> None:
        """End it after the step at hand; nothing is written."""
