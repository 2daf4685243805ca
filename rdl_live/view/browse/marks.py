"""What is wrong with each series of a recording, for the strip below the time slider. Without Qt."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdl_live.files.recorder.tags import FrameFlag
from rdl_live.view.patterns.verdicts import Verdict

WORDS = {
    FrameFlag.MISSING: "missing",
    FrameFlag.WRONG_PATTERN: "with a wrong pattern",
    FrameFlag.SATURATED: "saturated",
    FrameFlag.LATE: "late",
}
"""Flags, the worst first."""


@dataclass(frozen=True, eq=False)
class Marks:
    """The series of one image."""

    counts: npt.NDArray[np.int64]
    """(T, flags in the order of WORDS): frames with this flag."""
    stored: npt.NDArray[np.bool_]
    """(T,): whether a super-resolved image was recorded."""
    frames: int
    """Of a whole series."""

    @classmethod
    def of(cls, flags: npt.NDArray[np.int64], stored: npt.NDArray[np.bool_]) -> "Marks":
        """Count the flags (T, angle, phase)."""
        flat = flags.reshape(len(flags), -1)
        counts = np.stack([(flat & int(flag) != 0).sum(axis=1) for flag in WORDS], axis=1)
        return cls(counts, stored, flat.shape[1])

    def __len__(self) -> int:
        return len(self.counts)

    def verdict(self, time: int) -> Verdict:
        """Return how a series is: bad without an image of its own, to be checked if anything is odd."""
        missing, *others = self.counts[time]
        if missing:
            return Verdict.BAD
        return Verdict.CHECK if any(others) else Verdict.GOOD

    def words(self, time: int) -> str:
        """Say what is wrong with a series."""
        told = [
            f"{'all' if number == self.frames else number} frame{'s' if number != 1 else ''} {words}"
            for number, words in zip(self.counts[time].tolist(), WORDS.values(), strict=True)
            if number
        ]
        return ", ".join(told) or "complete"

    def next_marked(self, time: int, step: int) -> int | None:
        """Return the next (step 1) or previous (step -1) series that is not good; None if there is none."""
        marked = np.flatnonzero(self.counts.any(axis=1))
        found = marked[marked > time] if step > 0 else marked[marked < time][::-1]
        return int(found[0]) if found.size else None

    @property
    def summary(self) -> str:
        """Say how the whole is."""
        missing, wrong, saturated, late = (int(n) for n in (self.counts > 0).sum(axis=0))
        told = [
            f"{number} {words}"
            for number, words in (
                (missing, "with missing frames"),
                (wrong, "with a wrong pattern"),
                (saturated, "saturated"),
                (late, "late"),
            )
            if number
        ]
        return f"{len(self)} series: {', '.join(told)}" if told else f"{len(self)} series, all complete"
